/**
 * Where in a streamed reading it stopped, as text: `mx8.checkpoint.2.` and JSON in base64url. Where the data were not
 * pinned yet it names what had been listed by then, by a hash: what was delivered follows from that, so a
 * prefix that has changed since is found before anything is delivered.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { isManifestHash } from '../core/base/units.ts';
import { STREAM_PREFIX, decodedAs, isCount, notACheckpoint } from './checkpoint.ts';
import type { StreamOptions } from './options.ts';

export interface StreamCheckpoint {
  /** '' while the data were not pinned. */
  readonly manifestHash: string;
  /** How many samples were listed when it was made, and the hash of what was listed of them. */
  readonly listedSamples: number;
  readonly listedHash: string;
  readonly shuffle: boolean;
  readonly seed: string;
  readonly epoch: number;
  readonly shuffleBufferSize: number;
  /** 0: nothing was listed yet that would have told it. */
  readonly blockSize: number;
  /** Samples of the order that the consumer has taken. */
  readonly position: number;
}

export function encodeStreamCheckpoint(checkpoint: StreamCheckpoint): string {
  return STREAM_PREFIX + Buffer.from(JSON.stringify(checkpoint)).toString('base64url');
}

export function decodeStreamCheckpoint(text: string): StreamCheckpoint {
  if (text.startsWith('mx8.checkpoint.1.')) {
    throw new Mx8Error(
      'checkpoint_mismatch',
      'The checkpoint is of a reading without streaming, which has another order. Resume without streaming, or start anew without the checkpoint.',
      { field: 'streaming' },
    );
  }
  const value = decodedAs(STREAM_PREFIX, text);
  if (isStreamCheckpoint(value)) return value;
  throw notACheckpoint(text, STREAM_PREFIX);
}

/** `checkpoint_mismatch` naming both sides, unless it was made in this order. */
export function checkStreamAgreement(found: StreamCheckpoint, wanted: StreamOptions): void {
  const { shuffle, seed, epoch, shuffleBufferSize } = wanted;
  checkField('shuffle', found.shuffle, shuffle);
  if (!shuffle) return;
  checkField('seed', found.seed, String(seed));
  checkField('epoch', found.epoch, epoch);
  checkField('shuffleBufferSize', found.shuffleBufferSize, shuffleBufferSize);
}

/** The size that blocks have in the data as they are. */
export function checkBlockSize(found: StreamCheckpoint, blockSize: number): void {
  if (found.shuffle && found.blockSize > 0) checkField('blockSize', found.blockSize, blockSize);
}

/** The manifest of this reading, once it is pinned. */
export function checkManifest(found: StreamCheckpoint, manifestHash: string): void {
  if (found.manifestHash !== '') checkField('the manifest', found.manifestHash, manifestHash);
}

/** What is listed now where the checkpoint had its `listedSamples`; null: it has ended before. */
export function checkListed(found: StreamCheckpoint, link: string, hash: string | null): void {
  if (hash === found.listedHash) return;
  const what =
    hash === null
      ? `had ${found.listedSamples} samples or more when the checkpoint was made, and has fewer now`
      : `has other objects now among its first ${found.listedSamples}, or some of another size or ETag, than when the checkpoint was made`;
  throw new Mx8Error(
    'checkpoint_mismatch',
    `${link} ${what}. What was delivered then cannot be told apart from the rest; start anew without the checkpoint.`,
    { field: 'listed', checkpoint: found.listedHash, reading: hash ?? '' },
  );
}

function checkField(name: string, found: unknown, wanted: unknown): void {
  if (found === wanted) return;
  throw new Mx8Error(
    'checkpoint_mismatch',
    `The checkpoint is of ${name} ${String(found)}, but this reading has ${name} ${String(wanted)}. Resume with what the checkpoint was made with, or start anew without it.`,
    { field: name, checkpoint: String(found), reading: String(wanted) },
  );
}

function isStreamCheckpoint(value: unknown): value is StreamCheckpoint {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Record<keyof StreamCheckpoint, unknown>;
  const { manifestHash, listedHash, shuffle, seed } = fields;
  const counts = [
    fields.listedSamples,
    fields.epoch,
    fields.shuffleBufferSize,
    fields.blockSize,
    fields.position,
  ];
  return (
    typeof manifestHash === 'string' &&
    (manifestHash === '' || isManifestHash(manifestHash)) &&
    typeof listedHash === 'string' &&
    isManifestHash(listedHash) &&
    typeof shuffle === 'boolean' &&
    typeof seed === 'string' &&
    /^\d{1,20}$/.test(seed) &&
    counts.every(isCount)
  );
}
