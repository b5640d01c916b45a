/** Reads the samples of batches into slabs, wherever they are. */
import type { Places } from '../ports/place.ts';
import type { PlacedJob } from './fill-together.ts';
import type { LocalReader } from './local-reader.ts';
import { PlaceReader } from './place-reader.ts';
import { isRemote } from './places.ts';
import type { ReadJob, ReadResult } from './read-job.ts';
import type { FilledSlab } from './reader-threads.ts';

export interface SampleReader {
  /** The slab's memory is the reader's until the answer brings it back. */
  fill(job: ReadJob, slab: ArrayBuffer): Promise<FilledSlab>;
  /** The same for jobs that follow each other and are short, which one thread reads together. */
  fillBeside(jobs: readonly PlacedJob[]): readonly Promise<FilledSlab>[];
  /** Sizes of whole objects, -1 where there is none. */
  measure(locations: readonly string[]): Promise<Float64Array>;
  /** See `LocalReader`. */
  help(): boolean;
  /** Whether `fillNow` would be likely to read a job like the last one. */
  readonly wouldReadNow: boolean;
  /** All samples of the job, read here and now; null where that could take long, or not all is well. */
  fillNow(job: ReadJob, slab: ArrayBuffer): ReadResult | null;
  readonly isBusy: boolean;
  /** Jobs at a time that it has a use for, Infinity for any number; more would only hold memory. */
  readonly jobsUseful: number;
  /** Waits for what is under way, then gives everything back. */
  close(): Promise<void>;
}

/** Batches of files go to the local reader as ever; those with anything else in them to the stores. */
export class EverywhereReader implements SampleReader {
  readonly #local: LocalReader;
  readonly #openPlaces: () => Places;
  #places: Places | null = null;
  #remote: PlaceReader | null = null;
  /** Whether the last batch was of files. */
  #isLocal: boolean = true;

  /** `openPlaces` is called when the first batch needs them; they are closed with the reader. */
  constructor(local: LocalReader, openPlaces: () => Places) {
    this.#local = local;
    this.#openPlaces = openPlaces;
  }

  fill(job: ReadJob, slab: ArrayBuffer): Promise<FilledSlab> {
    const reader = this.#readerOf(job.locations);
    this.#isLocal = reader === this.#local;
    return reader.fill(job, slab);
  }

  fillBeside(jobs: readonly PlacedJob[]): readonly Promise<FilledSlab>[] {
    const areLocal = jobs.every(({ job }) => this.#readerOf(job.locations) === this.#local);
    if (areLocal) {
      this.#isLocal = true;
      return this.#local.fillBeside(jobs);
    }
    return jobs.map(({ job, slab }) => this.fill(job, slab));
  }

  measure(locations: readonly string[]): Promise<Float64Array> {
    return this.#readerOf(locations).measure(locations);
  }

  help(): boolean {
    return this.#local.help();
  }

  get wouldReadNow(): boolean {
    return this.#isLocal && this.#local.wouldReadNow;
  }

  fillNow(job: ReadJob, slab: ArrayBuffer): ReadResult | null {
    return this.#local.fillNow(job, slab);
  }

  get isBusy(): boolean {
    return this.#local.isBusy;
  }

  get jobsUseful(): number {
    return this.#isLocal ? this.#local.jobsUseful : Infinity;
  }

  /** The stores, opened when somebody needs them; they are closed with the reader. */
  places(): Places {
    this.#places ??= this.#openPlaces();
    return this.#places;
  }

  async close(): Promise<void> {
    await Promise.all([this.#local.close(), this.#remote?.close()]);
    await this.#places?.close();
  }

  #readerOf(locations: readonly string[]): LocalReader | PlaceReader {
    if (!areSomeRemote(locations)) return this.#local;
    this.#remote ??= new PlaceReader(this.places());
    return this.#remote;
  }
}

/** Samples of one shard have one and the same text: it is looked at once. */
function areSomeRemote(locations: readonly string[]): boolean {
  let last = '';
  for (const location of locations) {
    if (location === last) continue;
    if (isRemote(location)) return true;
    last = location;
  }
  return false;
}
