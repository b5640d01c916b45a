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
  /** By job: `lease:start-end` of what was staged. */
  readonly #staged: Map<string, Set<string>> = new Map<string, Set<string>>();
  /** By job, then first sample: what is visible. */
  readonly #visible: Map<string, Map<number, Visible>> = new Map<string, Map<number, Visible>>();

  constructor(world: World, truth: Truth) {
    this.#world = world;
    this.#truth = truth;
  }

  stage(job: string, node: string, piece: StagedPiece): void {
    let staged = this.#staged.get(job);
    if (staged === undefined) {
      staged = new Set<string>();
      this.#staged.set(job, staged);
    }
    staged.add(keyOf(piece));
    this.#world.say(() => `${node} stages ${keyOf(piece)}`);
  }

  /** A node was told that its piece is committed. */
  publish(job: string, piece: StagedPiece): void {
    this.#show(job, piece);
  }

  /** The finalizing node publishes what is left, by the coordinator's list. */
  finalize(job: string, pieces: readonly CommittedPiece[]): void {
    for (const piece of pieces) this.#show(job, piece);
    let at = 0;
    for (const { start, end } of pieces) {
      if (start !== at) this.#fail(`job ${job}: the list of outputs goes from ${at} to ${start}`);
      at = end;
    }
    const total = this.#truth.jobs.get(job)?.spec.sampleCount ?? 0;
    if (at !== total) this.#fail(`job ${job}: the list of outputs ends at ${at} of ${total}`);
  }

  /** At the end: exactly one visible output for every sample. */
  checkEnd(): void {
    for (const [job, twin] of this.#truth.jobs) {
      if (!twin.spec.commitsOutputs || twin.phase !== 'completed') continue;
      const visible = [...(this.#visible.get(job)?.values() ?? [])];
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

  #show(job: string, piece: CommittedPiece): void {
    const key = keyOf(piece);
    if (this.#staged.get(job)?.has(key) !== true) {
      this.#fail(`${key} is published and was never staged`);
    }
    if (this.#truth.jobs.get(job)?.pieces.has(key) !== true) {
      this.#fail(`${key} is published and is not committed`);
    }
    let visible = this.#visible.get(job);
    if (visible === undefined) {
      visible = new Map<number, Visible>();
      this.#visible.set(job, visible);
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

function keyOf({ leaseId, start, end }: Pick<CommittedPiece, 'leaseId' | 'start' | 'end'>): string {
  return `${leaseId}:${start}-${end}`;
}
