/**
 * The pages of a manifest that the screen needs: fetched when they are looked at, one at a time, the one
 * looked at last first; the ones not looked at for the longest time are forgotten.
 */
import type { SampleRecord } from '../core/manifest/record.ts';
import { PAGES_MAX, PAGE_ROWS } from './limits.ts';
import type { ManifestSource } from './manifest-source.ts';
import { manifestFailure } from './manifest-source.ts';

export interface PagerOptions {
  readonly source: ManifestSource;
  readonly isFile: boolean;
  readonly signal: AbortSignal;
  /** A page has come, or could not be had. */
  readonly onChange: () => void;
  /** Anything that is no `Mx8Error`: a bug. */
  readonly onBug: (error: unknown) => void;
}

export class ManifestPager {
  readonly #options: PagerOptions;
  /** By number, least recently used first. */
  readonly #pages: Map<number, readonly SampleRecord[]> = new Map<
    number,
    readonly SampleRecord[]
  >();
  #wanted: readonly number[] = [];
  #isFetching = false;
  #failure = '';

  constructor(options: PagerOptions) {
    this.#options = options;
  }

  /** Why the last page could not be had; '' where it could. */
  get failure(): string {
    return this.#failure;
  }

  /** Rows [start, start + count), null where they are on their way. */
  rows(start: number, count: number): readonly (SampleRecord | null)[] {
    const { sampleCount } = this.#options.source;
    const end = Math.min(sampleCount, start + count);
    const wanted: number[] = [];
    const rows: (SampleRecord | null)[] = [];
    for (let number = Math.floor(start / PAGE_ROWS); number * PAGE_ROWS < end; number += 1) {
      const page = this.#touch(number);
      if (page === undefined) wanted.push(number);
      const from = Math.max(start, number * PAGE_ROWS);
      const to = Math.min(end, (number + 1) * PAGE_ROWS);
      for (let id = from; id < to; id += 1) rows.push(page?.[id - number * PAGE_ROWS] ?? null);
    }
    this.#wanted = wanted;
    if (wanted.length > 0 && this.#failure === '') void this.#fetchWanted();
    return rows;
  }

  /** Asks again for what could not be had. */
  retry(): void {
    if (this.#failure === '') return;
    this.#failure = '';
    void this.#fetchWanted();
  }

  #touch(number: number): readonly SampleRecord[] | undefined {
    const page = this.#pages.get(number);
    if (page === undefined) return undefined;
    this.#pages.delete(number);
    this.#pages.set(number, page);
    return page;
  }

  async #fetchWanted(): Promise<void> {
    if (this.#isFetching) return;
    this.#isFetching = true;
    const { source, isFile, signal, onChange, onBug } = this.#options;
    try {
      for (let number = this.#next(); number !== undefined; number = this.#next()) {
        const start = number * PAGE_ROWS;
        const end = Math.min(source.sampleCount, start + PAGE_ROWS);
        this.#keep(number, await source.rows(start, end, signal));
        onChange();
      }
    } catch (error) {
      // The screen is being left: nobody waits for the page any more.
      if (signal.aborted) return;
      try {
        this.#failure = manifestFailure(error, isFile);
        onChange();
      } catch (bug) {
        onBug(bug);
      }
    } finally {
      this.#isFetching = false;
    }
  }

  #next(): number | undefined {
    return this.#wanted.find((number) => !this.#pages.has(number));
  }

  #keep(number: number, page: readonly SampleRecord[]): void {
    this.#pages.set(number, page);
    for (const oldest of this.#pages.keys()) {
      if (this.#pages.size <= PAGES_MAX) return;
      this.#pages.delete(oldest);
    }
  }
}
