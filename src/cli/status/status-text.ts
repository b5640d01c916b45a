/** A job as a few lines for a person, and as an object for a program. Pure. */
import type { JobSnapshot } from '../../core/job/protocol.ts';
import {
  bytesText,
  countText,
  countedText,
  durationText,
  percentText,
  phaseText,
  rateText,
} from '../../view/format.ts';
import type { CoordinatorView } from '../../ports/coordinator-client.ts';
import type { JobView } from '../../view/job-view.ts';
import type { LeaseLook, NodeLook } from '../../view/looks.ts';
import { storeText } from '../../view/store-text.ts';

/** Longer lists end in "and N more"; `--json` has all. */
const ROWS_MAX = 20;

export function statusText(snapshot: JobSnapshot, view: JobView): string {
  const lines = [
    `job ${snapshot.spec.jobId}  ${phaseText(snapshot.phase, snapshot.paused)}  ${view.health.state}`,
    ...healthLines(view),
    `  progress    ${percentText(view.fraction)}  ${countText(view.finishedSamples)} of ${countedText(view.totalSamples, 'sample')}${speedText(view)}`,
    `  work        ${countedText(view.leasedSamples, 'sample')} leased, ${countedText(snapshot.availableRanges, 'range')} waiting`,
    ...outputLines(snapshot, view),
    `  manifest    ${snapshot.spec.manifestHash}`,
    `  nodes       ${snapshot.registeredNodes} of ${snapshot.spec.worldSize}`,
    ...shortened(view.nodes.map(nodeLine)),
    ...storeLines(snapshot),
    `  leases      ${snapshot.liveLeases.length}, ${countText(snapshot.counters.leasesExpiredTotal)} expired so far`,
    ...shortened(view.leases.map(leaseLine)),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/**
 * The snapshot with what the view concludes from it, named like the fields of events: snake_case, unit
 * last. Seeds are texts, as they may be beyond 2^53.
 */
export function statusJson(
  snapshot: JobSnapshot,
  view: JobView,
  coordinator: CoordinatorView,
): string {
  const { spec, type: _, ...rest } = snapshot;
  const { health, fraction, rates, etaMs } = view;
  const status = {
    event: 'status',
    ...rest,
    spec: { ...spec, seed: String(spec.seed) },
    health,
    fraction,
    rates,
    etaMs,
    coordinator,
  };
  return `${JSON.stringify(snakeCased(status))}\n`;
}

function snakeCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCased);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter}`).toLowerCase(),
      snakeCased(inner),
    ]),
  );
}

function healthLines(view: JobView): readonly string[] {
  const { reason, remedy } = view.health;
  return reason === '' ? [] : [`  ${reason}`, ...(remedy === '' ? [] : [`  ${remedy}`])];
}

function speedText(view: JobView): string {
  const rate = view.rates === null ? '' : `  ${rateText(view.rates.samplesPerSecond)}`;
  const isRunning = view.etaMs !== null && view.fraction < 1;
  return isRunning ? `${rate}  ${durationText(view.etaMs)} left` : rate;
}

function outputLines(snapshot: JobSnapshot, view: JobView): readonly string[] {
  const lines: string[] = [];
  if (snapshot.spec.commitsOutputs) {
    const { rows, bytes, pieces } = snapshot.output;
    if (snapshot.inputBytes > 0) lines.push(`  read        ${bytesText(snapshot.inputBytes)}`);
    lines.push(
      `  output      ${countedText(rows, 'row')}, ${bytesText(bytes)} in ${countedText(pieces, 'piece')}`,
    );
  }
  if (view.quarantinedSamples > 0) {
    lines.push(`  quarantine  ${countedText(view.quarantinedSamples, 'sample')}`);
  }
  if (snapshot.outputManifestHash !== null) {
    lines.push(`  output manifest ${snapshot.outputManifestHash}`);
  }
  return lines;
}

/** None where nothing is read from stores. */
function storeLines({ stores }: JobSnapshot): readonly string[] {
  if (stores.length === 0) return [];
  const lines = stores.map((store) => `    ${store.host}  ${storeText(store)}`);
  return [`  stores      ${stores.length}`, ...shortened(lines)];
}

function nodeLine(node: NodeLook): string {
  const stale = `${node.isStale ? '  silent' : ''}${node.draining ? '  draining' : ''}`;
  const { inflightBytes, ramHighWaterBytes } = node.stats;
  return `    ${node.nodeId}  rank ${node.assignedRank}  heard ${durationText(node.heartbeatAgeMs)} ago${stale}  ${countedText(node.leaseCount, 'lease')}  ${bytesText(inflightBytes)} in flight  ${bytesText(ramHighWaterBytes)} RAM at most`;
}

function leaseLine(lease: LeaseLook): string {
  const stalled = lease.isStalled ? `  still for ${durationText(lease.stillMs)}` : '';
  return `    ${lease.leaseId}  ${lease.nodeId}  [${lease.start}, ${lease.end})  committed to ${lease.cursor}, delivered to ${lease.deliveredCursor}  expires in ${durationText(lease.expiresInMs)}${stalled}`;
}

function shortened(lines: readonly string[]): readonly string[] {
  if (lines.length <= ROWS_MAX) return lines;
  return [...lines.slice(0, ROWS_MAX), `    and ${lines.length - ROWS_MAX} more`];
}
