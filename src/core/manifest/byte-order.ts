/** The order of the UTF-8 bytes of two texts, which JavaScript's own comparison is not. */

/**
 * UTF-16 units compare like UTF-8 bytes except that surrogates (characters above U+FFFF) come before
 * U+E000 to U+FFFF; lifting them above those mends it.
 */
export function compareUtf8(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const unitA = a.charCodeAt(index);
    const unitB = b.charCodeAt(index);
    if (unitA !== unitB) return weight(unitA) - weight(unitB);
  }
  return a.length - b.length;
}

function weight(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
