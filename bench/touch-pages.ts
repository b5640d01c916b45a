const PAGE_BYTES = 4096;

/** Kept where the compiler cannot prove that nobody looks at it. */
const touched = new Uint32Array(1);

/** Reads one byte of each page, as a consumer that works on all of it must at least. */
export function touchPages(payload: Uint8Array): void {
  let sum = 0;
  for (let at = 0; at < payload.length; at += PAGE_BYTES) sum += payload[at] ?? 0;
  touched[0] = sum;
}
