/**
 * The page in a real Chromium: what an operator sees while a job runs, when a node goes silent, a lease
 * stands still, a job fails and another coordinator takes over; in both schemes, on a desk and a phone.
 * With MX8_SCREENSHOTS=DIR each state is kept as an image to look at.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

import type { StoreReport, StoreShare } from '../../src/core/transfer/store-report.ts';
import { until } from '../support/mx8-process.ts';
import { findTool } from '../support/tools.ts';
import { JOB, TestNode, webWorld } from '../support/web-world.ts';

const CHROMIUM = findTool('chromium', 'chromium-browser');
const skip = CHROMIUM.missing;
const SHOTS = process.env['MX8_SCREENSHOTS'];
const LIMITS = { staleHeartbeatMs: 1200, leaseStallMs: 1200 };

const DESK: BrowserContextOptions = {
  viewport: { width: 1280, height: 900 },
  colorScheme: 'light',
};
const PHONE: BrowserContextOptions = {
  viewport: { width: 360, height: 780 },
  colorScheme: 'dark',
  deviceScaleFactor: 2,
};

let browser: Browser | null = null;

before(async () => {
  if (skip !== false) return;
  const executablePath = CHROMIUM.path;
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
});
after(async () => browser?.close());

interface Opened extends AsyncDisposable {
  readonly page: Page;
  text(id: string): Promise<string>;
  /** Waits until the element's text matches. */
  sees(id: string, pattern: RegExp): Promise<void>;
  shot(name: string): Promise<void>;
}

/** Whatever the page complains of fails the test: a refused script, a broken policy, an exception. */
async function open(url: string, options: BrowserContextOptions = DESK): Promise<Opened> {
  assert.ok(browser !== null, 'a browser runs');
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    // What the browser says when a coordinator that is gone does not answer is what it should say.
    const isExpected = /net::ERR_|Failed to load resource/.test(message.text());
    if (message.type() === 'error' && !isExpected) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(url);
  const text = (id: string): Promise<string> => page.locator(`#${id}`).innerText();
  return {
    page,
    text,
    sees: (id, pattern) =>
      until(`#${id} shows ${String(pattern)}`, async () => pattern.test(await text(id)), 10_000),
    shot: async (name) => {
      if (SHOTS === undefined) return;
      await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
    },
    [Symbol.asyncDispose]: async () => {
      const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      await context.close();
      assert.deepEqual(complaints, []);
      assert.equal(wide, 0, 'nothing stands out beyond the right edge');
    },
  };
}

test('the first paint has the job in it, within a second and 200 kB', { skip }, async () => {
  await using world = await webWorld();
  await using opened = await open('about:blank');
  const { page } = opened;
  let bytes = 0;
  page.on('response', (response) => {
    if (!response.url().endsWith('/events')) bytes += Number(response.headers()['content-length']);
  });
  await page.goto(world.web.url);
  const paintMs = await page.evaluate<number>(
    `performance.getEntriesByName('first-contentful-paint')[0].startTime`,
  );
  assert.match(await opened.text('name'), /^job running$/);
  assert.ok(paintMs < 1000, `painted after ${paintMs} ms`);
  assert.ok(bytes > 10_000 && bytes < 200_000, `${bytes} bytes in all`);
  await opened.sees('link', /^live$/);
});

test('what nodes deliver, a pause and a node that drains are shown', { skip }, async () => {
  const spec = { worldSize: 2, minWorldSize: 1, sampleCount: 200, blockSize: 10 };
  await using world = await webWorld({ samples: 200, spec });
  const client = world.client();
  const [a, b] = [new TestNode(client, 'node-a'), new TestNode(client, 'node-b')];
  for (const node of [a, b]) await node.register();
  await using desk = await open(world.web.url, { ...DESK, colorScheme: 'dark' });
  await using phone = await open(world.web.url, { ...PHONE, colorScheme: 'light' });
  const rate = (nodeId: string): Promise<string> =>
    desk.page.locator('#nodes tr', { hasText: nodeId }).locator('[data-name=rate]').innerText();
  await until('both rates are shown, and tell the nodes apart', async () => {
    for (const lease of await a.lease(2)) await a.deliver(lease);
    for (const lease of await b.lease(1)) await b.deliver(lease, lease.range.start + 1);
    for (const node of [a, b]) await node.heartbeat();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const [ofA, ofB] = await Promise.all([rate('node-a'), rate('node-b')]);
    return /^[1-9][\d.]*\/s$/.test(ofA) && /^\d[\d.]*\/s$/.test(ofB) && ofA !== ofB;
  });
  await client.operate(JOB, { type: 'pause' }, false);
  await client.operate(JOB, { type: 'drain', nodeId: a.identity.nodeId }, false);
  await desk.sees('name', /running, paused$/);
  await desk.sees('nodes', /node-a · draining/);
  await desk.sees('health', /degraded/);
  await phone.sees('nodes', /node-a · draining/);
  await desk.shot('paused-desk-dark');
  await phone.shot('paused-phone-light');
});

