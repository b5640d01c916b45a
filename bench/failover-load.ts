/**
 * A share of a hundred simulated agents on one job, each with a session and a hundred leases of its own,
 * which it renews in one call as an agent does; of one lease it also moves the cursor, a durable write.
 * `failover-load.ts ADDRESSES SHARE`. Says on demand what was accepted since a moment.
 */
import { GrpcCoordinatorClient } from '../src/wire/grpc-coordinator-client.ts';
import { jobId, nodeId } from '../src/core/base/units.ts';
import { IDLE_STATS } from '../src/core/job/job-state.ts';
import type { Lease } from '../src/core/job/protocol.ts';
import { nodeClock } from '../src/platform/clock.ts';
import { nodeRandom } from '../src/platform/random.ts';
import type { NodeIdentity } from '../src/ports/coordinator-client.ts';
import { TEST_CAPS } from '../src/testing/index.ts';

export const AGENTS = 100;
export const LEASES = 10_000;
/**
 * Processes that share the agents, which in life have one each: an agent waits for what the others of its
 * process do in the same moment.
 */
export const SHARES = 4;
export const BLOCK = 1_000_000;

const LEASES_EACH = LEASES / AGENTS;
const WRITE_EVERY_MS = 200;
/** Leases of 10 s are renewed four times in their life. */
const RENEW_EVERY_MS = 2250;
const HEARTBEAT_EVERY_MS = 1000;
/** Of the answers that are remembered: more than a fail-over takes. */
const MEMORY_MS = 60_000;

export interface LoadQuestion {
  /** On the machine's monotonic clock: when a leader was told to end. */
  readonly sinceMs: number;
  /** Asks the coordinator for the leases too, which is no light question. */
  readonly countsLeases: boolean;
}

export interface LoadAnswer {
  /** When the first durable call that was sent after that moment was accepted by another; null if none was. */
  readonly firstMs: number | null;
  /** When every agent had one accepted; null as long as one had not. */
  readonly allMs: number | null;
  /** Calls that ended in an error, since the process began. */
  readonly failed: readonly string[];
  readonly accepted: number;
  readonly leases: number;
  readonly leasesExpired: number;
  /** The longest that any call took since the process began. */
  readonly callMsMax: number;
}

interface Accepted {
  /** When the session that it came on was made: one that is older ended at the leader that was to end. */
  readonly connectedMs: number;
  readonly sentMs: number;
  readonly endedMs: number;
}

export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

class SimulatedAgent {
  readonly client: GrpcCoordinatorClient;
  readonly node: NodeIdentity;
  readonly failed: string[] = [];
  recent: Accepted[] = [];
  accepted = 0;
  callMsMax = 0;
  #leases: readonly Lease[] = [];
  #cursor = 0;
  #connectedMs = 0;

  constructor(coordUrl: string, index: number) {
    this.client = new GrpcCoordinatorClient({ coordUrl, clock: nodeClock(), random: nodeRandom() });
    this.client.onPush((push) => {
      if (push.type === 'connected') this.#connectedMs = machineMs();
    });
    const name = `agent-${String(index).padStart(3, '0')}`;
    this.node = { jobId: jobId('job'), nodeId: nodeId(name), instanceId: name };
  }

  get leases(): number {
    return this.#leases.length;
  }

  async begin(): Promise<void> {
    await this.client.register(this.node, TEST_CAPS, new Uint8Array(0));
    this.#leases = (await this.client.requestLeases(this.node, LEASES_EACH, [])).leases;
    this.#cursor = this.#leases[0]?.cursor ?? 0;
    this.#every(WRITE_EVERY_MS, () => this.#write());
    this.#every(HEARTBEAT_EVERY_MS, () => this.client.heartbeat(this.node, IDLE_STATS));
    this.#every(RENEW_EVERY_MS, () => this.#renew());
  }

  /** The first durable call that was sent after `sinceMs` and accepted by another leader. */
  firstSince(sinceMs: number): number | null {
    const isLater = ({ sentMs, connectedMs }: Accepted): boolean =>
      sentMs >= sinceMs && connectedMs >= sinceMs;
    return this.recent.find(isLater)?.endedMs ?? null;
  }

  async #write(): Promise<void> {
    const [lease] = this.#leases;
    if (lease === undefined) return;
    this.#cursor += 1;
    const sentMs = machineMs();
    await this.#report(lease, this.#cursor);
    const endedMs = machineMs();
    this.accepted += 1;
    this.recent.push({ sentMs, endedMs, connectedMs: this.#connectedMs });
    if (this.recent.length % 100 === 0) {
      this.recent = this.recent.filter((one) => one.endedMs > endedMs - MEMORY_MS);
    }
  }

  async #renew(): Promise<void> {
    const [, ...others] = this.#leases;
    await this.client.renew(
      this.node,
      others.map(({ leaseId }) => leaseId),
    );
  }

  #report({ leaseId }: Lease, cursor: number): Promise<unknown> {
    const report = { leaseId, cursor, deliveredSamples: 0, deliveredBytes: 0 };
    return this.client.reportProgress(this.node, report);
  }

  /** One at a time, each as long after the last as it took, at least `everyMs`. */
  #every(everyMs: number, make: () => Promise<unknown>): void {
    const go = async (): Promise<void> => {
      for (;;) {
        const startMs = machineMs();
        try {
          await make();
        } catch (error) {
          this.failed.push(error instanceof Error ? error.message : String(error));
        }
        const tookMs = machineMs() - startMs;
        this.callMsMax = Math.max(this.callMsMax, tookMs);
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, everyMs - tookMs)));
      }
    };
    // Agents did not start in one moment.
    setTimeout(() => void go(), Math.random() * everyMs);
  }
}

async function main(coordUrl: string, share: number): Promise<void> {
  const agents = Array.from(
    { length: AGENTS / SHARES },
    (_, index) => new SimulatedAgent(coordUrl, index * SHARES + share),
  );
  await Promise.all(agents.map((agent) => agent.begin()));
  process.on('message', (question) => {
    void answer(agents, question as LoadQuestion).then((said) => process.send?.(said));
  });
  process.send?.(await answer(agents, { sinceMs: machineMs(), countsLeases: false }));
  process.on('disconnect', () => process.exit(0));
}

async function answer(
  agents: readonly SimulatedAgent[],
  { sinceMs, countsLeases }: LoadQuestion,
): Promise<LoadAnswer> {
  const firsts = agents.map((agent) => agent.firstSince(sinceMs));
  const known = firsts.filter((ms) => ms !== null);
  const [agent] = agents;
  const snapshot = countsLeases ? await agent?.client.snapshot(agent.node.jobId) : undefined;
  return {
    firstMs: known.length === 0 ? null : Math.min(...known),
    allMs: known.length < agents.length ? null : Math.max(...known),
    failed: agents.flatMap((one) => one.failed),
    accepted: agents.reduce((sum, one) => sum + one.accepted, 0),
    leases: snapshot?.liveLeases.length ?? 0,
    leasesExpired: snapshot?.counters.leasesExpiredTotal ?? 0,
    callMsMax: Math.max(...agents.map((one) => one.callMsMax)),
  };
}

if (process.argv[1]?.endsWith('failover-load.ts') === true) {
  await main(process.argv[2] ?? '', Number(process.argv[3]));
}
