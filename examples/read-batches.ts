/**
 * Reads a data set in batches inside a memory limit, as a training loop would, and shows what it costs:
 *
 *   node examples/read-batches.ts FOLDER [BATCH_SIZE] [EPOCH]
 *
 * FOLDER is a folder of files or a packed data set. Ctrl-C stops after the batch in hand and prints
 * the checkpoint to go on from: pass it as MX8_EXAMPLE_RESUME.
 */
import { Mx8Error, load } from 'mx8';
import type { Batch } from 'mx8';

const [folder, batchSizeText = '64', epochText = '0'] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: node examples/read-batches.ts FOLDER [BATCH_SIZE] [EPOCH]');
  process.exit(2);
}

const abort = new AbortController();
process.once('SIGINT', () => abort.abort());

/** Stands for the forward and backward pass: the mean byte of the batch, by class. */
class Model {
  readonly #sums: Map<number, { bytes: number; total: number }> = new Map();

  step(batch: Batch): void {
    for (let index = 0; index < batch.sampleCount; index += 1) {
      const sample = batch.sample(index);
      const label = batch.labelIds[index] ?? -1;
      const sum = this.#sums.get(label) ?? { bytes: 0, total: 0 };
      for (const byte of sample) sum.total += byte;
      sum.bytes += sample.length;
      this.#sums.set(label, sum);
    }
  }

  describe(classes: readonly string[]): string[] {
    return [...this.#sums].map(([label, { bytes, total }]) => {
      const name = classes[label] ?? (label === -1 ? 'no class' : `class ${label}`);
      return `  ${name}: ${bytes} bytes, mean ${(total / bytes).toFixed(2)}`;
    });
  }
}

async function train(link: string, epoch: number): Promise<void> {
  const model = new Model();
  await using loader = load(link, {
    batchSize: Number(batchSizeText),
    maxInflightBytes: 64 * 1024 ** 2,
    maxRamBytes: 1024 ** 3,
    shuffle: true,
    seed: 42n,
    epoch,
    resume: process.env['MX8_EXAMPLE_RESUME'],
  });
  const { sampleCount, manifestHash } = await loader.open();
  console.log(`epoch ${epoch}: ${sampleCount} samples of manifest ${manifestHash.slice(0, 12)}…`);
  const startMs = performance.now();
  for await (const batch of loader) {
    model.step(batch);
    if (abort.signal.aborted) break;
  }
  const seconds = (performance.now() - startMs) / 1000;
  const { deliveredSamples, deliveredBytes, consumerWaitMs, rssHighWaterBytes } = loader.stats();
  const mib = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
  console.log(
    `  ${deliveredSamples} samples, ${mib(deliveredBytes)} in ${seconds.toFixed(2)} s ` +
      `(${consumerWaitMs.toFixed(0)} ms waiting for data), peak RSS ${mib(rssHighWaterBytes)}`,
  );
  for (const line of model.describe(loader.classes)) console.log(line);
  if (abort.signal.aborted) {
    console.log(`stopped; go on with MX8_EXAMPLE_RESUME=${loader.checkpoint()}`);
  }
}

try {
  await train(folder, Number(epochText));
} catch (error) {
  if (!(error instanceof Mx8Error)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
