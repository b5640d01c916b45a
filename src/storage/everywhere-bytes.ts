/** Bytes of files and of objects in stores, each from where it is. */
import type { ByteSource } from '../ports/byte-source.ts';
import type { Places } from '../ports/place.ts';
import { LocalBytes } from './local-bytes.ts';
import { PlaceBytes } from './place-bytes.ts';
import { isRemote } from './places.ts';

export class EverywhereBytes implements ByteSource {
  readonly #local: LocalBytes = new LocalBytes();
  readonly #remote: PlaceBytes;

  /** The places stay their owner's; they are asked for when the first object is read. */
  constructor(places: () => Places) {
    this.#remote = new PlaceBytes(places);
  }

  expect(location: string, tag: number): void {
    this.#of(location).expect(location, tag);
  }

  sizeOf(location: string, signal?: AbortSignal): Promise<number> {
    return this.#of(location).sizeOf(location, signal);
  }

  read(
    location: string,
    position: number,
    into: Uint8Array,
    signal?: AbortSignal,
  ): Promise<number> {
    return this.#of(location).read(location, position, into, signal);
  }

  async close(): Promise<void> {
    await this.#local.close();
    await this.#remote.close();
  }

  #of(location: string): ByteSource {
    return isRemote(location) ? this.#remote : this.#local;
  }
}
