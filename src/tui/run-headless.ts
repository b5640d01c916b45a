/** The screen for scripts and logs: polls so many times and prints each answer as a block. */
import { Mx8Error } from '../core/base/errors.ts';
import type { Clock } from '../ports/clock.ts';
import { JobWatch } from './job-watch.ts';
import type { JobWatchOptions } from './job-watch.ts';
import { PRINTED_MANIFEST_ROWS } from './limits.ts';
import { findRows } from './manifest-search.ts';
import type { ManifestChoice, ManifestOfJob, ManifestSource } from './manifest-source.ts';
import { manifestFailure, manifestMismatch, openSource } from './manifest-source.ts';
import { reportJson } from './report-json.ts';
import { reportText } from './report-text.ts';
import type { ManifestRows, PanelName, PanelState } from './report.ts';
import { overallStates, panelStates } from './report.ts';
import { manifestOf } from './run-screen.ts';

export interface HeadlessOptions extends JobWatchOptions {
  readonly clock: Clock;
  readonly target: string;
  readonly polls: number;
  readonly pollMs: number;
  readonly manifest: ManifestChoice;
  readonly search: string | null;
  readonly rowsPerPage: number | null;
  readonly json: boolean;
  readonly print: (text: string) => void;
  /** Cuts it short; its reason is thrown. */
  readonly signal: AbortSignal;
}

export interface HeadlessEnd {
  /** Every panel over all polls. */
  readonly panels: Readonly<Record<PanelName, PanelState>>;
  /** What the last poll failed with; null where it was answered. */
  readonly failure: Mx8Error | null;
}

export async function runHeadless(options: HeadlessOptions): Promise<HeadlessEnd> {
  const { clock, polls, pollMs, json, print, signal, target } = options;
  const watch = new JobWatch(options);
  const manifest = new PrintedManifest(options);
  const seen: Readonly<Record<PanelName, PanelState>>[] = [];
  for (let poll = 1; poll <= polls; poll += 1) {
    const startMs = clock.nowMs();
    const watched = await raced(watch.poll(), signal);
    const isLast = poll === polls;
    if (watched.look !== null && watched.link.state === 'up') {
      // A slow manifest holds up no block but the last, which waits until it is known how it ends.
      const reading = manifest.read(manifestOf(watched.look));
      await raced(isLast ? reading : Promise.race([reading, clock.sleep(pollMs, signal)]), signal);
    }
    const panels = panelStates(watched, manifest.rows);
    seen.push(panels);
    const atUnixMs = clock.unixMs();
    const report = { poll, polls, atUnixMs, target, watched, manifest: manifest.rows, panels };
    print((json ? reportJson : reportText)(report));
    if (!isLast) await clock.sleep(Math.max(0, pollMs - (clock.nowMs() - startMs)), signal);
  }
  const { code, message } = watch.watched.link;
  const failure = code === null ? null : new Mx8Error(code, message);
  return { panels: overallStates(seen), failure };
}

/** The first rows of the manifest, or the first that match; read once, and again where it failed. */
class PrintedManifest {
  readonly #options: HeadlessOptions;
  #reading: Promise<void> | null = null;
  #rows: ManifestRows;

  constructor(options: HeadlessOptions) {
    this.#options = options;
    this.#rows = {
      state: 'waiting',
      origin: options.manifest.file?.path ?? 'the coordinator',
      hash: '',
      sampleCount: 0,
      rows: [],
      search: options.search ?? '',
      failure: '',
    };
  }

  get rows(): ManifestRows {
    return this.#rows;
  }

  /** Resolves when the rows are there or it is known why not. */
  read(job: ManifestOfJob): Promise<void> {
    if (this.#rows.state === 'ready') return Promise.resolve();
    this.#reading ??= this.#readOnce(job).finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #readOnce(job: ManifestOfJob): Promise<void> {
    const { manifest, signal } = this.#options;
    try {
      const source = await openSource(manifest, job, () => undefined, signal);
      const { hash, sampleCount, origin } = source;
      this.#rows = {
        ...this.#rows,
        ...{ hash, sampleCount, origin, rows: await this.#firstRows(source) },
        state: 'ready',
        failure: manifestMismatch(source, job, manifest.wantedHash),
      };
    } catch (error) {
      signal.throwIfAborted();
      const failure = manifestFailure(error, manifest.file !== null);
      this.#rows = { ...this.#rows, state: 'failed', failure };
    }
  }

  #firstRows(source: ManifestSource): Promise<ManifestRows['rows']> {
    const { search, rowsPerPage, signal } = this.#options;
    const limit = rowsPerPage ?? PRINTED_MANIFEST_ROWS;
    if (search === null) return source.rows(0, Math.min(limit, source.sampleCount), signal);
    const onProgress = (): void => undefined;
    return findRows({ source, text: search, from: 0, signal, onProgress }, limit);
  }
}

/** Rejects with the signal's reason as soon as it aborts; the work itself ends with its client. */
function raced<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(asError(signal.reason));
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(`aborted: ${String(reason)}`);
}
