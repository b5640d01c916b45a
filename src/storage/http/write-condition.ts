/** What a store says, in a sentence, when the condition of a write does not hold; and what names it takes. */
import { Mx8Error } from '../../core/base/errors.ts';
import type { WriteCondition } from '../../ports/place.ts';

export function conditionError(location: string, condition: WriteCondition): Mx8Error {
  if (condition.type === 'create') {
    return new Mx8Error('object_exists', `${location} is there already.`, { location });
  }
  return new Mx8Error(
    'object_changed',
    `${location} was to be replaced, but it is not the object any more that it was when it was looked at.`,
    { location },
  );
}

/** S3 and Google count bytes; Azure counts characters, which are never more. */
const KEY_BYTES_MAX = 1024;

export function keyFault(key: string): string | null {
  if (Buffer.byteLength(key) <= KEY_BYTES_MAX) return null;
  return `with the prefix of the output it is longer than the ${KEY_BYTES_MAX} bytes of a key`;
}

/** As RFC 9110 has it, for stores that hold to ETags. */
export function conditionHeaders(condition: WriteCondition): Record<string, string> {
  switch (condition.type) {
    case 'any':
      return {};
    case 'create':
      return { 'if-none-match': '*' };
    case 'replace':
      return { 'if-match': `"${condition.etag}"` };
    default:
      return condition satisfies never;
  }
}
