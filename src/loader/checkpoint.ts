/**
 * Where in an order of a data set a reading stopped, as text that a program may keep anywhere:
 * `mx8.checkpoint.1.` and JSON in base64url. It names everything that the position depends on, so that
 * it is never taken for a position in other data or another order.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { isManifestHash } from '../core/base/units.ts';
import type { OrderOptions } from './options.ts';

const PREFIX = 'mx8.checkpoint.1.';
/** Of readings with `streaming`, whose order is another: see `stream-checkpoint.ts`. */
export const STREAM_PREFIX = 'mx8.checkpoint.2.';

export interface Checkpoint {
  /** '' when it was made before the data were looked at; then the position is 0. */
  readonly manifestHash: string;
  readonly shuffle: boolean;
  readonly seed: string;
  readonly epoch: number;
  readonly blockSize: number;
  readonly start: number;
  readonly end: number | null;
  /** Whose share of the order it is. Absent in checkpoints of older versions: 0 of 1. */
  readonly rank: number;
  readonly worldSize: number;
  /** Samples of that share that the consumer has taken. */
  readonly position: number;
}

export function checkpointOf(
  manifestHash: string,
  order: OrderOptions,
  position: number,
): Checkpoint {
  return { manifestHash, ...order, seed: String(order.seed), position };
}

export function encodeCheckpoint(checkpoint: Checkpoint): string {
  return PREFIX + Buffer.from(JSON.stringify(checkpoint)).toString('base64url');
}

export function decodeCheckpoint(text: string): Checkpoint {
  if (text.startsWith(STREAM_PREFIX)) {
    throw new Mx8Error(
      'checkpoint_mismatch',
      'The checkpoint is of a reading with streaming, which has another order. Resume with streaming: true, or start anew without the checkpoint.',
      { field: 'streaming' },
    );
  }
  const value = decodedAs(PREFIX, text);
  const whole = typeof value === 'object' ? { rank: 0, worldSize: 1, ...value } : value;
  if (isCheckpoint(whole)) return whole;
  throw notACheckpoint(text, PREFIX);
}

export function notACheckpoint(text: string, prefix: string): Mx8Error {
  return new Mx8Error(
    'checkpoint_invalid',
    `What was given as resume is no checkpoint of a loader: expected text that begins with ${prefix} as loader.checkpoint() gave it, not ${JSON.stringify(text.slice(0, 40))}.`,
  );
}

/** What is behind the prefix; null where it is another, or nothing that can be read. */
export function decodedAs(prefix: string, text: string): unknown {
  if (!text.startsWith(prefix)) return null;
  try {
    return JSON.parse(Buffer.from(text.slice(prefix.length), 'base64url').toString());
  } catch {
    return null;
  }
}

/** `checkpoint_mismatch` naming both sides, unless the checkpoint is of this data in this order. */
export function checkAgreement(found: Checkpoint, wanted: Checkpoint): void {
  const names = ['manifestHash', 'seed', 'epoch', 'shuffle', 'blockSize', 'start', 'end'] as const;
  for (const name of [...names, 'worldSize', 'rank'] as const) {
    if (found[name] === wanted[name]) continue;
    if (name === 'manifestHash' && found.manifestHash === '') continue;
    if (name === 'blockSize' && !found.shuffle) continue;
    throw new Mx8Error(
      'checkpoint_mismatch',
      `The checkpoint is of ${LABELS[name]} ${String(found[name])}, but this reading has ${LABELS[name]} ${String(wanted[name])}. Resume with what the checkpoint was made with, or start anew without it.`,
      { field: name, checkpoint: String(found[name]), reading: String(wanted[name]) },
    );
  }
}

const LABELS = {
  manifestHash: 'the manifest',
  seed: 'seed',
  epoch: 'epoch',
  shuffle: 'shuffle',
  blockSize: 'blockSize',
  start: 'start',
  end: 'end',
  worldSize: 'worldSize',
  rank: 'rank',
} as const;

function isCheckpoint(value: unknown): value is Checkpoint {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Record<keyof Checkpoint, unknown>;
  const { manifestHash, shuffle, seed, end } = fields;
  const counts = [fields.epoch, fields.blockSize, fields.start, fields.position];
  counts.push(fields.rank, fields.worldSize);
  return (
    typeof manifestHash === 'string' &&
    (manifestHash === '' || isManifestHash(manifestHash)) &&
    typeof shuffle === 'boolean' &&
    typeof seed === 'string' &&
    /^\d{1,20}$/.test(seed) &&
    counts.every(isCount) &&
    (end === null || isCount(end))
  );
}

export function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
