/** A process of its own that reads a data set of a table once, and says on its output what memory that took. */
import { load } from '../src/index.ts';
import { peakRssBytes } from './peak-rss.ts';

export interface MemorySettings {
  readonly link: string;
  readonly storeRoot: string;
  readonly columns: readonly string[];
  /** null: rows. */
  readonly rowsPerSample: number | null;
  readonly maxInflightBytes: number;
}

export interface MemoryAnswer {
  /** Most resident memory until the end, as the kernel counts it. */
  readonly peakBytes: number;
  readonly inflightBytes: number;
}

if (import.meta.main) {
  const settings = JSON.parse(process.argv[2] ?? '') as MemorySettings;
  const { link, storeRoot, columns, rowsPerSample, maxInflightBytes } = settings;
  const loader = load(link, {
    columns,
    ...(rowsPerSample === null ? {} : { rowsPerSample }),
    batchSize: rowsPerSample === null ? 512 : 4,
    maxInflightBytes,
    manifestStoreRoot: storeRoot,
  });
  for await (const batch of loader) {
    for (let at = 0; at < batch.sampleCount; at += 1) {
      const seen = rowsPerSample === null ? batch.row(at) : batch.columns(at).rows;
      if (seen === 0) throw new Error('a sample without rows');
    }
  }
  const answer: MemoryAnswer = {
    peakBytes: peakRssBytes(),
    inflightBytes: loader.stats().inflightBytesHighWater,
  };
  process.stdout.write(JSON.stringify(answer));
}
