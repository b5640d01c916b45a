/** Coordinators with a page in this process, and clients that are its nodes. */
import { type JobId, jobId, nodeId } from '../../src/core/base/units.ts';
import { Mx8Error } from '../../src/core/base/errors.ts';
import { IDLE_STATS } from '../../src/core/job/job-state.ts';
import type { Lease, NodeStats } from '../../src/core/job/protocol.ts';
import type { StoreReport, StoreShare } from '../../src/core/transfer/store-report.ts';
import { MemoryElection, MemoryElectionBoard } from '../../src/log/memory-election.ts';
import { MemoryLog } from '../../src/log/memory-log.ts';
import { nodeClock } from '../../src/platform/clock.ts';
import { nodeRandom } from '../../src/platform/random.ts';
import type { Campaign, CandidateInfo, LeaderInfo } from '../../src/ports/election.ts';
import type { NodeIdentity } from '../../src/ports/coordinator-client.ts';
import {
  startTestCoordinator,
  TEST_CAPS,
  type TestCoordinator,
  type TestCoordinatorOptions,
} from '../../src/testing/index.ts';
import type { ViewLimits } from '../../src/view/looks.ts';
import { type HttpServer, startCoordinatorWeb } from '../../src/web/index.ts';
import { GrpcCoordinatorClient } from '../../src/wire/grpc-coordinator-client.ts';

export const JOB: JobId = jobId('job');
const NO_TOKEN = new Uint8Array(0);
const LEADER_TTL_MS = 60_000;

export interface WebWorld extends AsyncDisposable {
  readonly coordinator: TestCoordinator;
  readonly web: HttpServer;
  client(): GrpcCoordinatorClient;
  /** Why the store of the state gives no answer to anybody from now on; null: it does again. */
  setStoreAway(why: string | null): void;
  /** A second coordinator on the same log that stands by, with a page of its own. */
  standby(): Promise<{ readonly server: TestCoordinator['server']; readonly web: HttpServer }>;
  get(path: string): Promise<Response>;
  text(path: string): Promise<string>;
}

export interface WebWorldOptions extends TestCoordinatorOptions {
  readonly limits?: ViewLimits;
  /**
   * Default: none of its leaders loses the lead by standing still, however busy the machine is; one that
   * stops hands over.
   */
  readonly leaderTtlMs?: number;
}

export async function webWorld(options: WebWorldOptions = {}): Promise<WebWorld> {
  const limits = options.limits ?? { staleHeartbeatMs: 5000, leaseStallMs: 10_000 };
  const board = new MemoryElectionBoard(nodeClock());
  const store: { away: string | null } = { away: null };
  const election = (): MemoryElection =>
    new ElectionInStore(board, options.leaderTtlMs ?? LEADER_TTL_MS, store);
  const server = { leaseStallMs: limits.leaseStallMs, ...options.server };
  const coordinator = await startTestCoordinator({
    ...options,
    server: { ...server, election: election() },
  });
  const pages: HttpServer[] = [];
  const servers = [coordinator.server];
  const clients: GrpcCoordinatorClient[] = [];
  const clientOf = (coordUrl: string): GrpcCoordinatorClient => {
    const client = new GrpcCoordinatorClient({
      coordUrl,
      clock: nodeClock(),
      random: nodeRandom(),
    });
    clients.push(client);
    return client;
  };
  const pageOf = async (of: TestCoordinator['server']): Promise<HttpServer> => {
    const web = await startCoordinatorWeb({
      insight: of.insight,
      clock: nodeClock(),
      events: coordinator.events,
      bind: { host: '127.0.0.1', port: 0 },
      limits,
      webUrlOf: async (address) => (await clientOf(address).coordinator()).webUrl,
    });
    of.setWebUrl(web.url);
    pages.push(web);
    return web;
  };
  const web = await pageOf(coordinator.server);
  const get = (path: string): Promise<Response> => fetch(new URL(path, web.url));
  return {
    coordinator,
    web,
    setStoreAway: (why) => {
      store.away = why;
    },
    client: () => clientOf(servers.map(({ host, port }) => `${host}:${port}`).join(',')),
    standby: async () => {
      const { spec, manifests, disk } = coordinator;
      const other = await startTestCoordinatorOn({ spec, manifests, disk }, election(), server);
      servers.push(other);
      return { server: other, web: await pageOf(other) };
    },
    get,
    text: async (path) => (await get(path)).text(),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await Promise.all(pages.map((page) => page.close()));
      for (const one of servers.toReversed()) await one.stop();
    },
  };
}

/** An election whose store can go away. */
class ElectionInStore extends MemoryElection {
  readonly #store: { readonly away: string | null };

  constructor(board: MemoryElectionBoard, ttlMs: number, store: { readonly away: string | null }) {
    super(board, ttlMs);
    this.#store = store;
  }

  override async campaign(me: CandidateInfo): Promise<Campaign> {
    this.#check();
    return super.campaign(me);
  }

  override async renew(me: CandidateInfo): Promise<boolean> {
    this.#check();
    return super.renew(me);
  }

  override async leader(): Promise<LeaderInfo | null> {
    this.#check();
    return super.leader();
  }

  override async candidates(): Promise<readonly CandidateInfo[]> {
    this.#check();
    return super.candidates();
  }

  #check(): void {
    const { away } = this.#store;
    if (away !== null) throw new Mx8Error('store_unavailable', away);
  }
}

async function startTestCoordinatorOn(
  { spec, manifests, disk }: Pick<TestCoordinator, 'spec' | 'manifests' | 'disk'>,
  election: MemoryElection,
  changes: TestCoordinatorOptions['server'],
): Promise<TestCoordinator['server']> {
  const { server } = await startTestCoordinator({
    server: { ...changes, log: new MemoryLog(disk), manifests, jobs: [spec], election },
  });
  return server;
}

/** A node that does what a test says. */
export class TestNode {
  readonly identity: NodeIdentity;
  readonly #client: GrpcCoordinatorClient;

  constructor(client: GrpcCoordinatorClient, name: string) {
    this.#client = client;
    this.identity = { jobId: JOB, nodeId: nodeId(name), instanceId: `process of ${name}` };
  }

  async register(resumeFrom: Uint8Array = NO_TOKEN): Promise<void> {
    await this.#client.register(this.identity, TEST_CAPS, resumeFrom);
  }

  /** `stores`: what it asked of the stores that it reads from. */
  async heartbeat(
    stats: Partial<NodeStats> = {},
    stores?: readonly StoreReport[],
  ): Promise<readonly StoreShare[]> {
    return this.#client.heartbeat(this.identity, { ...IDLE_STATS, ...stats }, stores);
  }

  async lease(want = 1): Promise<readonly Lease[]> {
    return (await this.#client.requestLeases(this.identity, want, [])).leases;
  }

  async deliver({ leaseId, range }: Lease, cursor: number = range.end): Promise<void> {
    const deliveredSamples = cursor - range.start;
    const deliveredBytes = deliveredSamples * 100;
    const report = { leaseId, cursor, deliveredSamples, deliveredBytes };
    await this.#client.reportProgress(this.identity, report);
  }

  async fail(code: string, message: string): Promise<void> {
    await this.#client.failJob(this.identity, code, message);
  }
}
