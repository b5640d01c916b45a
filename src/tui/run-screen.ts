/** The screen that an operator looks at: polls, draws, and obeys keys until it is left. */
import type { Clock, TimerHandle } from '../ports/clock.ts';
import { Mx8Error } from '../core/base/errors.ts';
import { elapsedMs } from '../core/base/units.ts';
import type { LeaseChoice, LeasePart } from '../core/job/protocol.ts';
import { frameOf } from './frame.ts';
import { JobWatch } from './job-watch.ts';
import type { JobWatchOptions } from './job-watch.ts';
import type { Key } from './keys.ts';
import { decodeKeys, flushKeys } from './keys.ts';
import { pageRowsOf } from './layout.ts';
import { choiceFor, hasPart, partInSight } from './lease-part.ts';
import { COLUMNS_MAX, ESCAPE_WAIT_MS, HURRY_MS, REDRAW_MS, ROWS_MAX } from './limits.ts';
import { ManifestDesk } from './manifest-desk.ts';
import type { ManifestChoice, ManifestOfJob } from './manifest-source.ts';
import type { JobLook } from './job-look.ts';
import { Painter } from './paint.ts';
import type { Terminal, TerminalSize } from './terminal.ts';
import type { TuiModel } from './tui-model.ts';
import { listLength } from './tui-model.ts';
import type { Action, UiContext, UiState } from './ui-state.ts';
import { INITIAL_UI, goTo, placeAt, pressKey } from './ui-state.ts';

export interface ScreenOptions extends JobWatchOptions {
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly colour: boolean;
  /** Where the coordinator is, as it was typed. */
  readonly target: string;
  readonly pollMs: number;
  readonly manifest: ManifestChoice;
  /** A text to search the manifest for at first; null for none. */
  readonly search: string | null;
  /** Rows of the manifest on a page; null for as many as fit. */
  readonly rowsPerPage: number | null;
  /** Leaves the screen, like `q`; its reason is thrown. */
  readonly signal: AbortSignal;
}

/** How it was left by the operator. `interrupt` is Ctrl-C. */
export type ScreenEnd = 'quit' | 'interrupt';

export function runScreen(options: ScreenOptions): Promise<ScreenEnd> {
  return new Screen(options).run();
}

class Screen {
  readonly #options: ScreenOptions;
  readonly #watch: JobWatch;
  readonly #desk: ManifestDesk;
  readonly #painter: Painter;
  /** Ends everything that runs for this screen. */
  readonly #leaving: AbortController = new AbortController();
  readonly #end: PromiseWithResolvers<ScreenEnd> = Promise.withResolvers<ScreenEnd>();
  #ui: UiState = INITIAL_UI;
  #input = '';
  #escapeTimer: TimerHandle | null = null;
  #isDrawScheduled = false;
  #firstSearch: string | null;
  /** Ends the wait for the next poll. */
  #hurry: AbortController = new AbortController();

