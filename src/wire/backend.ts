/** What the gRPC services need of the coordinator behind them, in our own types. */
import type { Mx8Error } from '../core/base/errors.ts';
import type { JobId, ManifestHash, MonoMs, NodeId } from '../core/base/units.ts';
import type { JobState } from '../core/job/job-state.ts';
import type { Command, CommittedPiece, JobSpec, Reply } from '../core/job/protocol.ts';
import type { CoordinatorView, Push } from '../ports/coordinator-client.ts';
import type { ManifestReader } from '../ports/manifest-store.ts';
import type { RpcMeter } from '../ports/rpc-meter.ts';

export type ReadCommand = Extract<Command, { readonly type: 'get_snapshot' | 'get_checkpoint' }>;

export interface CoordinatorBackend {
  readonly meter: RpcMeter;
  /** Answered by a standby too. */
  coordinator(): Promise<CoordinatorView>;
  /**
   * The reply, once everything that it was decided on is durable; rejects with `Mx8Error`, `not_leader`
   * (its details name the leader where that is known) on a coordinator that does not lead.
   */
  submit(command: Command): Promise<Reply>;
  /** The same for a command that only reads; a standby answers from what it has read of the log. */
  read(command: ReadCommand): Promise<Reply>;
  /** What `see` makes of the job, when and where `read` would answer. It changes nothing and keeps nothing of it. */
  look<T>(jobId: JobId, see: (job: JobState, nowMs: MonoMs) => T): Promise<T>;
  /** Tells `listener` what the node is told unasked, until the returned function is called. */
  subscribe(jobId: JobId, nodeId: NodeId, listener: (push: Push) => void): () => void;
  /** Of the coordinator that leads; rejects like `submit`. */
  jobIds(): Promise<readonly JobId[]>;
  /** Null when there is no such job. */
  jobSpec(jobId: JobId): JobSpec | null;
  /** The manifest of the job, which must have that hash. It stays open: do not close it. */
  manifest(jobId: JobId, hash: ManifestHash): Promise<ManifestReader>;
  /** Every committed piece in order of start, in chunks of bounded size. */
  committedPieces(jobId: JobId): AsyncIterable<readonly CommittedPiece[]>;
  nowUnixMs(): number;
  /** A bug that a call ran into; its caller has been told, in general terms. */
  onInternalError(error: Mx8Error): void;
}
