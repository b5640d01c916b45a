/** A client of the cluster in a process of its own; what it is told is in the first argument. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Mx8Error } from '../../src/core/base/errors.ts';
import { jobId, nodeId } from '../../src/core/base/units.ts';
import type { JobSnapshot } from '../../src/core/job/protocol.ts';
import type { NodeIdentity } from '../../src/ports/coordinator-client.ts';
import { TEST_CAPS } from '../../src/testing/index.ts';
import type { GrpcCoordinatorClient } from '../../src/wire/grpc-coordinator-client.ts';
import { askOne, newClient } from '../support/coordinators.ts';
import type { ClientSettings } from './client-settings.ts';
import { type Answered, CallRecorder } from './recorder.ts';
import { V0Client } from './v0-client.ts';

const PIECE = 5;
const V0_BLOCK = 12;
/** Two nodes with two leases each. */
const V0_AT_A_TIME = 4;
const V1_BLOCK = 20;
const OBSERVE_EVERY_MS = 100;

const settings = JSON.parse(process.argv[2] ?? '') as ClientSettings;

switch (settings.mode) {
  case 'v0':
    await submitted(V0_BLOCK, false);
    await Promise.all(
      ['a', 'b'].map((name) =>
        new V0Client(settings, `${settings.name}-${name}`, () =>
          paceMs(V0_BLOCK * V0_AT_A_TIME),
        ).work(),
      ),
    );
    break;
  case 'v1':
    await submitted(V1_BLOCK, true);
    await commitAll();
    break;
  case 'observe':
    await Promise.all(settings.addresses.map((address) => observe(address)));
    break;
  case 'final':
    await printFinalState();
    break;
  default:
    settings.mode satisfies never;
}

/** The wait that spreads the job's work over the time of the run. */
function paceMs(samples: number): number {
  return (Number(readFileSync(settings.paceFile, 'utf8')) * samples) / settings.samplesPerPace;
}

/** Creates this client's job, like the main one, once that is there. */
async function submitted(blockSize: number, commitsOutputs: boolean): Promise<void> {
  const client = newClient(settings.addresses.join(','));
  const id = jobId(settings.jobs[0] ?? '');
  for (;;) {
    try {
      const { spec } = await client.snapshot(jobId(settings.mainJob));
      const own = { ...spec, jobId: id, blockSize, commitsOutputs, minWorldSize: 1 };
      await client.submitJob(own);
      break;
    } catch (error) {
      if (!(error instanceof Mx8Error)) throw error;
      await sleep(200);
    }
  }
  await client.close();
}

/** Commits piece after piece over the product's own client, and records every answer. */
async function commitAll(): Promise<void> {
  const url = settings.addresses.join(',');
  const client = newClient(url);
  const recorder = new CallRecorder(settings.name);
  const [job = ''] = settings.jobs;
  const node = { jobId: jobId(job), nodeId: nodeId(settings.name), instanceId: settings.name };
  const made: Make = (name, asked, make) =>
    recorder.made({ name, address: url, asked: { job, ...asked } }, make, () => ({}), codeOf);
  await made('register', {}, () => client.register(node, TEST_CAPS, new Uint8Array(0)));
  for (;;) {
    // Nothing is held between two rounds: whatever this node still owns is to be sent again.
    const { value } = await made('request_leases', {}, () => client.requestLeases(node, 3, []));
    if (value === null) {
      await sleep(100);
      await made('register', {}, () => client.register(node, TEST_CAPS, new Uint8Array(0)));
      continue;
    }
    if (value.leases.length === 0 && value.jobDrained) break;
    for (const lease of value.leases) await commitLease(client, node, lease, made);
    if (value.leases.length === 0) await sleep(Math.max(20, value.waitMs));
  }
  await client.close();
}

type Make = <T>(name: string, asked: object, make: () => Promise<T>) => Promise<Answered<T>>;

async function commitLease(
  client: GrpcCoordinatorClient,
  node: NodeIdentity,
  lease: {
    readonly leaseId: string;
    readonly cursor: number;
    readonly range: { readonly end: number };
  },
  made: Make,
): Promise<void> {
  const leaseId = lease.leaseId as Parameters<typeof client.commit>[1]['leaseId'];
  for (let start = lease.cursor; start < lease.range.end; start += PIECE) {
    const end = Math.min(lease.range.end, start + PIECE);
    await sleep(paceMs(PIECE));
    const rows = end - start;
    const piece = { leaseId, start, end, rows, bytes: rows, quarantined: [] };
    const { outcome } = await made('commit', { leaseId, start, end }, () =>
      client.commit(node, piece),
    );
    // Not committed here, as far as is known: the lease is asked for again, or is another's.
    if (outcome !== 'ok') return;
  }
}

async function observe(address: string): Promise<void> {
  const recorder = new CallRecorder('observer');
  for (;;) {
    await recorder.made(
      { name: 'coordinator', address, asked: {} },
      async () => {
        const view = await askOne(address, 2000);
        if (view === null) throw new Error('no answer');
        return view;
      },
      ({ role, epoch, who }) => ({ role, epoch, who }),
      () => ({ code: 'unavailable', isAnswer: false }),
    );
    await sleep(OBSERVE_EVERY_MS);
  }
}

async function printFinalState(): Promise<void> {
  const client = newClient(settings.addresses.join(','));
  for (const id of [settings.mainJob, ...settings.jobs]) {
    const job = await client.snapshot(jobId(id));
    print({ kind: 'job', ...summary(job) });
    if (!job.spec.commitsOutputs) continue;
    for await (const pieces of client.committedPieces(jobId(id))) {
      for (const { start, end, leaseId } of pieces)
        print({ kind: 'piece', jobId: id, start, end, leaseId });
    }
  }
  await client.close();
}

function summary({ spec, samples, jobDrained, counters }: JobSnapshot): object {
  return {
    jobId: spec.jobId,
    sampleCount: spec.sampleCount,
    committed: samples.committed + samples.quarantined,
    isDrained: jobDrained,
    leasesExpired: counters.leasesExpiredTotal,
  };
}

function codeOf(error: unknown): { readonly code: string; readonly isAnswer: boolean } {
  if (!(error instanceof Mx8Error)) throw error;
  return { code: error.code, isAnswer: error.code !== 'coordinator_unavailable' };
}

function print(item: object): void {
  process.stdout.write(`${JSON.stringify(item)}\n`);
}