test('a store that throttles is shown with what it gives, and no action', { skip }, async () => {
  const spec = { worldSize: 2, minWorldSize: 1, sampleCount: 200, blockSize: 10 };
  await using world = await webWorld({ samples: 200, spec });
  const client = world.client();
  const nodes = ['node-a', 'node-b'].map((name) => new TestNode(client, name));
  for (const node of nodes) await node.register();
  await using desk = await open(world.web.url);
  await using phone = await open(world.web.url, PHONE);
  assert.equal(await desk.page.locator('#stores-panel').isVisible(), false);
  let [answeredTotal, refusedTotal] = [0, 0];
  const report = (): StoreReport => ({
    host: 'https://a-bucket-with-a-long-name.s3.eu-central-1.amazonaws.com',
    wanted: 64,
    inFlight: 30,
    servingMilli: 10_000,
    answeredTotal: (answeredTotal += 40),
    refusedTotal: (refusedTotal += 20),
    firstByteUsTotal: answeredTotal * 20_000,
    untimedTotal: 0,
    pauseMs: 0,
    share: null,
  });
  let shares: readonly StoreShare[] = [];
  await until('the coordinator divides what the store gives', async () => {
    for (const node of nodes) shares = await node.heartbeat({}, [report()]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    return shares.length > 0;
  });
  await desk.sees(
    'stores',
    /amazonaws\.com\s+60 requests in flight, of at most \d+; [\d,]+ requests refused/,
  );
  await phone.sees('stores', /2 agents/);
  const wide = 'document.documentElement.scrollWidth > document.documentElement.clientWidth';
  assert.equal(
    await phone.page.evaluate<boolean>(wide),
    false,
    'a long name does not widen the page',
  );
  await desk.shot('stores-desk-light');
  await phone.shot('stores-phone-dark');
});

test(
  'a running job, then a silent node, a lease that stands still, a failure',
  { skip },
  async () => {
    const spec = { worldSize: 3, minWorldSize: 1, sampleCount: 200, blockSize: 10 };
    await using world = await webWorld({ samples: 200, spec, limits: LIMITS });
    const client = world.client();
    const [a, b] = [new TestNode(client, 'node-a'), new TestNode(client, '<b/onclick=x>')];
    for (const node of [a, b]) {
      await node.register();
      await node.heartbeat({ inflightBytes: 3_900_000_000, ramHighWaterBytes: 6_500_000_000 });
    }
    await using desk = await open(world.web.url);
    await using phone = await open(world.web.url, PHONE);
    for (let round = 0; round < 4; round += 1) {
      for (const node of [a, b]) {
        for (const lease of await node.lease(2)) await node.deliver(lease);
        await node.heartbeat({ inflightBytes: 3_900_000_000, ramHighWaterBytes: 6_500_000_000 });
      }
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
    await desk.sees('progress', /80\.0%[\s\S]*160 of 200[\s\S]*\d\/s/);
    await desk.sees('health', /● healthy/);
    // Names are text, whatever is in them.
    await desk.sees('nodes', /<b\/onclick=x>/);
    assert.equal(await desk.page.locator('#nodes tbody b').count(), 0);
    assert.equal(await desk.page.locator('#map i').count(), 200);
    await desk.sees('rate', /ago\s*now/);
    await desk.shot('running-desk-light');
    await phone.shot('running-phone-dark');

    const [stuck] = await a.lease();
    assert.ok(stuck !== undefined);
    const alive = setInterval(() => void a.heartbeat().catch(() => undefined), 300);
    await desk.sees('health', /▲ degraded|■ stalled/);
    await desk.sees('nodes', /■ <b\/onclick=x>[\s\S]*stale/);
    await desk.sees(
      'stalls',
      new RegExp(`${stuck.leaseId.replaceAll('.', '\\.')} of node-a stands`),
    );
    await phone.sees('notes', /→ /);
    await desk.shot('stalled-desk-light');
    await phone.shot('stalled-phone-dark');

    await a.fail('process_failed', 'sample 161: out of <i>paper</i>');
    clearInterval(alive);
    await desk.sees('notes', /The job failed: sample 161: out of <i>paper<\/i>/);
    await desk.sees('events', /job_failed/);
    await phone.sees('name', /failed/);
    await desk.page.emulateMedia({ colorScheme: 'dark' });
    await desk.shot('failed-desk-dark');
    await phone.page.emulateMedia({ colorScheme: 'light' });
    await phone.shot('failed-phone-light');
  },
);

test(
  'a standby says where the leader is, and the page lives through a fail-over',
  { skip },
  async () => {
    await using world = await webWorld();
    const { web, server } = await world.standby();
    await using desk = await open(web.url);
    await desk.sees('notes', /This coordinator stands by, up to date\. The leader is at 127/);
    await desk.sees('role', /standby/);
    const link = desk.page.getByRole('link', { name: 'Open the page of the leader' });
    await link.waitFor();
    assert.equal(await link.getAttribute('href'), world.web.url);
    assert.equal(await desk.page.locator('#health').isVisible(), false);
    await desk.shot('standby-desk-light');

    await using former = await open(world.web.url);
    await former.sees('role', /leader · epoch 1/);
    await former.sees('coordinators', /○ standby/);
    await world.web.close();
    await world.coordinator.server.stop();
    await until('the standby leads', () => server.role === 'leader');
    await former.sees('link', /no connection; figures of \d/);
    await desk.sees('role', /leader · epoch 2/);
    await desk.sees('events', /leader_serving/);
    assert.doesNotMatch(await desk.text('notes'), /stands by/);
    await desk.shot('after-failover-desk-light');
    await former.shot('lost-desk-light');
  },
);

test(
  'a store of the state that is away is told with its reason, until it is back',
  { skip },
  async () => {
    await using world = await webWorld({
      samples: 200,
      spec: { worldSize: 2, minWorldSize: 1 },
      leaderTtlMs: 600,
    });
    const node = new TestNode(world.client(), 'node-a');
    await node.register();
    for (const lease of await node.lease(3)) await node.deliver(lease);
    await using desk = await open(world.web.url);
    await using phone = await open(world.web.url, PHONE);
    await desk.sees('role', /leader/);
    world.setStoreAway('no answer from etcd at http://10.0.0.7:2379, http://10.0.0.8:2379');
    await desk.sees(
      'notes',
      /None leads: .* the store of its state does not answer: no answer from etcd at .*:2379\.\s*→ Mend the store/,
    );
    await desk.sees('coordinators', /not known while the store of the state does not answer/);
    await phone.sees('notes', /None leads/);
    assert.doesNotMatch(await desk.text('coordinators'), /Nobody stands by/);
    assert.match(
      await (await world.get('/readyz')).text(),
      /the store of the state does not answer/,
    );
    await desk.shot('store-away-desk-light');
    await phone.shot('store-away-phone-dark');
    world.setStoreAway(null);
    await desk.sees('role', /leader/);
    await until('nothing is said of it', async () => !/store/.test(await desk.text('notes')));
  },
);

test(
  'it can be used with a keyboard and read aloud, and jobs can be chosen',
  { skip },
  async () => {
    await using world = await webWorld();
    const other = {
      ...world.coordinator.spec,
      jobId: 'other' as typeof world.coordinator.spec.jobId,
    };
    await world.client().submitJob(other);
    await using desk = await open(world.web.url);
    const { page } = desk;
    const select = page.getByLabel('Job');
    await until('both jobs are there', async () => (await select.locator('option').count()) === 2);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate('document.activeElement.id'), 'jobs');
    await select.selectOption('other');
    await until('it shows the other', async () => page.url().endsWith('?job=other'));
    await page.waitForFunction(`document.title.includes('other')`);
    const unnamed = await page.evaluate(
      `[...document.querySelectorAll('select, progress, meter, [role=img]')].filter((one) => !one.labels?.length && !one.getAttribute('aria-label')).length`,
    );
    assert.equal(unnamed, 0, 'everything that is not text has a name');
    const faint = await page.evaluate<readonly string[]>(CONTRASTS);
    await page.emulateMedia({ colorScheme: 'dark' });
    const faintInDark = await page.evaluate<readonly string[]>(CONTRASTS);
    assert.deepEqual([...faint, ...faintInDark], [], 'text stands out from its ground (4.5 to 1)');
  },
);

/** The texts whose contrast with what is behind them is below 4.5, by the formula of WCAG. */
const CONTRASTS = `(() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  return [...document.querySelectorAll('body *')]
    .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ''))
    .filter((one) => one.checkVisibility() && one.tagName !== 'OPTION' && one.tagName !== 'SCRIPT')
    .filter((one) => {
      const [a, b] = [light(getComputedStyle(one).color), light(ground(one))].sort((x, y) => y - x);
      return (a + 0.05) / (b + 0.05) < 4.5;
    })
    .map((one) => one.tagName + ' ' + one.textContent.slice(0, 40));
})()`;
