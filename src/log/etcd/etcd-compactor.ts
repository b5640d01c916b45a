/**
 * Keeps etcd from filling up with the past: it keeps every value ever written until somebody compacts,
 * and as it comes nobody does. Whoever writes much, which is the leader, does so here, up to where it was
 * half a round before, so that a watch that was away for a moment finds its place again.
 */
import { type KvOperation, KvError } from '../../ports/kv-store.ts';
import type { EventSink } from '../../ports/event-sink.ts';
import type { EtcdCaller, EtcdOptions } from './etcd-caller.ts';
import { COMPACT_AFTER_BYTES_DEFAULT } from './limits.ts';
import { etcdMethod, type EtcdMethod } from './schema.ts';

const COMPACT: EtcdMethod = etcdMethod('KV/Compact');

export class EtcdCompactor {
  readonly #caller: EtcdCaller;
  readonly #afterBytes: number;
  readonly #events: EventSink | null;
  #writtenBytes = 0;
  /** The revision at the middle of the round. */
  #upToRevision = 0;

  constructor(
    caller: EtcdCaller,
    { compactAfterBytes, events }: Pick<EtcdOptions, 'compactAfterBytes' | 'events'>,
  ) {
    this.#caller = caller;
    this.#afterBytes = compactAfterBytes ?? COMPACT_AFTER_BYTES_DEFAULT;
    this.#events = events ?? null;
  }

  wrote(operations: readonly KvOperation[], revision: number): void {
    for (const operation of operations) {
      if (operation.type === 'put') this.#writtenBytes += operation.value.length;
    }
    if (this.#upToRevision === 0 && this.#writtenBytes >= this.#afterBytes / 2) {
      this.#upToRevision = revision;
    }
    if (this.#writtenBytes < this.#afterBytes) return;
    void this.#compact(this.#upToRevision);
    this.#writtenBytes = 0;
    this.#upToRevision = 0;
  }

  async #compact(revision: number): Promise<void> {
    try {
      await this.#caller.call(COMPACT, { revision }, true);
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      // It may have been done by another, or by our own call whose answer was lost.
      if (/has been compacted/.test(error.message)) return;
      // Nothing waits for it, and the next round tries again; for ever would fill etcd.
      this.#events?.emit('warn', 'etcd_compaction_failed', { reason: error.message });
    }
  }
}
