/**
 * Carries out one order in a worker: reads the samples through the pipeline, gives the batches to the
 * task, stages in time and tells the agent each step. One order at a time.
 */
import { Mx8Error } from '../core/base/errors.ts';
import type { WorkOrder } from '../core/node/crew-protocol.ts';
import {
  createReader,
  openPipeline,
  type Pipeline,
  type PipelineOptions,
  type SampleBatch,
} from '../pipeline/index.ts';
import type { Clock } from '../ports/clock.ts';
import type { MemoryGate } from '../ports/memory-gate.ts';
import type { Places } from '../ports/place.ts';
import { CLEAR_UP_MS_MAX } from './limits.ts';
import type { RecordSource } from './record-source.ts';
import { segmentsOf, type Segment } from './segments.ts';
import type { RunningStage, Stage, StageTimer } from './stage-timer.ts';
import type { WorkerChannel } from './worker-channel.ts';
import type { WorkerCaps, WorkerStats } from './worker-messages.ts';
import type { OrderTask, WorkerTask } from './worker-task.ts';

export interface OrderRunnerOptions {
  /** What holds now: how far to read ahead for the next batch, the bytes in flight for the next segment. */
  readonly caps: () => WorkerCaps;
  readonly task: WorkerTask;
  readonly channel: WorkerChannel;
  readonly source: RecordSource;
  readonly clock: Clock;
  readonly gate: MemoryGate | null;
  readonly timer: StageTimer;
  readonly openPlaces: () => Places;
}

interface Current {
  readonly order: WorkOrder;
  /** Ends process() and everything else: the lease is gone. */
  readonly drop: AbortController;
  /** Ends the reading only: the batch in hand is finished and staged. */
  readonly flush: AbortController;
  cursor: number;
}

type PipelineFigures = Omit<WorkerStats, 'rssHighWaterBytes'>;

export class OrderRunner {
  readonly #options: OrderRunnerOptions;
  readonly #reader: NonNullable<PipelineOptions['reader']>;
  #current: Current | null = null;
  #pipeline: Pipeline | null = null;

  constructor(options: OrderRunnerOptions) {
    this.#options = options;
    const { caps, openPlaces } = options;
    this.#reader = createReader(caps().prefetchBatches, undefined, openPlaces);
  }

  figures(): PipelineFigures {
    const stats = this.#pipeline?.stats();
    return {
      inflightBytes: stats?.inflightBytes ?? 0,
      fetchQueueDepth: stats?.fetchQueueDepth ?? 0,
      decodeQueueDepth: stats?.decodeQueueDepth ?? 0,
      packQueueDepth: stats?.packQueueDepth ?? 0,
    };
  }

  stop(workId: number, flush: boolean): void {
    const current = this.#current;
    if (current?.order.workId !== workId) return;
    const reason = new Mx8Error('interrupted', 'the work was stopped');
    if (!flush) current.drop.abort(reason);
    current.flush.abort(reason);
  }

  async run(order: WorkOrder): Promise<void> {
    const { channel, task } = this.#options;
    const drop = new AbortController();
    const current = { order, drop, flush: new AbortController(), cursor: order.start };
    this.#current = current;
    const work = task.begin(order, drop.signal);
    let failed: ReturnType<typeof failure> | null = null;
    try {
      for (const segment of segmentsOf(order, task.batchSize)) {
        await this.#runSegment(current, segment, work);
        if (current.flush.signal.aborted) break;
      }
      if (!drop.signal.aborted) await this.#stage(current, work);
    } catch (error) {
      if (!drop.signal.aborted) failed = failure(order.workId, error);
    } finally {
      const cleared = this.#discard(work);
      if (failed !== null) {
        await this.#clearedOrLate(cleared);
        channel.send(failed);
      }
      await cleared;
      this.#current = null;
      channel.send({ type: 'work_done', workId: order.workId });
    }
  }

