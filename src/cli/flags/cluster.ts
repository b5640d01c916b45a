/** Who takes part: coordinator, nodes, ids, leases, time spans. */
import { DAY_MS } from '../../core/base/retention.ts';
import { JOB_RETENTION_DEFAULT } from '../../core/job/decide-forget.ts';
import type { Relief } from '../../core/job/protocol.ts';
import { STORE_REQUESTS_MAX } from '../../core/job/store-budget.ts';
import { flag, optionalFlag } from '../flag.ts';
import type { Flag } from '../flag.ts';
import {
  bindAddress,
  bytes,
  choice,
  coordinatorUrl,
  count,
  durationMs,
  id,
  onOff,
  optionalBindAddress,
} from '../kinds.ts';

/** The numbers travel as uint32. */
const NODES_MAX = 100_000;
const SPAN_MS_MAX = 4_294_967_295;

export const coordUrl: Flag<string> = flag(
  coordinatorUrl(),
  { name: 'coord-url', variable: 'MX8_COORD_URL', doc: 'Where the coordinator listens.' },
  'http://127.0.0.1:50051',
);

export const bindAddr: Flag<string> = flag(
  bindAddress(),
  {
    name: 'bind',
    variable: 'MX8_COORD_BIND_ADDR',
    doc: 'The address on which the coordinator serves; port 0 takes any free one.',
  },
  '127.0.0.1:50051',
);

/** One port beside gRPC's, on which nothing of mx8 can be changed. */
export const HTTP_BIND_DEFAULT = '127.0.0.1:50080';

export const httpBind: Flag<string | null> = flag<string | null>(
  optionalBindAddress(),
  {
    name: 'http-bind',
    variable: 'MX8_HTTP_BIND_ADDR',
    doc: 'The address of the page, /metrics, /healthz and /readyz; off serves none of them.',
  },
  null,
  'off',
);

export const insecure: Flag<boolean> = flag(
  onOff(),
  {
    name: 'insecure',
    variable: 'MX8_INSECURE',
    doc: 'Serve on an address that other machines reach although nothing authenticates them.',
  },
  false,
);

export const jobIdFlag: Flag<string | null> = optionalFlag(
  id('job'),
  { name: 'job-id', variable: 'MX8_JOB_ID', doc: 'The id of the job.' },
  'the one job that the coordinator runs',
);

export const nodeIdFlag: Flag<string | null> = optionalFlag(
  id('node'),
  {
    name: 'node-id',
    variable: 'MX8_NODE_ID',
    doc: 'The id of this agent; two agents never share one.',
  },
  'host name and process id',
);

export const worldSize: Flag<number> = flag(
  count('nodes', { min: 1, max: NODES_MAX }),
  {
    name: 'world-size',
    variable: 'MX8_WORLD_SIZE',
    doc: 'How many nodes hold a rank at a time, at most.',
  },
  1,
);

export const minWorldSize: Flag<number | null> = optionalFlag(
  count('nodes', { min: 1, max: NODES_MAX }),
  {
    name: 'min-world-size',
    variable: 'MX8_MIN_WORLD_SIZE',
    doc: 'Leases are granted once this many nodes have registered.',
  },
  'the world size',
);

export const leaseTtlMs: Flag<number> = flag(
  durationMs({ min: 100, max: SPAN_MS_MAX }),
  {
    name: 'lease-ttl-ms',
    variable: 'MX8_LEASE_TTL_MS',
    doc: 'How long a lease lives without progress before its remainder goes to another node.',
  },
  10_000,
);

export const heartbeatIntervalMs: Flag<number> = flag(
  durationMs({ min: 10, max: SPAN_MS_MAX }),
  {
    name: 'heartbeat-interval-ms',
    variable: 'MX8_HEARTBEAT_INTERVAL_MS',
    doc: 'How often a node says that it lives.',
  },
  1000,
);

export const progressIntervalMs: Flag<number> = flag(
  durationMs({ min: 10, max: SPAN_MS_MAX }),
  {
    name: 'progress-interval-ms',
    variable: 'MX8_PROGRESS_INTERVAL_MS',
    doc: 'How long a node waits at most before it reports the cursor of a lease that moved; must be shorter than the lease lives.',
  },
  500,
);

export const stallBudgetMs: Flag<number> = flag(
  durationMs({ min: 100, max: SPAN_MS_MAX }),
  {
    name: 'stall-budget-ms',
    variable: 'MX8_STALL_BUDGET_MS',
    doc: 'A worker whose process() makes no progress for this long is killed and restarted.',
  },
  300_000,
);

export const relief: Flag<Relief> = flag(
  choice(['double', 'split', 'off']),
  {
    name: 'relief',
    variable: 'MX8_RELIEF',
    doc: 'How nodes that wait for work relieve much slower ones in a job with outputs: split takes what those have not begun, double besides has two nodes work on the last samples, of which the first to commit counts, off leaves them alone.',
  },
  'double',
);

export const maxStoreRequests: Flag<number | null> = optionalFlag(
  count('requests', { min: 1, max: STORE_REQUESTS_MAX }),
  {
    name: 'max-store-requests',
    variable: 'MX8_MAX_STORE_REQUESTS',
    doc: 'Most requests, of any kind, that all agents of all its jobs together have in flight at one store; the coordinator divides them, and has them ask less of a store that refuses.',
  },
  'as many as the store gives',
);

export const keepJobs: Flag<number> = flag(
  count('jobs'),
  {
    name: 'keep-jobs',
    variable: 'MX8_KEEP_JOBS',
    doc: 'So many jobs that completed last stay, whatever their age.',
  },
  JOB_RETENTION_DEFAULT.latest,
);

export const keepJobsDays: Flag<number> = flag(
  count('days', { max: 36_500 }),
  {
    name: 'keep-jobs-days',
    variable: 'MX8_KEEP_JOBS_DAYS',
    doc: 'Completed jobs beyond --keep-jobs are forgotten after so many days, and where there are more than 10,000 before; what they published stays.',
  },
  JOB_RETENTION_DEFAULT.keepMs / DAY_MS,
);

export const requeueDead: Flag<boolean> = flag(
  onOff(),
  {
    name: 'requeue-dead',
    variable: 'MX8_REQUEUE_DEAD',
    doc: 'Give what an agent held to others as soon as its process has ended, not when its leases run out.',
  },
  true,
);

export const leaseWant: Flag<number | null> = optionalFlag(
  count('leases', { min: 1, max: 1024 }),
  {
    name: 'lease-want',
    variable: 'MX8_DEV_LEASE_WANT',
    doc: 'How many leases an agent holds at a time.',
  },
  'one more than its workers, so that none waits for its next lease',
);

export const workers: Flag<number | null> = optionalFlag(
  count('processes', { min: 1, max: 256 }),
  {
    name: 'workers',
    variable: 'MX8_WORKERS',
    doc: 'Worker processes of an agent; each works on one lease at a time.',
  },
  'as many as --lease-want where that is given, else 1',
);

export const grpcMaxMessageBytes: Flag<number> = flag(
  bytes({ min: 1024 * 1024, max: 2_147_483_647 }),
  {
    name: 'grpc-max-message-bytes',
    variable: 'MX8_GRPC_MAX_MESSAGE_BYTES',
    doc: 'The largest message that is sent or taken, on both sides.',
  },
  64 * 1024 ** 2,
  '64MiB',
);
