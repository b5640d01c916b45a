/**
 * The records of the job's manifest, from wherever they can be had. The leader is asked first. Where it
 * cannot give them, the whole manifest is taken from this machine's store or from another coordinator,
 * checked against its hash, kept in the store, and read there from then on. What nobody has is asked for
 * again with growing pauses: it may be put back, as the runbook says.
 */
import { Mx8Error, type ErrorCode } from '../core/base/errors.ts';
import { addMs, elapsedMs } from '../core/base/units.ts';
import type { JobSpec } from '../core/job/protocol.ts';
import { MANIFEST_HEADER } from '../core/manifest/encode.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { Clock } from '../ports/clock.ts';
import type { CoordinatorClient } from '../ports/coordinator-client.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { ManifestReplica } from '../ports/manifest-replica.ts';
import type { ManifestReader, ManifestStore, StampWriter } from '../ports/manifest-store.ts';
import {
  MANIFEST_COPY_SAMPLES,
  MANIFEST_WAIT_MS_MAX,
  READ_RETRY_BASE_MS,
  READ_RETRY_MAX_MS,
} from './limits.ts';

/** Where a manifest is looked for that the leader cannot give. */
export interface ManifestHealing {
  /** Also keeps what is found elsewhere. */
  readonly store: ManifestStore;
  readonly replicas: readonly ManifestReplica[];
}

export interface ManifestRecordsOptions {
  readonly client: Pick<CoordinatorClient, 'manifestRecords'>;
  /** Null: the leader alone is asked, and what it says of the manifest stands. */
  readonly healing: ManifestHealing | null;
  readonly clock: Clock;
  readonly events: EventSink;
  readonly nodeId: string;
  /** Ends the waiting, before whoever waits is taken for stuck. */
  readonly stallTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** Faults of the manifest where it is kept; another place may have it whole. */
const MENDABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'manifest_missing',
  'manifest_corrupt',
  'manifest_invalid',
  'manifest_store_failed',
]);

/** The part of the stall budget that is spent on waiting for a manifest. */
const STALL_PART = 0.5;

export class ManifestRecords {
  readonly #options: ManifestRecordsOptions;
  #local: ManifestReader | null = null;
  /** Several workers may miss the same manifest: it is looked for once. */
  #search: Promise<ManifestReader | null> | null = null;

  constructor(options: ManifestRecordsOptions) {
    this.#options = options;
  }

