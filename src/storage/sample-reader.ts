/** Reads the samples of batches into slabs, wherever they are. */
import type { Places } from '../ports/place.ts';
import type { LocalReader } from './local-reader.ts';
import { PlaceReader } from './place-reader.ts';
import { isRemote } from './places.ts';
import type { ReadJob } from './read-job.ts';
import type { FilledSlab } from './reader-threads.ts';

export interface SampleReader {
  /** The slab's memory is the reader's until the answer brings it back. */
  fill(job: ReadJob, slab: ArrayBuffer): Promise<FilledSlab>;
  /** Sizes of whole objects, -1 where there is none. */
  measure(locations: readonly string[]): Promise<Float64Array>;
  /** See `LocalReader`. */
  help(): boolean;
  readonly isBusy: boolean;
  /** Waits for what is under way, then gives everything back. */
  close(): Promise<void>;
}

/** Batches of files go to the local reader as ever; those with anything else in them to the stores. */
export class EverywhereReader implements SampleReader {
  readonly #local: LocalReader;
  readonly #openPlaces: () => Places;
  #places: Places | null = null;
  #remote: PlaceReader | null = null;

  /** `openPlaces` is called when the first batch needs them; they are closed with the reader. */
  constructor(local: LocalReader, openPlaces: () => Places) {
    this.#local = local;
    this.#openPlaces = openPlaces;
  }

  fill(job: ReadJob, slab: ArrayBuffer): Promise<FilledSlab> {
    return this.#readerOf(job.locations).fill(job, slab);
  }

  measure(locations: readonly string[]): Promise<Float64Array> {
    return this.#readerOf(locations).measure(locations);
  }

  help(): boolean {
    return this.#local.help();
  }

  get isBusy(): boolean {
    return this.#local.isBusy;
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
    const first = locations[0] ?? '';
    const last = locations.at(-1) ?? '';
    // Two looks tell of nearly every batch what it is; a mixed one is told apart by looking at all.
    if (!isRemote(first) && !isRemote(last) && !locations.some(isRemote)) return this.#local;
    this.#remote ??= new PlaceReader(this.places());
    return this.#remote;
  }
}
