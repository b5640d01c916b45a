/**
 * What a coordinator exposes at /metrics: every counter of its snapshots under its wire name with `mx8_`
 * before it, figures of jobs and nodes, who leads, and its own times. Nothing grows with the leases. A
 * standby exposes only itself: what it knows of jobs is the leader's to tell, or sums would count twice.
 */
import type { CoordinatorView } from '../ports/coordinator-client.ts';
import type { CoordinatorMeters } from '../ports/coordinator-insight.ts';
import { wireName } from '../view/wire-name.ts';
import type { Seen, SeenJob } from './look-cache.ts';
import { type LabelText, labels, type MetricsText, type Sample } from './metrics-text.ts';

const PHASES = ['running', 'draining', 'failed', 'finalizing', 'completed'] as const;
const HEALTHS = ['healthy', 'degraded', 'stalled'] as const;

export function writeCoordinatorMetrics(
  text: MetricsText,
  seen: Seen,
  ageMs: number,
  meters: CoordinatorMeters,
): void {
  writeLeadership(text, seen.look.view);
  text.add('mx8_look_age_seconds', 'gauge', 'Age of what follows.', ageMs / 1000);
  text.add('mx8_look_cost_seconds', 'gauge', 'What taking it cost.', seen.costMs / 1000);
  writeMeters(text, meters);
  if (seen.look.view.role !== 'leader') return;
  const jobs = seen.jobs.map((job) => ({
    ...job,
    labels: labels({ job_id: job.digest.spec.jobId }),
  }));
  writeCounters(text, jobs);
  writeJobs(text, jobs);
  writeSamples(text, jobs);
  writeNodes(text, jobs);
  writeStores(text, jobs);
}

interface LabelledJob extends SeenJob {
  readonly labels: LabelText;
}

function writeLeadership(text: MetricsText, view: CoordinatorView): void {
  const { role, epoch, appliedSeq, tailSeq, leader, candidates } = view;
  text.add(
    'mx8_coordinator_role',
    'gauge',
    '1 for the role that this process has.',
    (['leader', 'standby'] as const).map((name) => [labels({ role: name }), Number(name === role)]),
  );
  text.add(
    'mx8_coordinator_has_leader',
    'gauge',
    '1 when this process knows who leads.',
    Number(leader !== null),
  );
  text.add('mx8_coordinator_epoch', 'gauge', 'How many times the lead was taken.', epoch);
  text.add('mx8_log_applied_seq', 'gauge', 'Last log entry this process has.', appliedSeq);
  text.add('mx8_log_tail_seq', 'gauge', 'Last log entry this process knows of.', tailSeq);
  const standbys = candidates.filter(({ who }) => who !== leader?.who);
  text.add('mx8_coordinator_standbys', 'gauge', 'Who could take over.', standbys.length);
  text.add(
    'mx8_standby_lag_entries',
    'gauge',
    'How many log entries a standby is behind, as it said when it last renewed.',
    standbys.map((one) => [
      labels({ address: one.address }),
      Math.max(0, tailSeq - one.appliedSeq),
    ]),
  );
}

function writeMeters(text: MetricsText, meters: CoordinatorMeters): void {
  const rpc = [...meters.rpcSeconds.values()].map(({ method, code, seconds }) => ({
    labels: labels({ method, code }),
    histogram: seconds,
  }));
  text.addHistograms('mx8_rpc_seconds', 'Time of calls until their answer was durable.', rpc);
  const single = (
    name: string,
    help: string,
    histogram: CoordinatorMeters['appendSeconds'],
  ): void => text.addHistograms(name, help, [{ labels: '', histogram }]);
  single('mx8_log_append_seconds', 'Time until an entry was durable.', meters.appendSeconds);
  single('mx8_log_entry_records', 'Records of an entry.', meters.entryRecords);
  single('mx8_writer_batch_commands', 'Commands that shared a turn.', meters.batchCommands);
  const { age, operator } = meters.jobsForgotten;
  text.add('mx8_jobs_forgotten_total', 'counter', 'Jobs that this process forgot, by why.', [
    [labels({ why: 'age' }), age],
    [labels({ why: 'operator' }), operator],
  ]);
}

