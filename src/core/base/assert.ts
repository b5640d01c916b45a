/**
 * Assertions are for bugs in MX8, never for bad input (that is `Mx8Error`). They are cheap and stay
 * on in production: a process whose state is wrong must stop, so that another can take over.
 */

/** A bug in MX8: the message says which belief about the state turned out to be false. */
export class AssertionFailed extends Error {
  override readonly name: string = 'AssertionFailed';
}

/**
 * What should be true. One that names numbers is given as a function where it is asserted often: to put
 * a sample id above 2^31 into words costs more than the step around it, and nobody reads them.
 */
export type Belief = string | (() => string);

/** Ends the current step with `AssertionFailed` unless `condition` holds. */
export function assert(condition: boolean, belief: Belief): asserts condition {
  if (!condition) throw broken(belief);
}

/** The value, or `AssertionFailed` when it is null or undefined. */
export function must<T>(value: T | null | undefined, belief: Belief): T {
  if (value === null || value === undefined) throw broken(belief);
  return value;
}

function broken(belief: Belief): AssertionFailed {
  const words = typeof belief === 'string' ? belief : belief();
  return new AssertionFailed(`bug in mx8: not true that ${words}`);
}

/** The default branch of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new AssertionFailed(`bug in mx8: value outside its type: ${JSON.stringify(value)}`);
}
