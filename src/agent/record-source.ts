/** The records of a range of samples, fetched from the agent as the pipeline takes them. */
import { must } from '../core/base/assert.ts';
import { Mx8Error } from '../core/base/errors.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import { RECORDS_PER_CHUNK } from './limits.ts';
import type { WorkerChannel } from './worker-channel.ts';
import type { ToWorker } from './worker-messages.ts';

interface Waiting {
  readonly resolve: (records: readonly SampleRecord[]) => void;
  readonly reject: (error: Error) => void;
}

export class RecordSource {
  readonly #channel: WorkerChannel;
  readonly #waiting: Map<number, Waiting> = new Map<number, Waiting>();
  #nextId = 1;

  constructor(channel: WorkerChannel) {
    this.#channel = channel;
  }

  /** Takes the agent's answers. */
  onMessage(message: Extract<ToWorker, { type: 'records' | 'records_failed' }>): void {
    const waiting = this.#waiting.get(message.requestId);
    if (waiting === undefined) return;
    this.#waiting.delete(message.requestId);
    if (message.type === 'records') waiting.resolve(message.records);
    else waiting.reject(new Mx8Error(message.code, message.message));
  }

  /** Records [start, end) but those that `leavesOut` takes, in chunks; the next is asked for ahead. */
  async *records(
    start: number,
    end: number,
    leavesOut: (record: SampleRecord) => boolean,
    signal: AbortSignal,
  ): AsyncGenerator<readonly SampleRecord[], void, undefined> {
    let coming = this.#ask(start, Math.min(end, start + RECORDS_PER_CHUNK), signal);
    for (let at = start; at < end; at += RECORDS_PER_CHUNK) {
      const records = await coming;
      const next = at + RECORDS_PER_CHUNK;
      if (next < end) {
        coming = this.#ask(next, Math.min(end, next + RECORDS_PER_CHUNK), signal);
        // Whether it is awaited depends on the consumer; it must not fail unheard.
        coming.catch(() => undefined);
      }
      yield records.filter((record) => !leavesOut(record));
    }
  }

  #ask(start: number, end: number, signal: AbortSignal): Promise<readonly SampleRecord[]> {
    const requestId = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.delete(requestId);
        reject(new Mx8Error('interrupted', 'the work was stopped'));
      };
      if (signal.aborted) {
        onAbort();
        return;
      }
      signal.addEventListener('abort', onAbort, { once: true });
      const settled = (): void => signal.removeEventListener('abort', onAbort);
      this.#waiting.set(requestId, {
        resolve: (records) => {
          settled();
          const first = must(records[0], 'the agent answers with records').sampleId;
          if (first === start && records.length === end - start) resolve(records);
          else reject(new Mx8Error('internal', `asked for records ${start} to ${end}, got others`));
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      this.#channel.send({ type: 'need_records', requestId, start, end });
    });
  }
}
