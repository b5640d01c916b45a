/**
 * A `CoordinatorClient` for code in the coordinator's own process: `mx8 run`, tests. It passes the same
 * commands to the same writer as the gRPC service does.
 */
import type { JobId, ManifestHash } from '../core/base/units.ts';
import type { Command, CommittedPiece, JobSnapshot, Reply } from '../core/job/protocol.ts';
import type { SampleRecord } from '../core/manifest/record.ts';
import type { Clock } from '../ports/clock.ts';
import type { CoordinatorView, Push } from '../ports/coordinator-client.ts';
import type { CoordinatorBackend } from '../wire/backend.ts';
import { CommandClient } from '../wire/command-client.ts';
import { listJobs } from '../wire/list-jobs.ts';

type Registration = Extract<Command, { readonly type: 'register' }>;

export class LocalClient extends CommandClient {
  readonly #backend: CoordinatorBackend;
  /** By job and node: ends the pushes to it. */
  readonly #subscriptions: Map<string, () => void> = new Map<string, () => void>();

  constructor(backend: CoordinatorBackend, clock: Clock) {
    super(clock);
    this.#backend = backend;
  }

  async manifestRecords(
    jobId: JobId,
    hash: ManifestHash,
    start: number,
    end: number,
    signal?: AbortSignal,
  ): Promise<readonly SampleRecord[]> {
    const reader = await this.#backend.manifest(jobId, hash);
    const records: SampleRecord[] = [];
    for await (const chunk of reader.records(start, end, signal)) {
      for (const record of chunk) records.push(record);
    }
    return records;
  }

  committedPieces(jobId: JobId): AsyncIterable<readonly CommittedPiece[]> {
    return this.#backend.committedPieces(jobId);
  }

  listJobs(): Promise<readonly JobSnapshot[]> {
    return listJobs(this.#backend);
  }

  coordinator(): Promise<CoordinatorView> {
    return this.#backend.coordinator();
  }

  async close(): Promise<void> {
    for (const unsubscribe of this.#subscriptions.values()) unsubscribe();
    this.#subscriptions.clear();
  }

  protected ask(command: Command, signal?: AbortSignal): Promise<Reply> {
    signal?.throwIfAborted();
    if (command.type === 'register') this.#listenFor(command);
    return this.#backend.submit(command);
  }

  #listenFor({ jobId, nodeId }: Registration): void {
    const key = `${jobId} ${nodeId}`;
    if (this.#subscriptions.has(key)) return;
    const tell = (push: Push): void => this.push(push);
    this.#subscriptions.set(key, this.#backend.subscribe(jobId, nodeId, tell));
  }
}
