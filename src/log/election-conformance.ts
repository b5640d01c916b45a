/** The rules that every `Election` keeps, as tests. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { CandidateInfo, Election } from '../ports/election.ts';

export interface ElectionWorld {
  /** How long a leader lives without renewal, as the store grants it. */
  readonly ttlMs: number;
  /** Another candidate's part in the same election. */
  readonly open: () => Election;
  /** Lets that much time pass for everybody. */
  readonly pass: (ms: number) => Promise<void>;
  cleanUp(): Promise<void>;
}

export interface ElectionSuite {
  readonly name: string;
  /** An election in which nobody takes part yet. */
  readonly create: () => Promise<ElectionWorld>;
  /** Why two that go by one `who` are not told apart, where they are not. */
  readonly mistakesNamesakesBecause?: string;
}

const TEST_TIMEOUT_MS = 60_000;

const candidate = (who: string, appliedSeq = 0): CandidateInfo => ({
  who,
  address: `${who}.example:50051`,
  appliedSeq,
});

const led = (who: string): object => ({
  type: 'led',
  leader: { who, address: candidate(who).address },
});

export function runElectionSuite(options: ElectionSuite): void {
  const it = (
    name: string,
    body: (world: ElectionWorld) => Promise<void>,
    skip: string | false = false,
  ): void => {
    void test(name, { timeout: TEST_TIMEOUT_MS, skip }, async () => {
      const world = await options.create();
      try {
        await body(world);
      } finally {
        await world.cleanUp();
      }
    });
  };

  void suite(`election: ${options.name}`, () => {
    it('where nobody takes part nobody leads', async ({ open }) => {
      const one = open();
      assert.equal(await one.leader(), null);
      assert.deepEqual(await one.candidates(), []);
      assert.equal(await one.renew(candidate('a')), false);
      assert.equal(await one.leader(), null);
    });

    it('the first is elected, the others learn who leads, and so it stays', async ({ open }) => {
      const [one, two] = [open(), open()];
      assert.deepEqual(await one.campaign(candidate('a')), { type: 'elected' });
      assert.deepEqual(await two.campaign(candidate('b')), led('a'));
      assert.deepEqual(await one.campaign(candidate('a')), { type: 'elected' });
      assert.deepEqual(await two.campaign(candidate('b')), led('a'));
      assert.deepEqual(await two.leader(), { who: 'a', address: candidate('a').address });
      assert.equal(await one.renew(candidate('a')), true);
      assert.equal(await two.renew(candidate('b')), false);
    });

    it('of many that campaign at once exactly one is elected', async ({ open }) => {
      const names = ['a', 'b', 'c', 'd', 'e'];
      const parts = names.map((who) => ({ who, election: open() }));
      const outcomes = await Promise.all(
        parts.map(({ who, election }) => election.campaign(candidate(who))),
      );
      const elected = names.filter((_, index) => outcomes[index]?.type === 'elected');
      assert.equal(elected.length, 1);
      for (const [index, { who, election }] of parts.entries()) {
        if (who === elected[0]) assert.equal(await election.renew(candidate(who)), true);
        else assert.deepEqual(outcomes[index], led(elected[0] ?? ''));
      }
    });

    it('candidates are known with the place that they last told', async ({ open }) => {
      const [one, two] = [open(), open()];
      await one.campaign(candidate('a', 3));
      await two.renew(candidate('b', 1));
      await one.renew(candidate('a', 7));
      const known = [...(await two.candidates())].sort((a, b) => a.who.localeCompare(b.who));
      assert.deepEqual(known, [candidate('a', 7), candidate('b', 1)]);
    });

    it('who renews leads on beyond the TTL', async ({ open, pass, ttlMs }) => {
      const [one, two] = [open(), open()];
      await one.campaign(candidate('a'));
      for (let turn = 0; turn < 6; turn += 1) {
        assert.deepEqual(await two.campaign(candidate('b')), led('a'));
        await pass(ttlMs / 3);
        assert.equal(await one.renew(candidate('a')), true);
      }
    });

    it('who does not renew is followed by another, and learns it', async (world) => {
      const [one, two] = [world.open(), world.open()];
      await one.campaign(candidate('a'));
      await electedWithin(world, two, 'b', 2 * world.ttlMs + 5000);
      assert.equal(await one.renew(candidate('a')), false);
      assert.deepEqual(await one.campaign(candidate('a')), led('b'));
      assert.deepEqual(await one.leader(), { who: 'b', address: candidate('b').address });
    });

    it('a leader that resigns is followed at once', async ({ open }) => {
      const [one, two] = [open(), open()];
      await one.campaign(candidate('a'));
      assert.deepEqual(await two.campaign(candidate('b')), led('a'));
      await one.resign();
      assert.equal(await two.leader(), null);
      assert.deepEqual(
        (await two.candidates()).map(({ who }) => who),
        ['b'],
      );
      assert.deepEqual(await two.campaign(candidate('b')), { type: 'elected' });
    });

    it('who resigns without leading ends nobody’s lead', async ({ open }) => {
      const [one, two, three] = [open(), open(), open()];
      await one.campaign(candidate('a'));
      await two.campaign(candidate('b'));
      await two.resign();
      await three.resign();
      assert.equal(await one.renew(candidate('a')), true);
      assert.deepEqual(
        (await one.candidates()).map(({ who }) => who),
        ['a'],
      );
    });

    it('whoever watches learns of a leader that came and went', async ({ open, pass }) => {
      const [one, two] = [open(), open()];
      let changes = 0;
      const end = two.watch(() => (changes += 1));
      // A watch may take a moment to stand, and may say so by a call.
      await pass(300);
      const before = changes;
      await one.campaign(candidate('a'));
      for (let turn = 0; changes === before && turn < 100; turn += 1) await pass(50);
      assert.ok(changes > before, 'a leader came');
      const between = changes;
      await one.resign();
      for (let turn = 0; changes === between && turn < 100; turn += 1) await pass(50);
      assert.ok(changes > between, 'the leader went');
      end();
      const after = changes;
      await one.campaign(candidate('a'));
      await pass(300);
      assert.equal(changes, after);
    });

    it(
      'two that go by one name: the second is refused, the first leads on',
      async ({ open }) => {
        const [one, two] = [open(), open()];
        await one.campaign(candidate('a'));
        await assert.rejects(two.campaign(candidate('a')), { code: 'candidate_duplicate' });
        await assert.rejects(two.renew(candidate('a')), { code: 'candidate_duplicate' });
        assert.equal(await one.renew(candidate('a')), true);
      },
      options.mistakesNamesakesBecause ?? false,
    );
  });
}

async function electedWithin(
  { pass }: ElectionWorld,
  election: Election,
  who: string,
  limitMs: number,
): Promise<void> {
  for (let passedMs = 0; passedMs < limitMs; passedMs += 100) {
    const { type } = await election.campaign(candidate(who));
    if (type === 'elected') return;
    await pass(100);
  }
  assert.fail(`${who} was not elected within ${limitMs} ms`);
}
