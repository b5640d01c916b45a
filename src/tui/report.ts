/** One poll as a record of facts: what the headless screen prints as text or as JSON. */
import type { SampleRecord } from '../core/manifest/record.ts';
import type { Watched } from './job-watch.ts';

export const PANELS = ['job', 'nodes', 'leases', 'manifest'] as const;
export type PanelName = (typeof PANELS)[number];

/** A panel that shows what it is for, has nothing to show, or could not get it. */
export interface PanelState {
  readonly state: 'ok' | 'empty' | 'failed';
  /** Why it is empty or failed; '' when ok. */
  readonly reason: string;
}

export interface ManifestRows {
  readonly state: 'waiting' | 'ready' | 'failed';
  readonly origin: string;
  readonly hash: string;
  readonly sampleCount: number;
  readonly rows: readonly SampleRecord[];
  /** '' unless rows were searched for. */
  readonly search: string;
  /** Why it failed; also where rows are shown that are not those of the job. */
  readonly failure: string;
}

export interface PollReport {
  readonly poll: number;
  readonly polls: number;
  readonly atUnixMs: number;
  readonly target: string;
  readonly watched: Watched;
  readonly manifest: ManifestRows;
  readonly panels: Readonly<Record<PanelName, PanelState>>;
}

const OK: PanelState = { state: 'ok', reason: '' };

export function panelStates(
  watched: Watched,
  manifest: ManifestRows,
): Readonly<Record<PanelName, PanelState>> {
  return {
    job: jobPanel(watched),
    nodes: nodesPanel(watched),
    leases: leasesPanel(watched),
    manifest: manifestPanel(manifest),
  };
}

/** Over all polls: a panel that had something once is fine, except that a failure at the end counts. */
export function overallStates(
  reports: readonly Readonly<Record<PanelName, PanelState>>[],
): Readonly<Record<PanelName, PanelState>> {
  const last = reports.at(-1);
  const overall = (name: PanelName): PanelState => {
    const end = last?.[name] ?? { state: 'failed', reason: 'nothing was asked' };
    if (end.state !== 'empty') return end;
    return reports.some((one) => one[name].state === 'ok') ? OK : end;
  };
  return {
    job: overall('job'),
    nodes: overall('nodes'),
    leases: overall('leases'),
    manifest: overall('manifest'),
  };
}

function jobPanel({ link }: Watched): PanelState {
  if (link.state === 'up') return OK;
  const reason = link.message === '' ? 'no answer yet' : link.message;
  return { state: 'failed', reason };
}

function nodesPanel({ look, link }: Watched): PanelState {
  if (look === null || link.state !== 'up')
    return { state: 'failed', reason: 'the job is not known' };
  if (look.snapshot.nodes.length > 0 || isOver(look.snapshot)) return OK;
  return { state: 'empty', reason: 'no node is registered; start one with mx8 agent' };
}

function leasesPanel({ look, link }: Watched): PanelState {
  if (look === null || link.state !== 'up')
    return { state: 'failed', reason: 'the job is not known' };
  const { snapshot, view } = look;
  if (view.leaseFigures.count > 0 || isOver(snapshot)) return OK;
  return {
    state: 'empty',
    reason: `no lease is active although ${snapshot.availableRanges} ranges are available`,
  };
}

function manifestPanel(manifest: ManifestRows): PanelState {
  if (manifest.failure !== '') return { state: 'failed', reason: manifest.failure };
  if (manifest.state === 'waiting') {
    return {
      state: 'empty',
      reason: 'which manifest the job reads, or its rows, did not come yet',
    };
  }
  if (manifest.rows.length > 0) return OK;
  const reason = manifest.search === '' ? 'it has no rows' : `no row has "${manifest.search}"`;
  return { state: 'empty', reason };
}

/** Nobody is expected to work on it any more. */
function isOver(snapshot: { readonly jobDrained: boolean; readonly phase: string }): boolean {
  return snapshot.jobDrained || snapshot.phase !== 'running';
}
