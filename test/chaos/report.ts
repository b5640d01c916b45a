/** What a run was, in figures: what was done, how often, and what was asked and answered meanwhile. */
import type { HistoryItem } from './history.ts';

export interface ChaosFigures {
  readonly faults: Readonly<Record<string, number>>;
  readonly epochs: number;
  readonly tokens: number;
  readonly commits: number;
  readonly calls: number;
  readonly callsUnanswered: number;
  readonly callMsMax: number;
  readonly pausedWritersEnded: number;
}

export function figuresOf(history: readonly HistoryItem[]): ChaosFigures {
  const faults: Record<string, number> = {};
  const counts = { epochs: 0, tokens: 0, commits: 0, calls: 0, callsUnanswered: 0 };
  let callMsMax = 0;
  let pausedWritersEnded = 0;
  for (const item of history) {
    if (item.kind === 'fault') faults[item.what] = (faults[item.what] ?? 0) + 1;
    if (item.kind === 'call' && item.call !== 'coordinator') {
      counts.calls += 1;
      if (item.outcome === 'unanswered') counts.callsUnanswered += 1;
      callMsMax = Math.max(callMsMax, item.endedMs - item.sentMs);
    }
    if (item.kind !== 'event') continue;
    if (item.event === 'leader_claimed') counts.epochs += 1;
    if (item.event === 'lease_granted') counts.tokens += 1;
    if (item.event === 'output_committed') counts.commits += 1;
    if (item.event === 'paused_writer_ended') pausedWritersEnded += 1;
  }
  return { faults, ...counts, callMsMax: Math.round(callMsMax), pausedWritersEnded };
}

export function figuresText(figures: ChaosFigures): string {
  const { faults, epochs, tokens, commits, calls, callsUnanswered, callMsMax } = figures;
  const lines = Object.entries(faults)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([what, count]) => `  ${String(count).padStart(4)} × ${what}`);
  return [
    'faults',
    ...lines,
    `  ${String(figures.pausedWritersEnded).padStart(4)} leaders paused in a write were ended by a standby`,
    `epochs   ${epochs} claimed`,
    `leases   ${tokens} granted, ${commits} pieces committed`,
    `calls    ${calls} of clients, ${callsUnanswered} unanswered and repeated, the slowest decided after ${callMsMax} ms`,
    '',
  ].join('\n');
}
