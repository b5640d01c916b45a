/**
 * A run in progress: coordinator in this process, agents beside it, the line on the screen, until the
 * job is complete, has failed, or somebody asked to stop.
 */
import { isErrorCode, Mx8Error } from '../../core/base/errors.ts';
import type { JobSnapshot } from '../../core/job/protocol.ts';
import { elapsedMs } from '../../core/base/units.ts';
import { treeRssBytes } from '../../platform/process-tree.ts';
import type { CoordinatorClient } from '../../ports/coordinator-client.ts';
import type { EventSink } from '../../ports/event-sink.ts';
import { bytesText } from '../../view/format.ts';
import { EMPTY_HISTORY, lookAt, type ViewHistory } from '../../view/job-view.ts';
import type { ViewLimits } from '../../view/looks.ts';
import type { CommandIo } from '../command-io.ts';
import type { AgentFleet } from './agent-fleet.ts';
import { progressLine, progressSentence } from './progress-line.ts';
import type { StatusScreen } from './status-screen.ts';

export interface SuperviseOptions {
  readonly io: CommandIo;
  readonly client: CoordinatorClient;
  readonly fleet: AgentFleet;
  readonly screen: StatusScreen;
  readonly events: EventSink;
  /** Emit `run_progress` events: with --json. */
  readonly emitsProgress: boolean;
  readonly name: string;
  readonly jobId: JobSnapshot['spec']['jobId'];
  readonly rssCapBytes: number;
  readonly limits: ViewLimits;
  /** Rejects when the coordinator cannot go on. */
  readonly fatal: Promise<never>;
  /** Called with every look at the job, also the last. */
  readonly onSnapshot: (snapshot: JobSnapshot) => void;
}

export interface RunResult {
  readonly snapshot: JobSnapshot;
  readonly elapsedMs: number;
  /** Highest sum over all processes that was seen; null where it cannot be read. */
  readonly peakRssBytes: number | null;
}

/** Often enough for a bar that moves, and to see peaks of memory; a look costs well under 1 ms. */
const LOOK_INTERVAL_MS = 100;
const PROGRESS_EVENT_INTERVAL_MS = 1000;

/** Resolves when the job is complete; rejects with its failure, `agents_lost`, or the interruption. */
export async function supervise(options: SuperviseOptions): Promise<RunResult> {
  const { io, client, screen, jobId } = options;
  const signal = endSignal(options);
  const startMs = io.clock.nowMs();
  let history: ViewHistory = EMPTY_HISTORY;
  let peakRssBytes: number | null = null;
  let saidMs = startMs;
  for (;;) {
    const snapshot = await client.snapshot(jobId);
    options.onSnapshot(snapshot);
    const nowMs = io.clock.nowMs();
    const rssBytes = treeRssBytes(process.pid);
    if (rssBytes !== null) peakRssBytes = Math.max(peakRssBytes ?? 0, rssBytes);
    if (rssBytes !== null && rssBytes > options.rssCapBytes) {
      throw overCap(rssBytes, options.rssCapBytes);
    }
    const look = lookAt(snapshot, nowMs, history, options.limits);
    history = look.history;
    const { name, rssCapBytes } = options;
    const figures = { name, view: look.view, rssBytes, rssCapBytes };
    if (!options.emitsProgress) {
      screen.show(progressLine(figures, io.columns), progressSentence(figures));
    } else if (elapsedMs(saidMs, nowMs) >= PROGRESS_EVENT_INTERVAL_MS) {
      saidMs = nowMs;
      options.events.emit('info', 'run_progress', progressFields(snapshot, rssBytes));
    }
    if (snapshot.phase === 'completed') {
      return { snapshot, elapsedMs: elapsedMs(startMs, nowMs), peakRssBytes };
    }
    if (snapshot.phase === 'failed') throw failureOf(snapshot);
    await io.clock.sleep(LOOK_INTERVAL_MS, signal);
  }
}

/** Aborts with what ends the run before its job does. One listener each, however long the run. */
function endSignal(options: SuperviseOptions): AbortSignal {
  const controller = new AbortController();
  for (const end of [options.fleet.lost, options.fatal]) {
    end.catch((error: unknown) => controller.abort(error));
  }
  return AbortSignal.any([options.io.signal, controller.signal]);
}

function progressFields(
  snapshot: JobSnapshot,
  rssBytes: number | null,
): Record<string, string | number | null> {
  const { committed, quarantined, leased } = snapshot.samples;
  return {
    committed_samples: committed,
    quarantined_samples: quarantined,
    leased_samples: leased,
    total_samples: snapshot.spec.sampleCount,
    input_bytes: snapshot.inputBytes,
    output_rows: snapshot.output.rows,
    output_bytes: snapshot.output.bytes,
    nodes: snapshot.registeredNodes,
    rss_bytes: rssBytes,
  };
}

/** Each worker has a cap of its own; all together passing theirs means that one of them got away. */
function overCap(rssBytes: number, capBytes: number): Mx8Error {
  const message = `the processes of the run have ${bytesText(rssBytes)} of resident memory together, above the ${bytesText(capBytes)} of --ram-gb; lower --nodes, --workers or --max-inflight-bytes, or raise --ram-gb`;
  return new Mx8Error('rss_cap_exceeded', message, { rss_bytes: rssBytes, ram_bytes: capBytes });
}

/** The job's own failure, under its own code, so that scripts can branch on it. */
function failureOf(snapshot: JobSnapshot): Mx8Error {
  const { code = 'job_failed', message = 'the job failed' } = snapshot.failure ?? {};
  return new Mx8Error(isErrorCode(code) ? code : 'job_failed', message);
}
