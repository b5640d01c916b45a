/**
 * Assertions are for bugs in MX8, never for bad input (that is `Mx8Error`). They are cheap and stay
 * on in production: a process whose state is wrong must stop, so that another can take over.
 */

/** A bug in MX8: the message says which belief about the state turned out to be false. */
export class AssertionFailed extends Error {
  override readonly name: string = 'AssertionFailed';
}

/** Ends the current step with `AssertionFailed` unless `condition` holds. */
export function assert(condition: boolean, belief: string): asserts condition {
  if (!condition) throw new AssertionFailed(`bug in mx8: not true that ${belief}`);
}

/** The value, or `AssertionFailed` when it is null or undefined. */
export function must<T>(value: T | null | undefined, belief: string): T {
  if (value === null || value === undefined) {
    throw new AssertionFailed(`bug in mx8: not true that ${belief}`);
  }
  return value;
}

/** The default branch of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new AssertionFailed(`bug in mx8: value outside its type: ${JSON.stringify(value)}`);
}
