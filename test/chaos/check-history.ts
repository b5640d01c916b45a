/**
 * Checks a recorded run. It shares no code with the product: it knows the names of the events and what
 * must hold of them. Answers what is wrong, each as a sentence; nothing when all is well.
 */
import type { Call, Exit, FinalJob, FinalPiece, HistoryItem, LoggedEvent } from './history.ts';

export interface CheckBounds {
  /** No call may take longer until it is decided. */
  readonly callMsMax: number;
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly token: string;
}

export function checkHistory(history: readonly HistoryItem[], bounds: CheckBounds): string[] {
  const events = history.filter((item): item is LoggedEvent => item.kind === 'event');
  const calls = history.filter((item): item is Call => item.kind === 'call');
  const exits = history.filter((item): item is Exit => item.kind === 'exit');
  const pieces = history.filter((item): item is FinalPiece => item.kind === 'piece');
  const jobs = history.filter((item): item is FinalJob => item.kind === 'job');
  return [
    ...wrongEpochs(events),
    ...wrongTokens(events),
    ...(jobs.length === 0
      ? ['the jobs could not be asked for at the end']
      : [
          ...wrongCommits(events, pieces),
          ...wrongJobs(jobs, pieces),
          ...lostAnswers(calls, pieces),
        ]),
    ...wrongDeliveries(calls),
    ...lateAnswersOfLeaders(calls),
    ...slowCalls(calls, bounds.callMsMax),
    ...unexpectedEnds(exits, events),
  ];
}

/** One claimant for each epoch, and no process claims a lower one after a higher. */
function wrongEpochs(events: readonly LoggedEvent[]): string[] {
  const wrong: string[] = [];
  const claimants = new Map<number, string>();
  const highest = new Map<string, number>();
  for (const { process, event, fields } of events) {
    if (event !== 'leader_claimed') continue;
    const epoch = Number(fields['epoch']);
    const other = claimants.get(epoch);
    if (other !== undefined) wrong.push(`epoch ${epoch} was claimed by ${other} and by ${process}`);
    claimants.set(epoch, process);
    const before = highest.get(process) ?? 0;
    if (epoch <= before) wrong.push(`${process} claimed epoch ${epoch} after epoch ${before}`);
    highest.set(process, epoch);
  }
  if (claimants.size === 0) wrong.push('no epoch was ever claimed');
  return wrong;
}

/** A token is granted once, by whoever claimed its epoch. */
function wrongTokens(events: readonly LoggedEvent[]): string[] {
  const wrong: string[] = [];
  const claimants = new Map<number, string>();
  const granted = new Map<string, string>();
  for (const { process, event, fields } of events) {
    if (event === 'leader_claimed') claimants.set(Number(fields['epoch']), process);
    if (event !== 'lease_granted') continue;
    const token = String(fields['lease_id']);
    const other = granted.get(token);
    if (other !== undefined) wrong.push(`token ${token} was granted by ${other} and by ${process}`);
    granted.set(token, process);
  }
  for (const [token, process] of granted) {
    const claimant = claimants.get(Number(token.split('.')[0]));
    if (claimant !== process) {
      wrong.push(`token ${token} was granted by ${process}, its epoch claimed by ${claimant}`);
    }
  }
  if (granted.size === 0) wrong.push('no lease was ever granted');
  return wrong;
}

/** What processes said was committed is in the end, under that token, and no sample twice. */
function wrongCommits(events: readonly LoggedEvent[], pieces: readonly FinalPiece[]): string[] {
  const spans = new Map<string, Span[]>();
  for (const { event, fields } of events) {
    if (event !== 'output_committed') continue;
    const job = String(fields['job_id']);
    const of = spans.get(job) ?? [];
    spans.set(job, of);
    const token = String(fields['lease_id']);
    of.push({ start: Number(fields['from']), end: Number(fields['to']), token });
  }
  const wrong: string[] = [];
  for (const [job, logged] of spans) {
    wrong.push(...overlaps(logged, `job ${job}: logged as committed`));
    const final = new Set(pieces.filter(({ jobId }) => jobId === job).map(keyOf));
    for (const span of logged) {
      if (final.has(`${span.start} ${span.end} ${span.token}`)) continue;
      wrong.push(
        `job ${job}: [${span.start}, ${span.end}) under ${span.token} was committed and is lost`,
      );
    }
  }
  if (spans.size === 0) wrong.push('no output was ever committed');
  return wrong;
}

/** Each job is drained, and the pieces of its output cover it exactly once. */
function wrongJobs(jobs: readonly FinalJob[], pieces: readonly FinalPiece[]): string[] {
  const wrong: string[] = [];
  for (const { jobId, isDrained, committed, sampleCount } of jobs) {
    if (!isDrained || committed !== sampleCount) {
      wrong.push(`job ${jobId} ended with ${committed} of ${sampleCount} samples committed`);
    }
    const own = pieces.filter((piece) => piece.jobId === jobId);
    if (own.length === 0) continue;
    const spans = own.map(({ start, end, leaseId }) => ({ start, end, token: leaseId }));
    wrong.push(...overlaps(spans, `job ${jobId}: in the output`));
    const covered = spans.reduce((sum, { start, end }) => sum + end - start, 0);
    if (covered !== sampleCount) wrong.push(`job ${jobId}: the output has ${covered} samples`);
  }
  return wrong;
}

