/** A poll as a block of lines that a person reads and `grep` finds: facts as `wire_name=value`. */
import type { SampleRecord } from '../core/manifest/record.ts';
import {
  bytesText,
  countText,
  countedText,
  durationText,
  percentText,
  phaseText,
  rateText,
} from '../view/format.ts';
import type { LeaseLook, NodeLook } from '../view/looks.ts';
import type { JobLook } from './job-look.ts';
import type { Watched } from './job-watch.ts';
import { PRINTED_ROWS_MAX } from './limits.ts';
import { staleFirst } from './nodes-panel.ts';
import type { ManifestRows, PanelName, PanelState, PollReport } from './report.ts';
import { PANELS } from './report.ts';
import { clean } from './text.ts';
import { wireEntries } from '../view/wire-name.ts';

const COUNTERS_PER_LINE = 4;
const TUNING_PER_LINE = 4;

export function reportText(report: PollReport): string {
  const { watched, manifest, panels, target } = report;
  const { look, link } = watched;
  const count =
    report.polls === 0 ? `poll ${report.poll}` : `poll ${report.poll} of ${report.polls}`;
  const when = new Intl.DateTimeFormat('sv-SE', {
    dateStyle: 'short',
    timeStyle: 'medium',
    timeZone: 'UTC',
  }).format(report.atUnixMs);
  const lines = [`${count}  ${when}Z  ${clean(target)}`];
  if (link.state !== 'up') {
    lines.push(field('coordinator', `${link.state}: ${clean(link.message)}`));
    if (look !== null) lines.push(field('', 'what follows is the last answer'));
  }
  if (look !== null)
    lines.push(...jobLines(look), ...nodeLines(look, watched), ...leaseLines(look));
  lines.push(...manifestLines(manifest), field('panels', panelsText(panels)));
  return lines.map((line) => `${line.trimEnd()}\n`).join('') + '\n';
}

/** What stayed empty or failed, a line for each; '' when all panels have something to show. */
export function verdictText(panels: Readonly<Record<PanelName, PanelState>>): string {
  return PANELS.filter((name) => panels[name].state !== 'ok')
    .map((name) => {
      const { state, reason } = panels[name];
      const verb = state === 'empty' ? 'stayed empty' : 'failed';
      return `mx8 tui: the panel ${name} ${verb}: ${clean(reason)}\n`;
    })
    .join('');
}

function jobLines({ snapshot, view }: JobLook): readonly string[] {
  const { spec, samples, counters } = snapshot;
  const { state, reason, remedy } = view.health;
  const isRunning = view.fraction < 1;
  const rate = isRunning && view.rates !== null ? `  ${rateText(view.rates.samplesPerSecond)}` : '';
  const left = isRunning && view.etaMs !== null ? `  ${durationText(view.etaMs)} left` : '';
  const entries = wireEntries(counters).map(([name, value]) => `${name}=${value}`);
  return [
    field('job', `${spec.jobId}  ${phaseText(snapshot.phase, snapshot.paused)}`),
    field('health', `${state}${reason === '' ? '' : `: ${clean(reason)}`}`),
    ...(remedy === '' ? [] : [field('to do', clean(remedy))]),
    field(
      'progress',
      `${percentText(view.fraction)}  ${countText(view.finishedSamples)} of ${countedText(view.totalSamples, 'sample')}${rate}${left}`,
    ),
    field(
      'state',
      `ready=${snapshot.jobReady} drained=${snapshot.jobDrained} nodes=${snapshot.registeredNodes}/${spec.worldSize} active_leases=${view.leaseFigures.count} available_ranges=${snapshot.availableRanges}`,
    ),
    field(
      'samples',
      wireEntries(samples)
        .map(([name, value]) => `${name}=${value}`)
        .join(' '),
    ),
    ...chunked(entries, COUNTERS_PER_LINE).map((some, index) =>
      field(index === 0 ? 'counters' : '', some.join(' ')),
    ),
  ];
}

