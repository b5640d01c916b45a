/** What goes wrong with stores, against every kind of place: each says in its own way the same things. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Mx8Error } from '../../src/core/base/errors.ts';
import type { ErrorCode } from '../../src/core/base/errors.ts';
import { etagTag } from '../../src/core/transfer/etag-tag.ts';
import type { ObjectStat, Place } from '../../src/ports/place.ts';
import { RangeClient } from '../../src/storage/http/range-client.ts';
import { FaultStore, answer } from './fault-store.ts';
import type { AskedFor, Script } from './fault-store.ts';
import { storeSetting } from './store-setting.ts';
import type { StoreSetting } from './store-setting.ts';

export interface FaultyPlace {
  readonly name: string;
  readonly open: (ranges: RangeClient, url: string, setting: StoreSetting) => Place;
  readonly location: string;
  /** What no log may hold. */
  readonly secret: string;
  /** How a healthy store answers a request for a range. */
  readonly served: (asked: AskedFor, object: Uint8Array, etag: string) => Buffer;
  /** The store's own way to say that this object is not for these credentials. */
  readonly denied: string;
  /** That the object is not there. */
  readonly missing: string;
  /** That what the object is in is not there, and a word of the sentence about it. */
  readonly nowhere: readonly [said: string, word: string];
  /** Answers that ask for patience. */
  readonly busy: readonly string[];
  /** Answers to a listing that are none, each with a word of the refusal. */
  readonly lies: readonly (readonly [said: string, word: string])[];
}

const OBJECT = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7) & 255);

export function describeFaults(kind: FaultyPlace): void {
  const { name, location, denied, missing, nowhere, busy, lies } = kind;

  void test(`${name}: a body that breaks off is gone on with where it broke`, async () => {
    const cuts = [100_000, 1];
    await using bench = await FaultBench.start(kind, (asked, socket) => {
      const bytes = kind.served(asked, OBJECT, 'one');
      const cut = cuts[asked.index];
      if (cut === undefined) socket.write(bytes);
      else socket.end(bytes.subarray(0, bytes.length - (asked.end - asked.start) + cut));
    });
    await bench.read();
    assert.deepEqual(
      bench.store.asked.map(({ start }) => start),
      [0, 100_000, 100_001],
    );
  });

  void test(`${name}: a store that is busy is waited for, and given up by name in the end`, async () => {
    let patience = busy.length;
    await using bench = await FaultBench.start(kind, (asked, socket) => {
      const said = busy[asked.index % busy.length] ?? '';
      socket.write(asked.index < patience ? said : kind.served(asked, OBJECT, 'one'));
    });
    await bench.read();
    assert.equal(bench.store.asked.length, busy.length + 1);
    assert.equal(
      bench.setting.told.filter(({ event }) => event === 'store_retry').length,
      busy.length,
    );
    patience = Infinity;
    await refused(bench.read(), 'object_store_unavailable', location);
  });

  void test(`${name}: an object that is denied, or gone after it was pinned, is told by its name, at once`, async () => {
    const answers = [denied, missing, nowhere[0]];
    await using bench = await FaultBench.start(
      kind,
      (asked, socket) => void socket.write(answers[asked.index] ?? ''),
    );
    const pins = { tag: etagTag('one'), bytes: OBJECT.length };
    await refused(bench.read(pins), 'object_denied', location);
    await refused(bench.read(pins), 'object_missing', location);
    await refused(bench.read(pins), 'object_missing', nowhere[1]);
    assert.equal(bench.store.asked.length, 3);
  });

  void test(`${name}: an object that changed after it was pinned is refused before a byte is taken`, async () => {
    await using bench = await FaultBench.start(
      kind,
      (asked, socket) => void socket.write(kind.served(asked, OBJECT, 'two')),
    );
    const into = new Uint8Array(OBJECT.length);
    await refused(bench.read({ tag: etagTag('one'), into }), 'object_changed', location);
    await refused(bench.read({ bytes: 300_001, into }), 'object_changed', location, '300001');
    assert.ok(into.every((byte) => byte === 0));
    await bench.read({ tag: etagTag('two'), bytes: OBJECT.length });
  });

  void test(`${name}: an object that is replaced between two parts of a range is never mixed`, async () => {
    await using bench = await FaultBench.start(kind, (asked, socket) => {
      if (asked.index > 0) socket.write(kind.served(asked, OBJECT, 'two'));
      else socket.end(kind.served(asked, OBJECT, 'one').subarray(0, 200_000));
    });
    await refused(bench.read(), 'object_changed', location, 'while it was read');
  });

  void test(`${name}: a listing that lies is refused with what it said`, async () => {
    const prefix = location.slice(0, location.lastIndexOf('/') + 1);
    for (const [said, word] of lies) {
      await using bench = await FaultBench.start(kind, (_, socket) => void socket.write(said));
      const list = async (): Promise<void> => {
        for await (const _ of bench.place.list(prefix));
      };
      await refused(list(), 'object_answer_invalid', prefix, word);
    }
  });
}

/** A listing as JSON, or whatever else a store says with status 200. */
export function ok(body: unknown, headers: readonly string[] = []): string {
  return answer('200 OK', headers, typeof body === 'string' ? body : JSON.stringify(body));
}

interface Read {
  readonly tag?: number;
  readonly bytes?: number;
  readonly into?: Uint8Array;
}

class FaultBench implements AsyncDisposable {
  readonly store: FaultStore;
  readonly setting: StoreSetting;
  readonly place: Place;
  readonly #kind: FaultyPlace;
  readonly #ranges: RangeClient;

  private constructor(kind: FaultyPlace, store: FaultStore) {
    this.#kind = kind;
    this.store = store;
    this.setting = storeSetting({ retry: { baseMs: 5, maxMs: 50, budgetMs: 700 } });
    this.#ranges = new RangeClient(this.setting);
    this.place = kind.open(this.#ranges, store.url, this.setting);
  }

  static async start(kind: FaultyPlace, script: Script): Promise<FaultBench> {
    return new FaultBench(kind, await FaultStore.start(script));
  }

  async read({
    tag = 0,
    bytes = -1,
    into = new Uint8Array(OBJECT.length),
  }: Read = {}): Promise<ObjectStat> {
    const stat = await this.place.readRange(this.#kind.location, {
      start: 0,
      end: into.length,
      targets: [{ bytes: into.length, into }],
      pinnedTag: tag,
      pinnedBytes: bytes,
    });
    assert.equal(Buffer.compare(into, OBJECT), 0, 'the bytes are those of the object');
    return stat;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.place.close();
    this.#ranges.close();
    await this.store[Symbol.asyncDispose]();
    assert.ok(!JSON.stringify(this.setting.told).includes(this.#kind.secret), 'no secret is told');
  }
}

export async function refused(
  work: Promise<unknown>,
  code: ErrorCode,
  ...words: readonly string[]
): Promise<void> {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof Mx8Error, String(error));
    assert.equal(error.code, code, error.message);
    for (const word of words)
      assert.ok(error.message.includes(word), `${word} in: ${error.message}`);
    return true;
  });
}
