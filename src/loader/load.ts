/** `load()`: puts a loader together from its options and this process's clock, chance and memory. */
import { capAboveLimit } from '../core/memory/rss-cap.ts';
import { hostname } from 'node:os';

import { nodeId } from '../core/base/units.ts';
import type { NodeStats } from '../core/job/protocol.ts';
import { readMemoryLimits } from '../platform/cgroup.ts';
import { nodeClock } from '../platform/clock.ts';
import { nodeRandom } from '../platform/random.ts';
import { processVariables } from '../platform/variables.ts';
import type { Clock } from '../ports/clock.ts';
import type { CoordinatorClient } from '../ports/coordinator-client.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { Places } from '../ports/place.ts';
import type { Random } from '../ports/random.ts';
import { openManifestStore } from '../snapshots/index.ts';
import { claimCacheFolder } from '../storage/cache/cache-folder.ts';
import { StoreTraffic } from '../storage/http/store-traffic.ts';
import { OpenPlaces } from '../storage/places.ts';
import type { OnUnanswered } from '../wire/dialer.ts';
import { GrpcCoordinatorClient } from '../wire/grpc-coordinator-client.ts';
import { saysSilence } from '../wire/no-answer.ts';
import { JobSource } from './job-source.ts';
import type { JobSourceOptions } from './job-source.ts';
import { RunningLoader } from './loader.ts';
import type { Loader, LoaderStats } from './loader.ts';
import { checkArguments } from './known-options.ts';
import { LocalSource } from './local-source.ts';
import { compileLoadOptions } from './options.ts';
import type { CompiledOptions, JobOptions, LoadOptions } from './options.ts';
import type { RecordSource } from './source.ts';
import { StreamSource } from './stream-source.ts';

/** What a loader needs of its surroundings; tests give others. */
export interface LoadSurroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly connect: (coordUrl: string, onUnanswered: OnUnanswered) => CoordinatorClient;
}

/**
 * Reads a data set in batches, inside a memory limit:
 *
 *     for await (const batch of load('data/photos', { batchSize: 64, maxInflightBytes: 2 ** 26 })) {
 *       for (let i = 0; i < batch.sampleCount; i += 1) use(batch.sample(i), batch.labelIds[i]);
 *     }
 *
 * The link is `BASE`, `BASE@refresh` or `BASE@sha256:<64 hex>`. Bad options throw at once; everything
 * else is heard of by whoever asks for the first batch. Leaving the loop in any way lets go of
 * everything.
 */
export function load(link: string, options: LoadOptions = {}): Loader {
  const clock = nodeClock();
  const random = nodeRandom();
  const connect: LoadSurroundings['connect'] = (coordUrl, onUnanswered) =>
    new GrpcCoordinatorClient({ coordUrl, clock, random, onUnanswered });
  return loadIn(link, options, { clock, random, connect });
}

export function loadIn(link: string, options: LoadOptions, surroundings: LoadSurroundings): Loader {
  checkArguments(link, options);
  const readings = readMemoryLimits();
  const compiled = compileLoadOptions(options, readings);
  // A folder that cannot be used is told of before anything is asked of a store.
  if (compiled.stores.cache !== null) claimCacheFolder(compiled.stores.cache.folder);
  const events: EventSink = options.events ?? { emit: () => undefined };
  const asked = { name: 'maxRamBytes', bytes: options.maxRamBytes ?? null };
  const tooMuch = capAboveLimit(asked, readings);
  if (tooMuch !== null) events.emit('warn', 'memory_cap_above_limit', tooMuch);
  const { clock, random } = surroundings;
  const traffic = new StoreTraffic(clock);
  const around = { clock, random, events, variables: processVariables(), traffic };
  const openPlaces = (): Places => new OpenPlaces(compiled.stores, around);
  const { job } = compiled;
  let loader: RunningLoader | null = null;
  const stats = (): LoaderStats | undefined => loader?.stats();
  const source: RecordSource =
    job === null
      ? localSource(link, compiled, events, surroundings, openPlaces)
      : jobSource(link, compiled, job, events, surroundings, {
          stats: () => nodeStats(compiled, stats()),
          stores: traffic,
          openPlaces,
        });
  const { onSampleError, signal } = options;
  loader = new RunningLoader({
    link,
    compiled,
    onSampleError,
    signal,
    source,
    clock,
    events,
    openPlaces,
  });
  return loader;
}

function localSource(
  link: string,
  compiled: CompiledOptions,
  events: EventSink,
  { clock, random }: LoadSurroundings,
  openPlaces: () => Places,
): RecordSource {
  const { manifestStoreRoot, batchSize, dropLast } = compiled;
  const store = openManifestStore(manifestStoreRoot, { clock, random, events, openPlaces });
  const { order, streaming, resume, format, columns, rowsPerSample, unpack } = compiled;
  const data = { link, resume, batchSize, dropLast, format, columns, rowsPerSample, unpack };
  const how = { ...data, store, clock, events, openPlaces };
  return streaming === null
    ? new LocalSource({ ...how, order })
    : new StreamSource({ ...how, streaming });
}

function jobSource(
  link: string,
  compiled: CompiledOptions,
  job: JobOptions,
  events: EventSink,
  { clock, random, connect }: LoadSurroundings,
  of: Pick<JobSourceOptions, 'stats' | 'stores' | 'openPlaces'>,
): RecordSource {
  const instanceId = Buffer.from(random.bytes(8)).toString('hex');
  const freshId = `loader-${hostname().slice(0, 64)}-${instanceId}`.replace(/[^\x21-\x7e]/g, '_');
  const { batchSize, maxInflightBytes, prefetchBatches, rssCap } = compiled;
  return new JobSource({
    link,
    job,
    batchSize,
    client: connect(job.coordUrl, saysSilence(events, 'this loader')),
    node: { jobId: job.jobId, nodeId: job.nodeId ?? nodeId(freshId), instanceId },
    caps: {
      maxFetchConcurrency: prefetchBatches,
      maxDecodeConcurrency: 1,
      maxInflightBytes,
      maxRamBytes: rssCap.capBytes,
    },
    clock,
    events,
    jitterSeed: Math.floor(random.fraction() * 2 ** 32),
    ...of,
  });
}

function nodeStats(compiled: CompiledOptions, stats: LoaderStats | undefined): NodeStats {
  return {
    inflightBytes: stats?.inflightBytes ?? 0,
    ramHighWaterBytes: stats?.rssHighWaterBytes ?? 0,
    fetchQueueDepth: stats?.fetchQueueDepth ?? 0,
    decodeQueueDepth: stats?.decodeQueueDepth ?? 0,
    packQueueDepth: stats?.packQueueDepth ?? 0,
    autotuneEnabled: false,
    effectivePrefetchBatches: compiled.prefetchBatches,
    effectiveMaxQueueBatches: compiled.maxQueueBatches,
    effectiveWant: compiled.job?.want ?? 0,
    autotunePressureMilli: 0,
    autotuneCooldownTicks: 0,
    batchPayloadP95OverP50Milli: 0,
    batchJitterSloBreachesTotal: 0,
  };
}
