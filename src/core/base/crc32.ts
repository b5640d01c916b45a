/**
 * Four tables of 256 entries: entry `i` of table `n` is what byte `i` does to the checksum with `n` more bytes
 * after it, so that four bytes take one step.
 */
const TABLES: Uint32Array = new Uint32Array(4 * 256);
for (let index = 0; index < 256; index += 1) {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  TABLES[index] = value;
}
for (let index = 256; index < TABLES.length; index += 1) {
  const value = TABLES[index - 256] ?? 0;
  TABLES[index] = (value >>> 8) ^ (TABLES[value & 0xff] ?? 0);
}

/** CRC-32 with the reflected polynomial of IEEE 802.3, of what `before` is the checksum of, then `bytes`. */
export function crc32(bytes: ArrayLike<number>, before = 0): number {
  const { length } = bytes;
  let crc = ~before;
  let at = 0;
  for (const last = length - 3; at < last; at += 4) {
    crc ^=
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24);
    crc =
      (TABLES[0x300 | (crc & 0xff)] ?? 0) ^
      (TABLES[0x200 | ((crc >>> 8) & 0xff)] ?? 0) ^
      (TABLES[0x100 | ((crc >>> 16) & 0xff)] ?? 0) ^
      (TABLES[crc >>> 24] ?? 0);
  }
  for (; at < length; at += 1) {
    crc = (crc >>> 8) ^ (TABLES[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  }
  return ~crc >>> 0;
}

/** The same, of text; the bytes of ASCII are its characters. */
export function crc32OfText(text: string, before = 0): number {
  let crc = ~before;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code > 0x7f) return crc32(new TextEncoder().encode(text), before);
    crc = (crc >>> 8) ^ (TABLES[(crc ^ code) & 0xff] ?? 0);
  }
  return ~crc >>> 0;
}
