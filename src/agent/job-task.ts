/** The user's job on leased samples: process() and the sink, staged piece by piece. */
import { nodeId, elapsedMs } from '../core/base/units.ts';
import type { Mx8Error } from '../core/base/errors.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { WorkOrder } from '../core/node/crew-protocol.ts';
import type { StagedPiece } from '../core/node/holder-protocol.ts';
import {
  JobBatch,
  loadJobModule,
  processBatch,
  StagedPart,
  type LoadedJob,
  type ProcessSetting,
  type QuarantinedSample,
} from '../job/index.ts';
import type { SampleBatch } from '../pipeline/index.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { OutputStore } from '../ports/output-store.ts';
import type { WorkerSettings } from './worker-messages.ts';
import type { OrderTask, WorkerTask } from './worker-task.ts';

type JobWork = Extract<WorkerSettings['work'], { type: 'job' }>;

export interface JobTaskOptions {
  readonly settings: WorkerSettings;
  readonly work: JobWork;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly out: OutputStore;
}

export async function loadJobTask(options: JobTaskOptions): Promise<WorkerTask> {
  const loaded = await loadJobModule(options.work.jobFile, { clock: options.clock });
  return {
    batchSize: loaded.job.batch,
    sinkKind: loaded.job.output.kind,
    input: loaded.job.input,
    begin: (order, signal) => new JobOrder(options, loaded, order, signal),
  };
}

class JobOrder implements OrderTask {
  readonly #options: JobTaskOptions;
  readonly #loaded: LoadedJob;
  readonly #order: WorkOrder;
  readonly #setting: ProcessSetting;
  /** Samples set aside before or while they were read; they go into the piece that covers them. */
  readonly #aside: QuarantinedSample[] = [];
  #part: StagedPart | null = null;
  #parts = 0;
  #stagedTo: number;
  #openedAtMs;

  constructor(options: JobTaskOptions, loaded: LoadedJob, order: WorkOrder, signal: AbortSignal) {
    const { settings, work, clock, events } = options;
    this.#options = options;
    this.#loaded = loaded;
    this.#order = order;
    this.#stagedTo = order.start;
    this.#openedAtMs = clock.nowMs();
    this.#setting = {
      job: loaded.job,
      modulePath: loaded.path,
      onError: work.onError,
      nodeId: nodeId(settings.nodeId),
      leaseId: order.leaseId,
      signal,
      clock,
      events,
    };
  }

  async take(batch: SampleBatch): Promise<void> {
    const part = await this.#openPart();
    await processBatch(this.#setting, new JobBatch(batch), part);
    part.countInput(batch.payload.length);
  }

  leavesOut({ sampleId, location }: SampleRecord): boolean {
    const poisoned = this.#order.poisoned.find((sample) => sample.sampleId === sampleId);
    if (poisoned === undefined) return false;
    const { code, message } = poisoned;
    this.#aside.push({ sampleId, location, code, message });
    return true;
  }

  onSampleError(record: SampleRecord, error: Mx8Error): 'fail' | 'skip' {
    const { onError, events } = this.#setting;
    if (onError === 'fail') return 'fail';
    const { sampleId, location } = record;
    const { code, message } = error;
    events.emit('error', 'sample_set_aside', { sample_id: sampleId, location, code, message });
    this.#aside.push({ sampleId, location, code, message });
    return 'skip';
  }

  get isDue(): boolean {
    const { clock, work } = this.#options;
    return (
      this.#part !== null && elapsedMs(this.#openedAtMs, clock.nowMs()) >= work.commitIntervalMs
    );
  }

  async stage(cursor: number): Promise<StagedPiece | null> {
    if (cursor <= this.#stagedTo) {
      await this.abort();
      return null;
    }
    const part = await this.#openPart();
    for (const sample of this.#aside) {
      if (sample.sampleId >= this.#stagedTo && sample.sampleId < cursor) part.quarantine(sample);
    }
    const piece = await part.finish(cursor);
    this.#part = null;
    this.#stagedTo = cursor;
    return piece;
  }

  async abort(): Promise<void> {
    const part = this.#part;
    this.#part = null;
    await part?.abort();
  }

  async #openPart(): Promise<StagedPart> {
    if (this.#part !== null) return this.#part;
    const { settings, out, clock } = this.#options;
    const { leaseId, workId } = this.#order;
    const { signal } = this.#setting;
    this.#parts += 1;
    const nonce = `${settings.nonce}-${workId}-${this.#parts}`;
    const staging = { out, leaseId, nonce, signal, modulePath: this.#loaded.path };
    this.#part = await StagedPart.open(this.#loaded.job.output, staging, this.#stagedTo);
    this.#openedAtMs = clock.nowMs();
    return this.#part;
  }
}