  constructor(options: ScreenOptions) {
    this.#options = options;
    this.#watch = new JobWatch({ ...options, leases: () => this.#choice() });
    this.#painter = new Painter(options.colour);
    this.#firstSearch = options.search;
    this.#desk = new ManifestDesk({
      ...options.manifest,
      clock: options.clock,
      signal: this.#leaving.signal,
      onChange: () => this.#draw(),
      onOpen: () => this.#searchAtFirst(),
      onFound: (text, sampleId) => this.#found(text, sampleId),
      onBug: (error) => this.#end.reject(asError(error)),
    });
  }

  async run(): Promise<ScreenEnd> {
    const { terminal, signal } = this.#options;
    const abort = (): void => this.#end.reject(asError(signal.reason));
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    terminal.onInput((text) => this.#type(text));
    terminal.onEnd(() => this.#end.resolve('quit'));
    terminal.onResize(() => {
      this.#painter.forget();
      this.#draw();
    });
    this.#draw();
    const polling = this.#poll();
    const ticking = this.#tick();
    polling.catch((error: unknown) => this.#end.reject(asError(error)));
    ticking.catch((error: unknown) => this.#end.reject(asError(error)));
    try {
      return await this.#end.promise;
    } finally {
      signal.removeEventListener('abort', abort);
      this.#escapeTimer?.clear();
      this.#leaving.abort(new Mx8Error('interrupted', 'the screen was left'));
    }
  }

  async #poll(): Promise<void> {
    const { clock, pollMs } = this.#options;
    const { signal } = this.#leaving;
    while (!signal.aborted) {
      const { look, link } = await this.#watch.poll();
      if (look !== null && link.state === 'up') this.#desk.observe(manifestOf(look));
      this.#draw();
      const startMs = clock.nowMs();
      await untilAborted(clock.sleep(Math.min(HURRY_MS, pollMs), signal), signal);
      const leftMs = pollMs - elapsedMs(startMs, clock.nowMs());
      if (leftMs <= 0 || this.#lacksLeases()) continue;
      this.#hurry = new AbortController();
      const either = AbortSignal.any([signal, this.#hurry.signal]);
      await untilAborted(clock.sleep(leftMs, either), either);
    }
  }

  #choice(): LeaseChoice {
    return choiceFor(this.#leasesInSight(), this.#options.limits.leaseStallMs);
  }

  #leasesInSight(): LeasePart {
    const rows = pageRowsOf(this.#size(), this.#ui, this.#options.rowsPerPage);
    return partInSight(this.#ui, this.#watch.watched.look, rows);
  }

  /** Whether the next poll would show leases that are in sight and not known. */
  #lacksLeases(): boolean {
    const { look, link } = this.#watch.watched;
    return link.state === 'up' && !hasPart(look, this.#leasesInSight());
  }

  /** Keeps the ages that are shown true between answers. */
  async #tick(): Promise<void> {
    const { signal } = this.#leaving;
    while (!signal.aborted) {
      await untilAborted(this.#options.clock.sleep(REDRAW_MS, signal), signal);
      if (this.#watch.watched.link.state !== 'up') this.#draw();
    }
  }

  #type(text: string): void {
    this.#escapeTimer?.clear();
    const { keys, rest } = decodeKeys(this.#input + text);
    this.#input = rest;
    for (const key of keys) this.#press(key);
    if (rest === '') return;
    this.#escapeTimer = this.#options.clock.setTimer(ESCAPE_WAIT_MS, () => {
      this.#input = '';
      for (const key of flushKeys(rest)) this.#press(key);
    });
  }

  #press(key: Key): void {
    const { ui, action } = pressKey(this.#ui, key, this.#context(this.#ui));
    this.#ui = ui;
    if (action !== null) this.#act(action);
    this.#draw();
  }

  #act(action: Action): void {
    switch (action.type) {
      case 'quit':
        this.#end.resolve(action.isInterrupt ? 'interrupt' : 'quit');
        return;
      case 'search':
        this.#desk.search(action.text, action.from);
        return;
      case 'cancel_search':
        this.#desk.cancelSearch();
        return;
      default:
        return action satisfies never;
    }
  }

  #searchAtFirst(): void {
    const text = this.#firstSearch;
    if (text === null) return;
    this.#firstSearch = null;
    this.#ui = { ...this.#ui, tab: 'manifest', search: text };
    this.#desk.search(text, 0);
  }

  #found(text: string, sampleId: number | null): void {
    if (sampleId === null) {
      this.#ui = { ...this.#ui, message: `no row has "${text}"` };
    } else {
      const ui: UiState = { ...this.#ui, tab: 'manifest' };
      this.#ui = goTo(ui, 'manifest', sampleId, this.#context(ui));
    }
    this.#draw();
  }

  #context(ui: UiState): UiContext {
    const nodes = this.#watch.watched.look?.view.nodes ?? [];
    const model = this.#model(0, 0);
    return {
      lengthOf: (tab) => listLength(model, tab),
      pageRows: pageRowsOf(this.#size(), ui, this.#options.rowsPerPage),
      findNode: (text, from) => {
        const start = nodes.length === 0 ? 0 : from % nodes.length;
        const turned = [...nodes.slice(start), ...nodes.slice(0, start)];
        const found = turned.findIndex((node) => node.nodeId.includes(text));
        return found === -1 ? -1 : (found + start) % nodes.length;
      },
      findRank: (rank) => nodes.findIndex((node) => node.assignedRank === rank),
    };
  }

  #size(): TerminalSize {
    const { columns, rows } = this.#options.terminal.size();
    return { columns: Math.min(columns, COLUMNS_MAX), rows: Math.min(rows, ROWS_MAX) };
  }

  /** Once for everything that happens in one turn of the event loop. */
  #draw(): void {
    if (this.#isDrawScheduled || this.#leaving.signal.aborted) return;
    this.#isDrawScheduled = true;
    queueMicrotask(() => {
      this.#isDrawScheduled = false;
      if (this.#leaving.signal.aborted) return;
      if (this.#lacksLeases()) this.#hurry.abort(new Mx8Error('interrupted', 'more is in sight'));
      try {
        this.#drawNow();
      } catch (error) {
        this.#end.reject(asError(error));
      }
    });
  }

  #drawNow(): void {
    const size = this.#size();
    const rows = pageRowsOf(size, this.#ui, this.#options.rowsPerPage);
    const place = this.#ui.places.manifest;
    const { top } = placeAt(place, place.selected, this.#desk.sampleCount, rows);
    // Rows that nobody looks at are not fetched.
    const count = this.#ui.tab === 'manifest' ? rows : 0;
    const text = this.#painter.update(frameOf(this.#model(top, count), size));
    if (text !== '') this.#options.terminal.write(text);
  }

  #model(top: number, count: number): TuiModel {
    const { target, clock, pollMs } = this.#options;
    return {
      target,
      watched: this.#watch.watched,
      manifest: this.#desk.model(top, count),
      ui: this.#ui,
      nowMs: clock.nowMs(),
      pollMs,
    };
  }
}

export function manifestOf({ snapshot }: JobLook): ManifestOfJob {
  const { jobId, manifestHash, sampleCount } = snapshot.spec;
  return { jobId, manifestHash, sampleCount };
}

/** That a wait was cut short is no failure: the loop looks at the signal itself. */
async function untilAborted(wait: Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await wait;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
