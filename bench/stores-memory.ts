/** A process of its own that reads packed samples from a store, and says on its output what memory that took. */
import { load } from '../src/index.ts';
import { peakRssBytes } from './peak-rss.ts';

export interface StoresMemorySettings {
  readonly manifest: string;
  readonly storeRoot: string;
  readonly url: string;
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly maxInflightBytes: number;
}

export interface StoresMemoryAnswer {
  readonly peakBytes: number;
  readonly inflightBytes: number;
}

if (import.meta.main) {
  const settings = JSON.parse(process.argv[2] ?? '') as StoresMemorySettings;
  const { manifest, storeRoot, url, batchSize, shuffle, maxInflightBytes } = settings;
  const loader = load(manifest, {
    ...{ batchSize, shuffle, maxInflightBytes },
    prefetchBatches: 4,
    manifestStoreRoot: storeRoot,
    stores: { s3: { endpointUrl: url, anonymous: true, forcePathStyle: true } },
  });
  for await (const batch of loader) {
    if (batch.payload.length === 0) throw new Error('an empty batch');
  }
  const { inflightBytesHighWater: inflightBytes } = loader.stats();
  const answer: StoresMemoryAnswer = { peakBytes: peakRssBytes(), inflightBytes };
  process.stdout.write(JSON.stringify(answer));
}