function writeCounters(text: MetricsText, jobs: readonly LabelledJob[]): void {
  const names = Object.keys(
    jobs[0]?.digest.counters ?? {},
  ) as (keyof SeenJob['digest']['counters'])[];
  for (const name of names) {
    text.add(
      `mx8_${wireName(name)}`,
      'counter',
      `${wireName(name)} of the snapshot.`,
      jobs.map(({ digest, labels: of }) => [of, digest.counters[name]]),
    );
  }
  const totals = {
    elastic_transitions_total: ({ digest }: SeenJob) => digest.elastic.transitionsTotal,
    output_rows_total: ({ digest }: SeenJob) => digest.output.rows,
    output_bytes_total: ({ digest }: SeenJob) => digest.output.bytes,
    output_pieces_total: ({ digest }: SeenJob) => digest.output.pieces,
  };
  for (const [name, of] of Object.entries(totals)) {
    text.add(`mx8_${name}`, 'counter', `${name} of the job.`, perJob(jobs, of));
  }
}

const JOB_GAUGES: Readonly<Record<string, readonly [help: string, (job: SeenJob) => number]>> = {
  active_leases: ['Leases that live.', ({ digest }) => digest.leases.count],
  stalled_leases: ['Leases that stand still.', ({ digest }) => digest.leases.stalledCount],
  available_ranges: ['Ranges that wait.', ({ digest }) => digest.availableRanges],
  registered_nodes: ['Nodes with a rank.', ({ digest }) => digest.registeredNodes],
  stale_nodes: ['Nodes that were not heard of for too long.', ({ view }) => view.staleNodes],
  world_size: ['Ranks of the job.', ({ digest }) => digest.spec.worldSize],
  min_world_size: ['Nodes that it begins with.', ({ digest }) => digest.spec.minWorldSize],
  job_ready: ['1 once leases are granted.', ({ digest }) => Number(digest.jobReady)],
  job_paused: ['1 while an operator holds it.', ({ digest }) => Number(digest.paused)],
  job_drained: ['1 once no work is left.', ({ digest }) => Number(digest.jobDrained)],
  job_progress_ratio: ['Finished part of the samples.', ({ view }) => view.fraction],
  samples_per_second: [
    'Samples finished a second, over ten seconds.',
    ({ view }) => view.rates?.samplesPerSecond ?? 0,
  ],
};

function writeJobs(text: MetricsText, jobs: readonly LabelledJob[]): void {
  for (const [name, [help, of]] of Object.entries(JOB_GAUGES)) {
    text.add(`mx8_${name}`, 'gauge', help, perJob(jobs, of));
  }
  text.add(
    'mx8_job_eta_seconds',
    'gauge',
    'Time to the end at that rate; absent where it cannot be told.',
    jobs.flatMap(({ view, labels: of }) =>
      view.etaMs === null ? [] : [[of, view.etaMs / 1000] as const],
    ),
  );
  text.add(
    'mx8_job_phase',
    'gauge',
    '1 for the phase that the job is in.',
    oneOf(jobs, 'phase', PHASES, ({ digest }) => digest.phase),
  );
  text.add(
    'mx8_job_health',
    'gauge',
    '1 for the judgement of mx8 status: healthy, degraded or stalled.',
    oneOf(jobs, 'health', HEALTHS, ({ view }) => view.health.state),
  );
}

function writeSamples(text: MetricsText, jobs: readonly LabelledJob[]): void {
  text.add(
    'mx8_samples',
    'gauge',
    'Samples by state: unissued, leased, committed, quarantined.',
    jobs.flatMap(({ digest }) =>
      Object.entries(digest.samples).map(([state, count]: [string, number]): Sample => [
        labels({ job_id: digest.spec.jobId, state }),
        count,
      ]),
    ),
  );
}