/** A commit that was answered is in the end, under the token it was made with. */
function lostAnswers(calls: readonly Call[], pieces: readonly FinalPiece[]): string[] {
  const final = new Set(pieces.map((piece) => `${piece.jobId} ${keyOf(piece)}`));
  return calls
    .filter(({ call, outcome }) => call === 'commit' && outcome === 'ok')
    .map(
      ({ said }) =>
        `${text(said['job'])} ${text(said['start'])} ${text(said['end'])} ${text(said['leaseId'])}`,
    )
    .filter((key) => !final.has(key))
    .map((key) => `the commit "${key}" was answered and is lost`);
}

/** Of a v0 job: what was answered as delivered under one token was never answered under another. */
function wrongDeliveries(calls: readonly Call[]): string[] {
  const reached = new Map<string, Span>();
  const nodeOf = new Map<string, string>();
  const wrong: string[] = [];
  for (const { call, outcome, said, client } of calls) {
    if (outcome !== 'ok') continue;
    if (call === 'RequestLease') {
      for (const { leaseId } of said['leases'] as readonly { readonly leaseId: string }[]) {
        const other = nodeOf.get(leaseId);
        if (other !== undefined && other !== client) {
          wrong.push(`token ${leaseId} was given to ${other} and to ${client}`);
        }
        nodeOf.set(leaseId, client);
      }
    }
    if (call !== 'ReportProgress') continue;
    const token = text(said['leaseId']);
    const start = Math.min(Number(said['start']), reached.get(token)?.start ?? Infinity);
    const end = Math.max(Number(said['cursor']), reached.get(token)?.end ?? 0);
    reached.set(token, { start, end, token });
  }
  return [...wrong, ...overlaps([...reached.values()], 'answered as delivered')];
}

/** Once somebody was seen to lead in an epoch, nobody asked later says that he leads in a lower one. */
function lateAnswersOfLeaders(calls: readonly Call[]): string[] {
  const wrong: string[] = [];
  const leaders = calls
    .filter(({ call, outcome, said }) => {
      return call === 'coordinator' && outcome === 'ok' && said['role'] === 'leader';
    })
    .map(({ said, sentMs, endedMs, address }) => {
      return { epoch: Number(said['epoch']), sentMs, endedMs, address };
    })
    .sort((a, b) => a.endedMs - b.endedMs);
  for (const late of leaders) {
    const before = leaders.find(
      ({ epoch, endedMs }) => epoch > late.epoch && endedMs < late.sentMs,
    );
    if (before === undefined) continue;
    wrong.push(
      `${late.address} answered as the leader of epoch ${late.epoch} ${(late.sentMs - before.endedMs).toFixed(0)} ms after ${before.address} had answered as that of epoch ${before.epoch}`,
    );
  }
  if (leaders.length === 0) wrong.push('nobody was ever seen to lead');
  return wrong;
}

function slowCalls(calls: readonly Call[], callMsMax: number): string[] {
  return calls
    .filter(({ sentMs, endedMs }) => endedMs - sentMs > callMsMax)
    .map(
      ({ client, call, sentMs, endedMs }) =>
        `${call} of ${client} was decided after ${Math.round(endedMs - sentMs)} ms`,
    );
}

/** A process ends when the run ends it, or when a standby does so in the open. */
function unexpectedEnds(exits: readonly Exit[], events: readonly LoggedEvent[]): string[] {
  const byStandby = new Set(
    events
      .filter(({ event }) => event === 'paused_writer_ended')
      .map(({ fields }) => fields['pid']),
  );
  return exits
    .filter(({ role, code, because, signal, pid }) => {
      if (role === 'coordinator' && signal === 'SIGKILL' && byStandby.has(pid)) return false;
      if (because !== '') return false;
      return role === 'coordinator' || role === 'store' || code !== 0;
    })
    .map(({ process, code, signal }) => `${process} ended by itself with ${signal ?? code}`);
}

function overlaps(spans: readonly Span[], what: string): string[] {
  const sorted = [...spans].sort((a, b) => a.start - b.start || a.end - b.end);
  const wrong: string[] = [];
  for (const [index, span] of sorted.entries()) {
    const before = sorted[index - 1];
    if (before === undefined || before.end <= span.start) continue;
    wrong.push(
      `${what} twice: [${before.start}, ${before.end}) under ${before.token} and [${span.start}, ${span.end}) under ${span.token}`,
    );
  }
  return wrong;
}

function keyOf({ start, end, leaseId }: FinalPiece): string {
  return `${start} ${end} ${leaseId}`;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
