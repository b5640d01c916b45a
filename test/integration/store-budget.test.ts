/** Real agents with worker processes at a store that refuses what is too much for it, and writes to each kind of store. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';

import { load } from '../../src/index.ts';
import type { JobSpec } from '../../src/core/job/protocol.ts';
import { files, jsonl } from '../../src/job/index.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { readInto } from '../../src/snapshots/object-bytes.ts';
import { StoreTraffic } from '../../src/storage/http/store-traffic.ts';
import { PART_BYTES } from '../../src/storage/object-writer.ts';
import { openOutput } from '../../src/storage/output-stores.ts';
import { OpenPlaces, STORE_DEFAULTS } from '../../src/storage/places.ts';
import { startTestCoordinator } from '../../src/testing/index.ts';
import { AgentBench } from '../support/agent-bench.ts';
import { BusyStore } from '../support/busy-store.ts';
import { Workbench } from '../support/mx8-process.ts';
import { eachStore, isWrite } from '../support/store-kinds.ts';
import { storeSetting } from '../support/store-setting.ts';

const SAMPLES = 1500;
const SERVES = 12;
/** So long that the requests of agents on a slow machine pile up in the store, not in the agents. */
const TAKES_MS = 60;

const JOB = `
export default defineJob({
  batch: 8,
  process: (batch) => Array.from(batch, (sample) => ({ id: sample.id, text: sample.text() })),
  output: jsonl(),
});`;

function textOf(path: string): string {
  return `text ${Number(path.slice(1))}`;
}

async function busyBench(
  store: BusyStore,
  samples: number,
  spec: Partial<JobSpec> = {},
): Promise<AgentBench> {
  const usual = { blockSize: 60, worldSize: 3, minWorldSize: 3 };
  return AgentBench.create(
    samples,
    { ...usual, ...spec },
    {
      location: (id) => `${store.url}/${id}`,
      byteLength: (id) => textOf(`/${id}`).length,
    },
  );
}

test('agents together ask a busy store for about as much as it serves; one is killed, and the others have its share', async (t) => {
  await using store = await BusyStore.start(SERVES, TAKES_MS, textOf);
  await using bench = await busyBench(store, SAMPLES);
  const job = await bench.job(JOB);
  const how = { workers: 2, prefetchBatches: 4, maxQueueBatches: 4 };
  const doomed = bench.agentProcess('doomed', job, how);
  const agents = [await bench.agent('a', job, how), await bench.agent('b', job, how)];

  await store.served(0.4 * SAMPLES);
  const first = store.tally();
  t.diagnostic(`until the budget is found: ${JSON.stringify(first)}`);
  await store.served(0.2 * SAMPLES);
  const all = store.tally();
  const [found] = (await bench.server.client.snapshot(bench.spec.jobId)).stores;
  t.diagnostic(`three agents: ${JSON.stringify(all)}, ${JSON.stringify(found)}`);
  assert.equal(found?.agents, 3);
  assert.ok(all.inFlight >= SERVES / 4, `${all.inFlight} of ${SERVES} in flight`);
  const budget = found.budget ?? 0;
  assert.ok(budget >= SERVES / 3 && budget <= 2 * SERVES, `a budget of ${budget}`);

  doomed.kill('SIGKILL');
  await once(doomed, 'exit');
  await store.served(0.2 * SAMPLES);
  const meanwhile = store.tally();
  const outcomes = await Promise.all(agents.map((agent) => agent.done));
  const rest = store.tally();
  t.diagnostic(`two agents: ${JSON.stringify(rest)}`);
  assert.deepEqual([...new Set(outcomes.map(({ type }) => type))], ['completed']);
  const refused = all.refused + meanwhile.refused + rest.refused;
  assert.ok(refused <= 0.1 * SAMPLES, `${refused} refused of ${SAMPLES}`);
  assert.ok(rest.inFlight >= SERVES / 3, `${rest.inFlight} of ${SERVES} in flight`);
  const rows = (await bench.rows()).map(({ text }) => text);
  assert.equal(rows.length, SAMPLES);
  for (const [id, row] of rows.entries()) {
    assert.equal(row, JSON.stringify({ id, text: `text ${id}` }));
  }
});

test('loaders of a job share what a store serves as agents do, and each sample is read once', async (t) => {
  const [samples, serves] = [800, 8];
  await using store = await BusyStore.start(serves, TAKES_MS, textOf);
  await using bench = await busyBench(store, samples, { commitsOutputs: false, minWorldSize: 2 });
  const seen: number[] = [];
  const read = async (node: string): Promise<void> => {
    const loader = load(store.url, {
      ...{ job: bench.spec.jobId, coord: bench.address, node },
      ...{ batchSize: 8, prefetchBatches: 6, maxInflightBytes: 2 ** 20 },
    });
    for await (const batch of loader) {
      for (let at = 0; at < batch.sampleCount; at += 1) {
        assert.equal(
          Buffer.from(batch.sample(at)).toString(),
          textOf(`/${batch.sampleIds[at] ?? 0}`),
        );
        seen.push(batch.sampleIds[at] ?? -1);
      }
    }
  };
  const reading = Promise.all([read('one'), read('two')]);
  await Promise.race([store.served(samples / 2), reading]);
  store.tally();
  await reading;
  const rest = store.tally();
  t.diagnostic(JSON.stringify(rest));
  assert.ok(rest.refused <= 0.15 * rest.served, `${rest.refused} refused, ${rest.served} served`);
  assert.ok(rest.inFlight >= serves / 3, `${rest.inFlight} of ${serves} in flight`);
  assert.deepEqual(
    seen.toSorted((a, b) => a - b),
    Array.from({ length: samples }, (_, id) => id),
  );
});