function writeNodes(text: MetricsText, jobs: readonly LabelledJob[]): void {
  const nodes = jobs.flatMap(({ digest }) =>
    digest.nodes.map((node) => ({
      node,
      labels: labels({ job_id: digest.spec.jobId, node_id: node.nodeId }),
    })),
  );
  type Node = (typeof nodes)[number]['node'];
  const add = (name: string, help: string, of: (node: Node) => number): void =>
    text.add(
      `mx8_node_${name}`,
      name.endsWith('_total') ? 'counter' : 'gauge',
      help,
      nodes.map(({ node, labels: own }) => [own, of(node)]),
    );
  add('heartbeat_age_seconds', 'Since it was heard of.', (node) => node.heartbeatAgeMs / 1000);
  add('assigned_rank', 'Its rank.', (node) => node.assignedRank);
  add('active_leases', 'Leases that it holds.', (node) => node.leaseCount);
  add('stalled_leases', 'Leases of it that stand still.', (node) => node.stalledCount);
  add('draining', '1 while it finishes what it holds, to leave.', (node) => Number(node.draining));
  add(
    'delivered_samples_total',
    'Samples that it delivered since it registered and this process leads.',
    (node) => {
      return node.deliveredSamples ?? 0;
    },
  );
  const first = nodes[0]?.node;
  for (const name of Object.keys(first?.caps ?? {}) as (keyof Node['caps'])[]) {
    add(wireName(name), `${wireName(name)} of its caps.`, ({ caps }) => caps[name]);
  }
  for (const name of Object.keys(first?.stats ?? {}) as (keyof Node['stats'])[]) {
    add(wireName(name), `${wireName(name)} as it last said.`, ({ stats }) => Number(stats[name]));
  }
}

function writeStores(text: MetricsText, jobs: readonly LabelledJob[]): void {
  const stores = jobs.flatMap(({ digest }) =>
    digest.stores.map((store) => ({
      store,
      labels: labels({ job_id: digest.spec.jobId, host: store.host }),
    })),
  );
  type Store = (typeof stores)[number]['store'];
  const add = (name: string, help: string, of: (store: Store) => number | null): void =>
    text.add(
      `mx8_store_${name}`,
      name.endsWith('_total') ? 'counter' : 'gauge',
      help,
      stores.flatMap(({ store, labels: own }) => {
        const value = of(store);
        return value === null ? [] : [[own, value] as const];
      }),
    );
  add(
    'budget_requests',
    'Requests in flight that all nodes of all jobs there may have; absent where none is limited.',
    ({ budget }) => budget,
  );
  add('jobs', 'Jobs of this process that share that.', ({ jobs }) => jobs);
  add(
    'guests',
    'Processes of no job that share it too: commands, this one.',
    ({ guests }) => guests,
  );
  add('inflight_requests', 'Requests in flight, as nodes last said.', ({ inFlight }) => inFlight);
  add('wanted_requests', 'Requests in flight that nodes would have.', ({ wanted }) => wanted);
  add('answered_total', 'Answers while this process leads.', (store) => store.answeredTotal);
  add('refused_total', 'Answers 429 and 503 of that time.', (store) => store.refusedTotal);
  add('first_byte_seconds', 'Mean time to answers, lately.', (store) => store.firstByteUs / 1e6);
  add(
    'paused_seconds',
    'Time for which it asked to be left alone.',
    (store) => store.pausedMs / 1e3,
  );
}

function perJob(jobs: readonly LabelledJob[], of: (job: SeenJob) => number): readonly Sample[] {
  return jobs.map((job) => [job.labels, of(job)]);
}

function oneOf(
  jobs: readonly LabelledJob[],
  label: string,
  names: readonly string[],
  of: (job: SeenJob) => string,
): readonly Sample[] {
  return jobs.flatMap((job) =>
    names.map((name): Sample => [
      labels({ job_id: job.digest.spec.jobId, [label]: name }),
      Number(of(job) === name),
    ]),
  );
}
