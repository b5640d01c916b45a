/** What a loader exposes: its statistics as metrics. */
import { wireName } from '../view/wire-name.ts';
import { type LabelText, labels, MetricsText } from './metrics-text.ts';

/** What `loader.stats()` of `load()` gives. */
export interface LoaderFigures {
  readonly inflightBytes: number;
  readonly inflightBytesHighWater: number;
  readonly fetchQueueDepth: number;
  readonly decodeQueueDepth: number;
  readonly packQueueDepth: number;
  readonly deliveredBatches: number;
  readonly deliveredSamples: number;
  readonly deliveredBytes: number;
  readonly skippedSamples: number;
  readonly consumerWaitMs: number;
  readonly backpressureWaitMs: number;
  readonly rssHighWaterBytes: number;
  readonly rssCapBytes: number;
  readonly throttled: boolean;
  readonly disconnects: number;
}

const COUNTERS = [
  ['deliveredBatches', 'Batches handed to the consumer.'],
  ['deliveredSamples', 'Samples of those batches.'],
  ['deliveredBytes', 'Bytes of those samples.'],
  ['skippedSamples', 'Samples that could not be read and were left out.'],
  ['disconnects', 'How often the way to the coordinator broke.'],
] as const;

const GAUGES = [
  ['inflightBytes', 'Bytes of samples held now.'],
  ['inflightBytesHighWater', 'The most that were held.'],
  ['fetchQueueDepth', 'Batches being fetched.'],
  ['decodeQueueDepth', 'Batches being decoded.'],
  ['packQueueDepth', 'Batches ready and waiting.'],
  ['rssHighWaterBytes', 'Highest resident memory of the process.'],
  ['rssCapBytes', 'Its cap.'],
] as const;

const WAITS = [
  ['consumerWaitMs', 'consumer', 'The consumer waited for batches: reading is too slow.'],
  ['backpressureWaitMs', 'pipeline', 'The pipeline waited for the consumer: it is too slow.'],
] as const;

/**
 * The text of /metrics for loaders by a name of your own; `stats` is `() => loader.stats()`:
 *
 *     response.end(loaderMetrics({ train: () => loader.stats() }));
 */
export function loaderMetrics(loaders: Readonly<Record<string, () => LoaderFigures>>): string {
  const text = new MetricsText();
  writeLoaderMetrics(text, loaders);
  return text.toString();
}

export function writeLoaderMetrics(
  text: MetricsText,
  loaders: Readonly<Record<string, () => LoaderFigures>>,
): void {
  const all = Object.entries(loaders).map(
    ([loader, stats]): readonly [LabelText, LoaderFigures] => [labels({ loader }), stats()],
  );
  for (const [name, help] of COUNTERS) {
    text.add(
      `mx8_loader_${wireName(name)}_total`,
      'counter',
      help,
      all.map(([of, figures]) => [of, figures[name]]),
    );
  }
  for (const [name, help] of GAUGES) {
    text.add(
      `mx8_loader_${wireName(name)}`,
      'gauge',
      help,
      all.map(([of, figures]) => [of, figures[name]]),
    );
  }
  for (const [name, who, help] of WAITS) {
    text.add(
      `mx8_loader_${who}_wait_seconds_total`,
      'counter',
      help,
      all.map(([of, figures]) => [of, figures[name] / 1000]),
    );
  }
  text.add(
    'mx8_loader_throttled',
    'gauge',
    '1 while reading ahead is held back because memory is short.',
    all.map(([of, figures]) => [of, Number(figures.throttled)]),
  );
}
