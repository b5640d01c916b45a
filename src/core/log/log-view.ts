/**
 * The four small keys that say where the log stands, read together in one transaction. Each value is
 * text that a person can read: `mx8log/VERSION CRC {json}`, the checksum being of key and json.
 */
import { crc32, crc32OfText } from '../base/crc32.ts';
import { damaged, newerFormat } from './damage.ts';
import { EPOCH_KEY, SNAPSHOT_KEY, TAIL_KEY, TRIM_KEY } from './keys.ts';
import type { StoredPair, StoreOperation } from './store-protocol.ts';

/** Version of these values that this code writes; it reads all from 1 to this. */
export const VIEW_VERSION = 1;

export interface EpochMark {
  /** 0: nobody ever claimed. */
  readonly epoch: number;
  readonly holder: string;
  /** Of the claim that was made: two claims of one epoch by one identity differ in it. */
  readonly nonce: string;
  readonly claimSeq: number;
}

export interface SnapshotMark {
  /** 0: there is no snapshot. */
  readonly seq: number;
  readonly nonce: string;
  readonly parts: number;
  readonly bytes: number;
  readonly crc: number;
}

/** A mark with the revision at which it was written; 0 when it never was. */
export type Marked<Mark> = Mark & { readonly revision: number };

export interface LogView {
  readonly epoch: Marked<EpochMark>;
  readonly tail: Marked<{ readonly seq: number }>;
  readonly trim: Marked<{ readonly seq: number }>;
  readonly snapshot: Marked<SnapshotMark>;
}

/** The gets that `viewOf` reads, which stand first among those of their branch. */
export const LOOK: readonly StoreOperation[] = [EPOCH_KEY, TAIL_KEY, TRIM_KEY, SNAPSHOT_KEY].map(
  (key) => ({ type: 'get', key }),
);

const NO_EPOCH: EpochMark = { epoch: 0, holder: '', nonce: '', claimSeq: 0 };
const NO_SEQ: { readonly seq: number } = { seq: 0 };
const NO_SNAPSHOT: SnapshotMark = { seq: 0, nonce: '', parts: 0, bytes: 0, crc: 0 };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeMark(key: string, mark: object): Uint8Array {
  const json = JSON.stringify(mark);
  const crc = asHex(crc32OfText(json, crc32OfText(`${key} `)));
  return encoder.encode(`mx8log/${VIEW_VERSION} ${crc} ${json}`);
}

export function viewOf(found: readonly (readonly StoredPair[])[]): LogView {
  return {
    epoch: decodeMark(found[0]?.[0], NO_EPOCH),
    tail: decodeMark(found[1]?.[0], NO_SEQ),
    trim: decodeMark(found[2]?.[0], NO_SEQ),
    snapshot: decodeMark(found[3]?.[0], NO_SNAPSHOT),
  };
}

/** By key: the value that was decoded last, and what it says. Most of them are read far more often than written. */
const lastDecoded = new Map<
  string,
  { readonly value: Uint8Array; readonly mark: Marked<object> }
>();

/** What `pair` holds, shaped like `absent`, which stands for a pair that is not there. */
export function decodeMark<Mark extends object>(
  pair: StoredPair | undefined,
  absent: Mark,
): Marked<Mark> {
  if (pair === undefined) return { ...absent, revision: 0 };
  const last = lastDecoded.get(pair.key);
  const isKnown = last !== undefined && isSameBytes(last.value, pair.value);
  if (isKnown && last.mark.revision === pair.modRevision) return last.mark as Marked<Mark>;
  const said = (isKnown ? last.mark : markIn(pair)) as Mark;
  const mark = { ...said, revision: pair.modRevision };
  lastDecoded.set(pair.key, { value: pair.value, mark });
  return mark;
}

function markIn(pair: StoredPair): unknown {
  const place = `the key "${pair.key}"`;
  const text = decoder.decode(pair.value);
  const head = /^mx8log\/([1-9]\d*) ([0-9a-f]{8}) /.exec(text);
  if (head === null) throw damaged(place, 'holds something else');
  const [{ length }, version, crc] = head;
  if (Number(version) > VIEW_VERSION) throw newerFormat(place, Number(version), VIEW_VERSION);
  if (crc !== asHex(crc32(pair.value.subarray(length), crc32OfText(`${pair.key} `)))) {
    throw damaged(place, 'does not match its checksum');
  }
  return JSON.parse(text.slice(length));
}

function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) return false;
  return true;
}

function asHex(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}
