/** Streams a link and stays with its first batch, while the listing goes on: `LINK STORE ENDPOINT`. Says when it has it. */
import { load } from '../../src/index.ts';

const [link = '', manifestStoreRoot = '', endpointUrl = ''] = process.argv.slice(2);
const loader = load(link, {
  ...{ streaming: true, batchSize: 8, shuffle: true, seed: 7, shuffleBufferSize: 50 },
  ...{ manifestStoreRoot, stores: { s3: { endpointUrl, anonymous: true } } },
});
let batches = 0;
for await (const batch of loader) {
  batches += Number(batch.sampleCount > 0);
  process.send?.(batches);
  await new Promise((resolve) => process.once('disconnect', resolve));
  break;
}
