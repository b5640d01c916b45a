/** Which documents say the same, exactly or nearly. */
import { SIGNATURE_LENGTH, similarity } from './minhash.ts';

export interface Fingerprint {
  readonly path: string;
  readonly sha256: string;
  readonly signature: Uint32Array;
}

/**
 * Signatures that agree in all rows of a band are compared. 16 bands of 4 rows find a pair of
 * similarity 0.8 with a probability of 99.98%, and look at few pairs below 0.4.
 */
const BANDS = 16;
const BAND_ROWS = SIGNATURE_LENGTH / BANDS;
export const NEAR_SIMILARITY = 0.8;

/** Documents with equal content, two or more together. */
export function exactDuplicates<F extends Fingerprint>(all: readonly F[]): readonly F[][] {
  return [...Map.groupBy(all, (one) => one.sha256).values()].filter((group) => group.length > 1);
}

/** Clusters of documents that differ, but little; the largest first. */
export function nearDuplicates<F extends Fingerprint>(all: readonly F[]): readonly F[][] {
  const distinct = [...new Map(all.toReversed().map((one) => [one.sha256, one])).values()];
  const clusters = new Clusters(distinct.length);
  for (const candidates of bandsOf(distinct)) {
    const first = candidates[0];
    if (first === undefined) continue;
    // Comparing with the first of the bucket keeps the work linear in the size of the bucket.
    for (const other of candidates.slice(1)) {
      const a = distinct[first];
      const b = distinct[other];
      if (a === undefined || b === undefined || clusters.find(first) === clusters.find(other)) {
        continue;
      }
      if (similarity(a.signature, b.signature) >= NEAR_SIMILARITY) clusters.join(first, other);
    }
  }
  const groups = Map.groupBy(distinct.keys(), (index) => clusters.find(index));
  return [...groups.values()]
    .filter((members) => members.length > 1)
    .map((members) => members.flatMap((index) => distinct[index] ?? []))
    .sort((a, b) => b.length - a.length || compareText(a[0]?.path, b[0]?.path));
}

/** Buckets of documents that agree in some band. */
function bandsOf(all: readonly Fingerprint[]): Iterable<number[]> {
  const buckets = new Map<string, number[]>();
  all.forEach(({ signature }, index) => {
    for (let band = 0; band < BANDS; band += 1) {
      const rows = signature.subarray(band * BAND_ROWS, (band + 1) * BAND_ROWS);
      const key = `${band}:${rows.join(',')}`;
      const bucket = buckets.get(key);
      if (bucket === undefined) buckets.set(key, [index]);
      else bucket.push(index);
    }
  });
  return [...buckets.values()].filter((bucket) => bucket.length > 1);
}

/** Union-find: who is in one cluster with whom. */
class Clusters {
  readonly #parents: Int32Array;

  constructor(count: number) {
    this.#parents = Int32Array.from({ length: count }, (_, index) => index);
  }

  find(member: number): number {
    let root = member;
    while (this.#parents[root] !== root) root = this.#parents[root] ?? root;
    this.#parents[member] = root;
    return root;
  }

  join(a: number, b: number): void {
    const [low, high] = [this.find(a), this.find(b)].sort((x, y) => x - y);
    if (low !== undefined && high !== undefined) this.#parents[high] = low;
  }
}

function compareText(a = '', b = ''): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
