/** What goes over the simulated network between clients and coordinators. */
import type { ErrorCode } from '../../../src/core/base/errors.ts';
import type { Command, CommittedPiece, Reply } from '../../../src/core/job/protocol.ts';
import type { Push } from '../../../src/ports/coordinator-client.ts';

export interface Request {
  /** Of the client's process; a repeat has the same. */
  readonly requestId: number;
  /** `pieces` asks for all committed pieces of the job, as a finalizing node does. */
  readonly ask: Command | { readonly type: 'pieces'; readonly jobId: string };
}

export type AnswerBody =
  | Exclude<Reply, { readonly type: 'refused' }>
  | { readonly type: 'refused'; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'pieces'; readonly pieces: readonly CommittedPiece[] };

export interface Answer {
  readonly requestId: number;
  readonly body: AnswerBody;
  /** Place of the coordinator that leads, as far as the one that answers knows. */
  readonly leader: number | null;
}

/** A client's end of its connections: where answers and pushes arrive. */
export interface ClientEnd {
  onAnswers(answers: readonly Answer[], from: number): void;
  onPush(push: Push): void;
}
