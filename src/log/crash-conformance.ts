/**
 * A history of two coordinators on one log, for crash points: whatever happens to one of its store
 * calls, afterwards what was answered is there, what was not is there whole or not at all, what was told
 * as failed is not, nothing is answered in a closed slot, and the next coordinator goes on.
 */
import assert from 'node:assert/strict';
import { Mx8Error } from '../core/base/errors.ts';
import type { AppendResult, LoadedLog, LogStore } from '../ports/log-store.ts';

/** What the coordinators of a history were told, in order of the log. */
export class Told {
  /** Texts of entries 1, 2, …: in the log for ever. */
  readonly answered: string[] = [];
  /** Not answered yet: the next in the log, or nowhere. */
  waiting: string | null = null;
  /** Never in the log. */
  readonly failed: string[] = [];
  /** Slots up to this one are closed. */
  trimmedSeq = 0;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Larger than what a slot of a key-value store holds. */
const LARGE_BYTES = 300_000;

function bytesOf(text: string): Uint8Array {
  return text.startsWith('large')
    ? new Uint8Array(LARGE_BYTES).fill(text.length)
    : encoder.encode(text);
}

function textOf(epoch: number, payload: Uint8Array): string {
  const text = payload.length < LARGE_BYTES ? decoder.decode(payload) : `large${payload.length}`;
  return `${epoch}:${text}`;
}

/** A coordinator that does as the writer does, and notes what it is told. */
class Coordinator {
  readonly #log: LogStore;
  readonly #told: Told;
  readonly #afterStep: () => void;
  #epoch = 0;
  #seq = 0;

  constructor(log: LogStore, told: Told, afterStep: () => void) {
    this.#log = log;
    this.#told = told;
    this.#afterStep = afterStep;
  }

  async claim(who: string): Promise<void> {
    const loaded = await this.#log.load();
    assert.deepEqual(await textsOf(loaded), this.#told.answered, 'what a new coordinator loads');
    this.#told.waiting = `${loaded.epoch + 1}:`;
    const claim = await this.#log.claim(loaded.tailSeq, loaded.epoch + 1, who);
    assert(claim.type === 'won', 'nobody else claims');
    this.#epoch = claim.epoch;
    this.#seq = claim.tailSeq;
    this.#answered();
  }

  async append(text: string): Promise<void> {
    const payload = bytesOf(text);
    this.#told.waiting = textOf(this.#epoch, payload);
    const nonce = `${this.#epoch}/${this.#seq + 1}`;
    const result = await this.#log.append(this.#seq + 1, this.#epoch, payload, nonce);
    assert.deepEqual(result, { type: 'ok' }, `the append of ${text}`);
    this.#seq += 1;
    this.#answered();
  }

  /** By one that was overtaken: answered "ok" by nobody. */
  async appendTooLate(text: string): Promise<void> {
    const payload = bytesOf(text);
    const result = await this.#log.append(this.#seq + 1, this.#epoch, payload, 'late');
    assert.equal(result.type, 'fenced');
    this.#told.failed.push(textOf(this.#epoch, payload));
    this.#afterStep();
  }

  async snapshot(): Promise<void> {
    const state = encoder.encode(this.#told.answered.join('\n'));
    assert.deepEqual(await this.#log.snapshot(this.#seq, this.#epoch, state), { type: 'ok' });
    this.#afterStep();
  }

  async trim(upToSeq: number): Promise<void> {
    assert.deepEqual(await this.#log.trim(upToSeq, this.#epoch), { type: 'ok' });
    this.#told.trimmedSeq = upToSeq;
    this.#afterStep();
  }

  #answered(): void {
    this.#told.answered.push(this.#told.waiting ?? '');
    this.#told.waiting = null;
    this.#afterStep();
  }
}

/** Rejects where a call of the log does. `afterStep` is called when something was answered. */
export async function runHistory(
  open: () => LogStore,
  told: Told,
  afterStep: () => void = () => undefined,
): Promise<void> {
  const first = new Coordinator(open(), told, afterStep);
  await first.claim('first');
  await first.append('a');
  await first.append('bb');
  await first.snapshot();
  await first.append('ccc');
  await first.trim(3);
  await first.append('large');
  const second = new Coordinator(open(), told, afterStep);
  await second.claim('second');
  await first.appendTooLate('never');
  await second.append('dddd');
  await second.snapshot();
  await second.trim(6);
  await second.append('eeeee');
}

async function textsOf(loaded: LoadedLog): Promise<string[]> {
  const { snapshot } = loaded;
  const texts = snapshot === null ? [] : decoder.decode(snapshot).split('\n');
  assert.equal(texts.length, loaded.snapshotSeq, 'the snapshot is of the log’s beginning');
  for await (const entry of loaded.entries) {
    assert.equal(entry.seq, texts.length + 1, 'no gap');
    texts.push(textOf(entry.epoch, entry.payload));
  }
  assert.equal(texts.length, loaded.tailSeq);
  return texts;
}

/** Of a log that was opened again after a crash: what is there. Throws when a promise was broken. */
export async function checkAfterCrash(log: LogStore, told: Told): Promise<readonly string[]> {
  const loaded = await log.load();
  const texts = await textsOf(loaded);
  const { answered, waiting } = told;
  assert.deepEqual(texts.slice(0, answered.length), answered, 'what was answered is there');
  const rest = texts.slice(answered.length);
  if (rest.length > 0) assert.deepEqual(rest, [waiting], 'the rest is what waited for its answer');
  for (const text of told.failed) assert(!texts.includes(text), `${text} was told as failed`);
  assert(loaded.trimmedSeq >= told.trimmedSeq, 'what was closed stays closed');
  return texts;
}

/** The next coordinator takes the log over and goes on; whoever looks finds all of it. */
export async function checkGoesOn(open: () => LogStore, texts: readonly string[]): Promise<void> {
  const log = open();
  const { tailSeq, epoch, trimmedSeq } = await log.load();
  const claim = await log.claim(tailSeq, epoch + 1, 'next');
  assert.deepEqual(claim, { type: 'won', epoch: epoch + 1, tailSeq: tailSeq + 1 });
  const own = bytesOf('next');
  assert.deepEqual(await log.append(tailSeq + 2, epoch + 1, own, 'n'), { type: 'ok' });
  if (trimmedSeq > 0) await assertClosed(log.append(trimmedSeq, epoch + 1, own, 'n'));
  const now = await textsOf(await open().load());
  assert.deepEqual(now, [...texts, `${epoch + 1}:`, `${epoch + 1}:next`]);
}

/** A slot that is closed is never answered; "fenced" and "nobody can tell" are both no answer. */
export async function assertClosed(append: Promise<AppendResult>): Promise<void> {
  const result = await append.catch((error: unknown) => {
    if (error instanceof Mx8Error && error.code === 'store_outcome_unknown') return null;
    throw error;
  });
  assert.notEqual(result?.type, 'ok');
}