test('a command that is told of the coordinator has a part of the budget of the job beside it, until it ends', async (t) => {
  await using store = await BusyStore.start(SERVES, TAKES_MS, textOf);
  const samples = 540;
  await using bench = await busyBench(store, samples, { worldSize: 2, minWorldSize: 2 });
  await using commands = await Workbench.create();
  const job = await bench.job(JOB);
  const how = { workers: 1, prefetchBatches: 6, maxQueueBatches: 6 };
  const agents = [await bench.agent('a', job, how), await bench.agent('b', job, how)];
  await store.served(0.25 * samples);
  store.tally();

  const lines = Array.from({ length: 40 }, (_, id) => {
    return `${id}\t${store.url}/${id}\t0\t${textOf(`/${id}`).length}\t\n`;
  });
  await writeFile(commands.path('listed.tsv'), `schema_version=0\n${lines.join('')}`);
  const coord = ['--coord-url', `http://${bench.address}`];
  const verifying = commands.start(['verify', commands.path('listed.tsv'), ...coord]);
  const seen = new Set<number>();
  const look = async (): Promise<number> => {
    const [found] = (await bench.server.client.snapshot(bench.spec.jobId)).stores;
    return found?.guests ?? -1;
  };
  const ended = verifying.ended.then((how) => ({ ...how, hasEnded: true }));
  for (;;) {
    seen.add(await look());
    const first = await Promise.race([ended, nodeClock().sleep(50)]);
    if (first !== undefined) break;
  }
  const { code, stdout, stderr } = await ended;
  assert.equal(code, 0, stderr);
  assert.match(stdout, /verified 40 samples.*no differences/);
  const beside = store.tally();
  t.diagnostic(`beside the command: ${JSON.stringify(beside)}, guests ${[...seen].join(' ')}`);
  assert.ok(seen.has(1), `guests: ${[...seen].join(' ')}`);
  // It said good-bye, so its part was free before its time was up.
  assert.notEqual(await look(), 1);
  const outcomes = await Promise.all(agents.map((agent) => agent.done));
  // How much is refused meanwhile is the model's to say (test/store-budget.test.ts): here it goes with the machine.
  assert.deepEqual([...new Set(outcomes.map(({ type }) => type))], ['completed']);
});

test('what a coordinator’s own process asks of a store is part of the budget that it divides', async () => {
  await using store = await BusyStore.start(1000, 20, textOf);
  const clock = nodeClock();
  const traffic = new StoreTraffic(clock);
  const server = { stores: traffic, storeRequestsMax: 3 };
  const { server: coordinator, events } = await startTestCoordinator({ server });
  try {
    await using places = new OpenPlaces(STORE_DEFAULTS, { ...storeSetting(), traffic });
    const place = places.of(store.url);
    let id = 0;
    const isShared = (): boolean => traffic.reports()[0]?.share === 3;
    const read = async (until: () => boolean): Promise<void> => {
      while (!until()) {
        id += 1;
        const text = textOf(`/${id}`);
        const [into, object] = [Buffer.alloc(text.length), { etag: 'one', bytes: text.length }];
        await readInto(place, `${store.url}/${id}`, object, 0, into, undefined);
        assert.equal(into.toString(), text);
      }
    };
    await Promise.all(Array.from({ length: 16 }, () => read(isShared)));
    store.tally();
    const enough = id + 100;
    await Promise.all(Array.from({ length: 16 }, () => read(() => id >= enough)));
    const { inFlight, served } = store.tally();
    assert.ok(served >= 100);
    assert.ok(inFlight <= 2, `${inFlight} under way as others came`);
  } finally {
    await coordinator.stop();
  }
  assert.deepEqual(events.of('store_budget_unheard'), []);
});

const { onEach } = eachStore();

onEach(
  'with a single turn at a time outputs are written in parts, copied, published and cleared, refusals and lost answers included',
  async (world) => {
    const { clock } = world.setting;
    const traffic = new StoreTraffic(clock);
    const how = { ...STORE_DEFAULTS, ...world.options };
    await using places = new OpenPlaces(how, { ...world.setting, traffic });
    const { origin: host } = new URL(world.troubled.url);
    traffic.hear([{ host, requests: 1, pauseMs: 0, ttlMs: 600_000 }], clock.nowMs());
    const out = openOutput(world.at('one-turn'), places);
    let writes = 0;
    world.troubled.decide = (asked) => {
      if (!isWrite(asked)) return 'none';
      writes += 1;
      return writes % 5 === 2 ? 'refused' : writes % 5 === 4 ? 'unheard' : 'none';
    };
    const large = { data: Buffer.alloc(PART_BYTES + 5, 'l'), name: 'large' };
    const small = Array.from({ length: 12 }, (_, id) => ({ data: `${id}`, name: `s/${id}` }));
    const ids = [0, ...small.map((_, id) => id + 1)];
    const piece = await world.stage(out, files(), ids, [large, ...small]);
    const more = await world.stage(out, jsonl(), [13], [{ id: 13 }]);
    await world.finalize(out, [piece, more]);
    const { asked } = world.troubled.seen;
    world.troubled.decide = () => 'none';
    assert.equal((await world.visible(out)).length, 14);

    assert.ok(world.troubled.troubles.length >= 6, world.troubled.troubles.join(' '));
    assert.equal(world.troubled.seen.atOnce, 1, 'everything goes by the turn');
    const [report] = traffic.reports();
    const refused = world.troubled.troubles.filter((trouble) => trouble === 'refused').length;
    const unheard = world.troubled.troubles.length - refused;
    assert.equal(report?.refusedTotal, refused);
    assert.equal(report.answeredTotal, asked - refused - unheard);
    assert.ok(report.untimedTotal > report.answeredTotal / 2, JSON.stringify(report));
  },
);
