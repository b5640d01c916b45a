/**
 * The manifest while a screen shows it: opened once it is known which one the job reads, paged through,
 * searched, and tried again when it could not be had.
 */
import type { MonoMs } from '../core/base/units.ts';
import { elapsedMs } from '../core/base/units.ts';
import type { Clock } from '../ports/clock.ts';
import { countText, percentText } from '../view/format.ts';
import { MANIFEST_RETRY_MS } from './limits.ts';
import { ManifestPager } from './manifest-pager.ts';
import { findRow } from './manifest-search.ts';
import type { ManifestChoice, ManifestOfJob, ManifestSource } from './manifest-source.ts';
import { manifestFailure, manifestMismatch, openSource } from './manifest-source.ts';
import type { ManifestModel } from './tui-model.ts';
import { NO_MANIFEST } from './tui-model.ts';

export interface DeskOptions extends ManifestChoice {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Something that is shown has changed. */
  readonly onChange: () => void;
  readonly onOpen: () => void;
  /** A search has ended; null: no row matches. */
  readonly onFound: (text: string, sampleId: number | null) => void;
  /** Anything that is no `Mx8Error`. */
  readonly onBug: (error: unknown) => void;
}

export class ManifestDesk {
  readonly #options: DeskOptions;
  #job: ManifestOfJob | null = null;
  #source: ManifestSource | null = null;
  #pager: ManifestPager | null = null;
  #state: ManifestModel['state'] = 'waiting';
  #failure = '';
  #activity = '';
  #triedMs: MonoMs | null = null;
  #search: AbortController | null = null;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  get sampleCount(): number {
    return this.#source?.sampleCount ?? 0;
  }

  /** Called after each answer of the coordinator. */
  observe(job: ManifestOfJob): void {
    const isOther = this.#job !== null && this.#job.manifestHash !== job.manifestHash;
    this.#job = job;
    const { clock, file } = this.#options;
    const nowMs = clock.nowMs();
    if (isOther && file === null) this.#forget();
    const waitsForRetry =
      this.#triedMs !== null && elapsedMs(this.#triedMs, nowMs) < MANIFEST_RETRY_MS;
    if (this.#state === 'waiting' || (this.#state === 'failed' && !waitsForRetry)) {
      this.#triedMs = nowMs;
      void this.#open(job);
    } else if (this.#pager?.failure !== undefined && this.#pager.failure !== '' && !waitsForRetry) {
      this.#triedMs = nowMs;
      this.#pager.retry();
    }
  }

  /** What the screen shows of it: rows [top, top + count). */
  model(top: number, count: number): ManifestModel {
    const { file, wantedHash } = this.#options;
    const source = this.#source;
    if (source === null || this.#pager === null) {
      const origin = file?.path ?? 'the coordinator';
      const [state, failure, activity] = [this.#state, this.#failure, this.#activity];
      return { ...NO_MANIFEST, state, failure, activity, origin };
    }
    const rows = this.#pager.rows(top, count);
    const { failure } = this.#pager;
    const hasNothing = failure !== '' && rows.every((row) => row === null);
    return {
      state: hasNothing ? 'failed' : 'ready',
      origin: source.origin,
      hash: source.hash,
      sampleCount: source.sampleCount,
      failure,
      warning: manifestMismatch(source, this.#job, wantedHash),
      activity: this.#activity,
      top,
      rows,
    };
  }

  /** Looks for `text` from a row on; a search under way gives way. */
  search(text: string, from: number): void {
    const source = this.#source;
    this.cancelSearch();
    if (source === null) return;
    const { signal, onFound } = this.#options;
    const controller = new AbortController();
    this.#search = controller;
    this.#say(`searching "${text}"…  Esc stops`);
    const onProgress = (scanned: number): void => {
      const done = percentText(scanned / Math.max(1, source.sampleCount));
      this.#say(`searching "${text}": ${countText(scanned)} rows, ${done}…  Esc stops`);
    };
    const both = AbortSignal.any([signal, controller.signal]);
    findRow({ source, text, from, signal: both, onProgress }).then(
      (found) => {
        if (this.#search !== controller) return;
        this.#search = null;
        this.#say('');
        onFound(text, found);
      },
      (error: unknown) => {
        if (both.aborted) return;
        this.#search = null;
        this.#guarded(() => this.#say(`the search ended: ${manifestFailure(error, this.#isFile)}`));
      },
    );
  }

  cancelSearch(): void {
    if (this.#search === null) return;
    this.#search.abort();
    this.#search = null;
    this.#say('');
  }

  get #isFile(): boolean {
    return this.#options.file !== null;
  }

  async #open(job: ManifestOfJob): Promise<void> {
    const { signal, onChange, onBug, onOpen, file } = this.#options;
    this.#state = 'opening';
    this.#failure = '';
    const onProgress = (fraction: number): void =>
      this.#say(`reading ${file?.path ?? 'the manifest'}: ${percentText(fraction)}`);
    try {
      const source = await openSource(this.#options, job, onProgress, signal);
      const isFile = this.#isFile;
      this.#source = source;
      this.#pager = new ManifestPager({ source, isFile, signal, onChange, onBug });
      this.#state = 'ready';
      this.#say('');
      onOpen();
    } catch (error) {
      if (signal.aborted) return;
      this.#guarded(() => {
        this.#failure = manifestFailure(error, this.#isFile);
        this.#state = 'failed';
        this.#say('');
      });
    }
  }

  /** The job reads another manifest now. */
  #forget(): void {
    this.cancelSearch();
    this.#source = null;
    this.#pager = null;
    this.#state = 'waiting';
    this.#triedMs = null;
  }

  #guarded(body: () => void): void {
    try {
      body();
    } catch (bug) {
      this.#options.onBug(bug);
    }
  }

  #say(activity: string): void {
    this.#activity = activity;
    this.#options.onChange();
  }
}