function nodeLines({ view }: JobLook, { rates }: Watched): readonly string[] {
  const stale = view.nodes.filter((node) => node.isStale).length;
  const title = `${view.nodes.length}${stale === 0 ? '' : `, ${stale} stale`}`;
  const nodes = staleFirst(view.nodes);
  const rows = nodes
    .slice(0, PRINTED_ROWS_MAX)
    .flatMap((node) => nodeRows(node, rates.perSecond.get(node.nodeId)));
  return [field('nodes', title), ...rows, ...moreLine(nodes.length)];
}

/** What tells how it is, and below it how it is tuned. */
function nodeRows(node: NodeLook, perSecond: number | undefined): readonly string[] {
  const { stats, caps } = node;
  const { inflightBytes, ramHighWaterBytes, ...others } = stats;
  const rate = perSecond === undefined ? '' : ` rate=${rateText(perSecond)}`;
  const stale = `${node.isStale ? ' STALE' : ''}${node.draining ? ' DRAINING' : ''}`;
  const rest = wireEntries(others).map(([name, value]) => `${name}=${value}`);
  return [
    `    ${clean(node.nodeId)}  rank=${node.assignedRank} hb_age_ms=${Math.round(node.heartbeatAgeMs)}${stale} leases=${node.leaseCount}${rate} inflight_bytes=${inflightBytes}${ofCap(caps.maxInflightBytes)} ram_high_water_bytes=${ramHighWaterBytes}${ofCap(caps.maxRamBytes)}`,
    ...chunked(rest, TUNING_PER_LINE).map((some) => `        ${some.join(' ')}`),
  ];
}

function ofCap(cap: number): string {
  return cap > 0 ? ` (cap ${bytesText(cap)})` : '';
}

function leaseLines({ view }: JobLook): readonly string[] {
  const stalled = view.leases.filter((lease) => lease.isStalled);
  const title = `${view.leases.length}${stalled.length === 0 ? '' : `, ${stalled.length} stalled`}`;
  const moving = view.leases.filter((lease) => !lease.isStalled);
  return [field('leases', title), ...shortened([...stalled, ...moving].map(leaseLine))];
}

function leaseLine(lease: LeaseLook): string {
  const still = lease.isStalled ? ` STALLED still_ms=${Math.round(lease.stillMs)}` : '';
  return `    ${lease.leaseId}  ${clean(lease.nodeId)}  [${lease.start}, ${lease.end}) cursor=${lease.cursor} delivered=${lease.deliveredCursor} expires_in_ms=${Math.round(lease.expiresInMs)}${still}`;
}

function manifestLines(manifest: ManifestRows): readonly string[] {
  const { state, origin, hash, sampleCount, rows, search, failure } = manifest;
  const about = `${hash}  ${countedText(sampleCount, 'sample')} from ${clean(origin)}`;
  const matching = search === '' ? '' : `, rows with "${clean(search)}"`;
  return [
    field('manifest', state === 'ready' ? `${about}${matching}` : state),
    ...(failure === '' ? [] : [field('', clean(failure))]),
    ...rows.map(recordLine),
  ];
}

function recordLine({
  sampleId,
  location,
  byteOffset,
  byteLength,
  decodeHint,
}: SampleRecord): string {
  const extent = byteOffset === null ? '' : `  [${byteOffset}, +${byteLength})`;
  return `    ${sampleId}  ${clean(location)}${extent}  ${clean(decodeHint)}`;
}

function panelsText(panels: Readonly<Record<PanelName, PanelState>>): string {
  return PANELS.map((name) => `${name}=${panels[name].state}`).join(' ');
}

function field(name: string, value: string): string {
  return `  ${name.padEnd(12)}${value}`;
}

function shortened(lines: readonly string[]): readonly string[] {
  return [...lines.slice(0, PRINTED_ROWS_MAX), ...moreLine(lines.length)];
}

function moreLine(length: number): readonly string[] {
  if (length <= PRINTED_ROWS_MAX) return [];
  return [`    and ${countText(length - PRINTED_ROWS_MAX)} more; --json has all`];
}

function chunked<T>(list: readonly T[], size: number): readonly (readonly T[])[] {
  const chunks = Math.ceil(list.length / size);
  return Array.from({ length: chunks }, (_, index) => list.slice(index * size, (index + 1) * size));
}
