/**
 * A shard on its way into a store: one request where it fits a part, an upload in parts otherwise. It is created on
 * condition that there is none. One that is there already with the mark of this plan is the same bytes, made by
 * a packer that stood still in between.
 */
import { Mx8Error } from '../core/base/errors.ts';
import type { ObjectPlace, ObjectStat, PartUpload } from '../ports/place.ts';
import type { PackShard } from './pack-target.ts';

export interface ObjectShardOptions {
  readonly place: ObjectPlace;
  readonly location: string;
  readonly bytes: number;
  /** Names the plan that it is made by. */
  readonly mark: string;
  readonly onFinished: (stat: ObjectStat) => void;
  /** What is to be said where the object is another packer's. */
  readonly lost: () => Mx8Error;
}

export class ObjectShard implements PackShard {
  readonly #options: ObjectShardOptions;
  #upload: Promise<PartUpload> | null = null;
  #isFinished = false;

  constructor(options: ObjectShardOptions) {
    this.#options = options;
  }

  async put(index: number, bytes: Uint8Array): Promise<void> {
    const { place, location, mark } = this.#options;
    if (bytes.length === this.#options.bytes) {
      await this.#create(() => place.write(location, bytes, { type: 'create' }, mark));
      return;
    }
    this.#upload ??= place.upload(location, mark);
    await (await this.#upload).put(index, bytes);
  }

  async finish(): Promise<void> {
    const upload = await this.#upload;
    if (upload !== null) await this.#create(() => upload.complete({ type: 'create' }));
  }

  async abandon(): Promise<void> {
    if (this.#isFinished) return;
    // An upload that could not be begun left nothing.
    const upload = await this.#upload?.catch(() => null);
    await upload?.abort();
  }

  async #create(make: () => Promise<ObjectStat>): Promise<void> {
    this.#options.onFinished(await make().catch((error: unknown) => this.#found(error)));
    this.#isFinished = true;
  }

  /** What is there in its place, where it is the same. */
  async #found(error: unknown): Promise<ObjectStat> {
    if (!(error instanceof Mx8Error) || error.code !== 'object_exists') throw error;
    const { place, location, bytes, mark, lost } = this.#options;
    if ((await place.markOf(location)) !== mark) throw lost();
    const stat = await place.stat(location);
    if (stat.bytes !== bytes) throw lost();
    return stat;
  }
}
