/** The place outputs lie: staged under a lease's token, published once they are committed. */
import type { CommittedPiece } from '../../../src/core/job/protocol.ts';
import type { StagedPiece } from '../../../src/core/node/holder-protocol.ts';
import type { World } from '../world/world.ts';
import type { Truth } from './truth.ts';

interface Visible {
  readonly start: number;
  readonly end: number;
  readonly key: string;
}

export class Outputs {
  readonly #world: World;
  readonly #truth: Truth;
  /** By token of a job: `lease:start-end` of what was staged. */
  readonly #staged: Map<string, Set<string>> = new Map<string, Set<string>>();
  /** By token of a job, then first sample: what is visible. */
  readonly #visible: Map<string, Map<number, Visible>> = new Map<string, Map<number, Visible>>();
  /** Tokens of jobs whose list of outputs is written. */
  readonly #finished: Set<string> = new Set<string>();

  constructor(world: World, truth: Truth) {
    this.#world = world;
    this.#truth = truth;
  }

  /** What was staged before the world began, by its keys. */
  recall(token: string, staged: ReadonlySet<string>): void {
    this.#staged.set(token, new Set(staged));
  }

  stage(token: string, node: string, piece: StagedPiece): void {
    let staged = this.#staged.get(token);
    if (staged === undefined) {
      staged = new Set<string>();
      this.#staged.set(token, staged);
    }
    staged.add(keyOf(piece));
    this.#world.say(() => `${node} stages ${keyOf(piece)}`);
  }

  /** A node was told that its piece is committed. */
  publish(job: string, token: string, piece: StagedPiece): void {
    this.#show(job, token, piece);
  }

  /** Whoever comes to publish finds it done. */
  isFinished(token: string): boolean {
    return this.#finished.has(token);
  }

  /** The finalizing node publishes what is left, by the coordinator's list. */
  finalize(job: string, token: string, pieces: readonly CommittedPiece[]): void {
    this.#finished.add(token);
    for (const piece of pieces) this.#show(job, token, piece);
    let at = 0;
    for (const { start, end } of pieces) {
      if (start !== at) this.#fail(`job ${job}: the list of outputs goes from ${at} to ${start}`);
      at = end;
    }
    const total = this.#truth.ofToken(job, token)?.spec.sampleCount ?? 0;
    if (at !== total) this.#fail(`job ${job}: the list of outputs ends at ${at} of ${total}`);
  }

  /** At the end: exactly one visible output for every sample. */
  checkEnd(): void {
    for (const twin of [...this.#truth.past, ...this.#truth.jobs.values()]) {
      if (!twin.spec.commitsOutputs || twin.phase !== 'completed') continue;
      const job = `${twin.spec.jobId} ${twin.token}`;
      const visible = [...(this.#visible.get(twin.token)?.values() ?? [])];
      visible.sort((a, b) => a.start - b.start);
      let at = 0;
      for (const { start, end } of visible) {
        if (start !== at)
          this.#fail(`job ${job}: outputs of ${Math.min(at, start)} twice or never`);
        at = end;
      }
      if (at !== twin.spec.sampleCount) this.#fail(`job ${job}: outputs end at ${at}`);
    }
  }

  #show(job: string, token: string, piece: CommittedPiece): void {
    const key = keyOf(piece);
    if (this.#staged.get(token)?.has(key) !== true) {
      this.#fail(`${key} is published and was never staged`);
    }
    if (this.#truth.ofToken(job, token)?.pieces.has(key) !== true) {
      this.#fail(`${key} is published and is not committed`);
    }
    let visible = this.#visible.get(token);
    if (visible === undefined) {
      visible = new Map<number, Visible>();
      this.#visible.set(token, visible);
    }
    const other = visible.get(piece.start);
    if (other?.key === key) return;
    if (other !== undefined) this.#fail(`${key} hides ${other.key}`);
    visible.set(piece.start, { start: piece.start, end: piece.end, key });
  }

  #fail(message: string): void {
    this.#world.fail('one output per sample', message);
  }
}

export function keyOf({
  leaseId,
  start,
  end,
}: Pick<CommittedPiece, 'leaseId' | 'start' | 'end'>): string {
  return `${leaseId}:${start}-${end}`;
}