  async #runSegment(current: Current, segment: Segment, work: OrderTask): Promise<void> {
    const pipeline = this.#open(current, segment, work);
    this.#pipeline = pipeline;
    let reading = this.#begin('read', current);
    try {
      for await (const batch of pipeline) {
        using held = batch;
        await this.#take(current, held, work, reading.end());
        if (segment.stageEach || work.isDue) await this.#stage(current, work);
        if (current.flush.signal.aborted) return;
        reading = this.#begin('read', current);
      }
      // Whatever the segment's last samples were, set aside or taken, they are done with.
      current.cursor = segment.end;
    } catch (error) {
      // Reading was cut short on purpose; what was taken before is staged by the caller.
      if (!current.flush.signal.aborted || current.drop.signal.aborted) throw error;
    } finally {
      reading.end();
      await pipeline.close();
      this.#pipeline = null;
    }
  }

  #open(current: Current, segment: Segment, work: OrderTask): Pipeline {
    const { caps, source, clock, gate } = this.#options;
    const { signal } = current.flush;
    return openPipeline({
      records: source.records(
        segment.start,
        segment.end,
        (record) => work.leavesOut(record),
        signal,
      ),
      batchSize: segment.batchSize,
      ...caps(),
      aheadNow: caps,
      onSampleError: (record, error) => work.onSampleError(record, error),
      signal,
      clock,
      reader: this.#reader,
      ...(gate === null ? {} : { gate }),
    });
  }

  async #take(
    current: Current,
    batch: SampleBatch,
    work: OrderTask,
    readUs: number,
  ): Promise<void> {
    const first = batch.sampleIds[0];
    const last = batch.sampleIds.at(-1);
    if (first === undefined || last === undefined) return;
    const { channel } = this.#options;
    const { workId } = current.order;
    const { sampleCount: samples } = batch;
    const bytes = batch.payload.length;
    // Surely, so that the agent knows what was in hand should process() take the whole process along.
    await channel.sendSurely({ type: 'batch_begun', workId, start: first, end: last + 1 });
    const { us: processUs } = await this.#timed('process', current, () => work.take(batch));
    if (current.drop.signal.aborted) return;
    const cursor = last + 1;
    current.cursor = cursor;
    channel.send({ type: 'batch_done', workId, cursor, samples, bytes, readUs, processUs });
  }

  async #stage(current: Current, work: OrderTask): Promise<void> {
    const { cursor, order } = current;
    const staged = await this.#timed('stage', current, () => work.stage(cursor));
    if (staged.value === null) return;
    const { workId } = order;
    const { value: piece, us: stageUs } = staged;
    this.#options.channel.send({ type: 'piece_staged', workId, piece, stageUs });
  }

  #begin(stage: Stage, { order }: Current): RunningStage {
    return this.#options.timer.begin(stage, order.leaseId);
  }

  /** What `body` gave, and the microseconds it took. */
  async #timed<T>(
    stage: Stage,
    current: Current,
    body: () => Promise<T>,
  ): Promise<{ readonly value: T; readonly us: number }> {
    const running = this.#begin(stage, current);
    try {
      return { value: await body(), us: running.end() };
    } catch (error) {
      running.end(error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  /** The agent that hears of a failure may end at once, and this process with it: drafts are removed before. */
  async #clearedOrLate(cleared: Promise<void>): Promise<void> {
    const late = Promise.withResolvers<undefined>();
    const timer = this.#options.clock.setTimer(CLEAR_UP_MS_MAX, () => late.resolve(undefined));
    await Promise.race([cleared, late.promise]);
    timer.clear();
  }

  /** Clearing up may fail where writing has failed; the first error has been told. */
  async #discard(work: OrderTask): Promise<void> {
    try {
      await work.abort();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#options.channel.emit('warn', 'staging_left_behind', { message });
    }
  }
}

function failure(workId: number, error: unknown): Parameters<WorkerChannel['send']>[0] {
  if (error instanceof Mx8Error) {
    return { type: 'failed', workId, code: error.code, message: error.message };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { type: 'failed', workId, code: 'internal', message };
}
