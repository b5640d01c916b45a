import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LeavingIterator } from './leaving-iterator.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('who asks for several at once gets one after the other, and each step begins when the last is over', async () => {
  let begun = 0;
  let isUnderWay = false;
  let left = 0;
  const going = new LeavingIterator<number>({
    next: async () => {
      assert.equal(isUnderWay, false);
      isUnderWay = true;
      begun += 1;
      const step = begun;
      // The first takes longest.
      for (let turns = step === 1 ? 5 : 1; turns > 0; turns -= 1) await turn();
      isUnderWay = false;
      return step > 4 ? null : step;
    },
    leave: () => {
      left += 1;
      return Promise.resolve();
    },
  });
  const results = await Promise.all(Array.from({ length: 7 }, () => going.next()));
  const values = results.map(({ value }) => value);
  assert.deepEqual(values, [1, 2, 3, 4, undefined, undefined, undefined]);
  assert.deepEqual([begun, left], [5, 1]);
});

test('after a step that failed those who asked meanwhile are at the end', async () => {
  const going = new LeavingIterator<number>({
    next: async () => {
      await turn();
      throw new Error('no more');
    },
    leave: () => Promise.resolve(),
  });
  const asked = [going.next(), going.next()];
  await assert.rejects(asked[0] ?? Promise.resolve(), /no more/);
  assert.deepEqual(await asked[1], { done: true, value: undefined });
});