  /** A coordinator that is away is waited for without end, a manifest that nobody has only so long. */
  async records(spec: JobSpec, start: number, end: number): Promise<readonly SampleRecord[]> {
    const { client, clock, events, signal, nodeId } = this.#options;
    const { jobId, manifestHash } = spec;
    const sinceMs = clock.nowMs();
    for (let waitMs = READ_RETRY_BASE_MS; ; waitMs = Math.min(READ_RETRY_MAX_MS, waitMs * 2)) {
      if (this.#local !== null) return slice(this.#local, start, end, signal);
      try {
        return await client.manifestRecords(jobId, manifestHash, start, end, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof Mx8Error)) throw error;
        if (!error.retryable && !this.#mayMend(error)) throw error;
        if (await this.#found(spec, error)) continue;
        const isOver = elapsedMs(sinceMs, addMs(clock.nowMs(), waitMs)) > this.#waitMsMax;
        if (!error.retryable && isOver) throw error;
        const { code, message } = error;
        const fields = { node_id: nodeId, manifest_hash: manifestHash, code, message };
        events.emit('warn', 'manifest_wait', { ...fields, wait_ms: waitMs });
      }
      await clock.sleep(waitMs, signal);
    }
  }

  async close(): Promise<void> {
    await this.#local?.close();
    this.#local = null;
  }

  get #waitMsMax(): number {
    return Math.min(MANIFEST_WAIT_MS_MAX, this.#options.stallTimeoutMs * STALL_PART);
  }

  #mayMend({ code }: Mx8Error): boolean {
    return this.#options.healing !== null && MENDABLE.has(code);
  }

  async #found(spec: JobSpec, error: Mx8Error): Promise<boolean> {
    const { healing } = this.#options;
    if (healing === null) return false;
    // A coordinator that is away comes back; only what is on this machine already is worth a look.
    const replicas = MENDABLE.has(error.code) ? healing.replicas : [];
    this.#search ??= this.#searched(spec, { ...healing, replicas }).finally(() => {
      this.#search = null;
    });
    this.#local = (await this.#search) ?? this.#local;
    return this.#local !== null;
  }

  async #searched(spec: JobSpec, healing: ManifestHealing): Promise<ManifestReader | null> {
    const { store, replicas } = healing;
    const hash = spec.manifestHash;
    const kept = await this.#tried('the store of this machine', spec, async () =>
      (await store.has(hash)) ? store.open(hash) : null,
    );
    if (kept !== null) return kept;
    for (const replica of replicas) {
      const copied = await this.#tried(replica.name, spec, () =>
        this.#copied(replica, spec, store),
      );
      if (copied !== null) return copied;
    }
    return null;
  }

  /** Null where it is not there or not as pinned; the latter is said. */
  async #tried(
    from: string,
    { manifestHash }: JobSpec,
    open: () => Promise<ManifestReader | null>,
  ): Promise<ManifestReader | null> {
    const { events, nodeId, signal } = this.#options;
    const fields = { node_id: nodeId, manifest_hash: manifestHash, from };
    try {
      const reader = await open();
      if (reader !== null) events.emit('warn', 'manifest_healed', fields);
      return reader;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Mx8Error)) throw error;
      const { code, message } = error;
      events.emit('warn', 'manifest_refused', { ...fields, code, message });
      return null;
    }
  }

  async #copied(
    replica: ManifestReplica,
    spec: JobSpec,
    store: ManifestStore,
  ): Promise<ManifestReader> {
    const { manifestHash } = spec;
    await using stamps = await store.stampWriter();
    const { hash } = await store.put(this.#bytesOf(replica, spec, stamps));
    if (hash !== manifestHash) {
      throw new Mx8Error(
        'manifest_corrupt',
        `The manifest from ${replica.name} must hash to ${manifestHash}, but its bytes hash to ${hash}. It was not used.`,
        { manifest_hash: manifestHash, actual_hash: hash },
      );
    }
    await stamps.keep(hash);
    return await store.open(hash);
  }

  async *#bytesOf(
    replica: ManifestReplica,
    { jobId, manifestHash, sampleCount }: JobSpec,
    stamps: StampWriter,
  ): AsyncGenerator<Uint8Array> {
    yield Buffer.from(MANIFEST_HEADER);
    for (let start = 0; start < sampleCount; start += MANIFEST_COPY_SAMPLES) {
      const end = Math.min(sampleCount, start + MANIFEST_COPY_SAMPLES);
      const { signal } = this.#options;
      const slice = await replica.slice(jobId, manifestHash, start, end, signal);
      const { lines, pinnedBytes, pinnedTags } = slice;
      // When a file was last changed stays with who pinned it; that it has its size is checked here too, and
      // that an object of a store has its ETag.
      for (const [index, bytes] of pinnedBytes.entries()) {
        const tag = pinnedTags[index] ?? 0;
        const isKnown = bytes > 0 || tag > 0;
        stamps.add(isKnown ? { bytes: bytes || -1, mtimeMs: tag || -1 } : null);
      }
      yield lines;
    }
  }
}

async function slice(
  reader: ManifestReader,
  start: number,
  end: number,
  signal: AbortSignal,
): Promise<readonly SampleRecord[]> {
  const records: SampleRecord[] = [];
  for await (const chunk of reader.records(start, end, signal)) records.push(...chunk);
  return records;
}
