/**
 * A packed data set below a prefix of a store. Shards are written straight to their names, each created on
 * condition that there is none; the manifest is created last, so the data set is finished exactly when it is there.
 * Whoever packs holds a lock, and removes first what an interrupted pack left. A packer that stood still and lost its lock
 * cannot finish: before the manifest it looks whether it has the lock, and whether every shard is its own.
 */
import { Mx8Error } from '../core/base/errors.ts';
import type { ObjectPlace, ObjectStat } from '../ports/place.ts';
import { ObjectWriter } from '../storage/object-writer.ts';
import { PACK_PARTS_IN_FLIGHT } from './limits.ts';
import type { HeldLock } from './lock-file.ts';
import { acquireObjectLock } from './object-lock.ts';
import { PACKING_LOCK } from './pack-target.ts';
import type { MetaName, PackFile, PackTarget, PackTargetPorts } from './pack-target.ts';

export class ObjectPackTarget implements PackTarget {
  readonly root: string;
  readonly #place: ObjectPlace;
  readonly #lock: HeldLock;
  /** By location: as they were when they were finished. */
  readonly #shards: Map<string, ObjectStat> = new Map();
  readonly #metas: Map<MetaName, ObjectWriter> = new Map();

  private constructor(root: string, place: ObjectPlace, lock: HeldLock) {
    this.root = root;
    this.#place = place;
    this.#lock = lock;
  }

  /** `output_occupied` when anything but the rest of an interrupted pack is below the prefix. */
  static async claim(
    root: string,
    place: ObjectPlace,
    ports: PackTargetPorts,
  ): Promise<ObjectPackTarget> {
    await checkVacant(root, place);
    const location = `${root}/_mx8/${PACKING_LOCK}`;
    const lock = await acquireObjectLock({ place, location, waitMsMax: 0, ...ports }).catch(
      (error: unknown) => {
        throw claimError(root, error);
      },
    );
    const target = new ObjectPackTarget(root, place, lock);
    try {
      // Again: another run may have finished before the lock was free.
      await checkVacant(root, place);
      await target.#clear();
    } catch (error) {
      await lock.release();
      throw error;
    }
    return target;
  }

  shardLocation(shard: string): string {
    return `${this.root}/shards/${shard}`;
  }

  openShard(shard: string): Promise<PackFile> {
    const location = this.shardLocation(shard);
    const writer = new ObjectWriter(this.#place, location, PACK_PARTS_IN_FLIGHT);
    return Promise.resolve(
      fileOf(writer, async () => {
        const stat = await writer.finish({ type: 'create' }).catch((error: unknown) => {
          throw this.#createError(error);
        });
        if (stat !== null) this.#shards.set(location, stat);
      }),
    );
  }

  openMeta(name: MetaName): Promise<PackFile> {
    const writer = new ObjectWriter(this.#place, `${this.root}/_mx8/${name}`);
    // It takes its place when everything else has.
    return Promise.resolve(
      fileOf(writer, async () => {
        this.#metas.set(name, writer);
      }),
    );
  }

  async publish(): Promise<void> {
    if (!(await this.#lock.isHeld())) throw this.#lost();
    await this.#checkShards();
    await this.#metas.get('labels.tsv')?.finish({ type: 'any' });
    await this.#metas
      .get('manifest.tsv')
      ?.finish({ type: 'create' })
      .catch((error: unknown) => {
        throw this.#createError(error);
      });
    await this.#lock.release();
  }

  async abandon(): Promise<void> {
    for (const writer of this.#metas.values()) await writer.abort();
    // What another packer has begun since is not this one's to remove.
    if (await this.#lock.isHeld()) await this.#clear();
    await this.#lock.release();
  }

  /** What an interrupted pack left, and its uploads. */
  async #clear(): Promise<void> {
    const labels = `${this.root}/_mx8/labels.tsv`;
    for (const prefix of [`${this.root}/shards/`, labels]) {
      for await (const page of this.#place.list(prefix)) {
        await Promise.all(page.map(({ location }) => this.#place.remove(location)));
      }
    }
    await this.#place.abandonUploads(`${this.root}/`);
  }

  async #checkShards(): Promise<void> {
    let found = 0;
    for await (const page of this.#place.list(`${this.root}/shards/`)) {
      for (const { location, bytes, etag } of page) {
        const ours = this.#shards.get(location);
        if (ours?.bytes !== bytes || ours.etag !== etag) throw this.#lost();
        found += 1;
      }
    }
    if (found !== this.#shards.size) throw this.#lost();
  }

  #createError(error: unknown): unknown {
    return error instanceof Mx8Error && error.code === 'object_exists' ? this.#lost() : error;
  }

  #lost(): Mx8Error {
    return occupied(this.root, 'another mx8 pack has taken it over meanwhile');
  }
}

function fileOf(writer: ObjectWriter, finish: () => Promise<void>): PackFile {
  let isFinished = false;
  return {
    write: (bytes) => writer.append(bytes),
    finish: async () => {
      await finish();
      isFinished = true;
    },
    abandon: async () => {
      if (!isFinished) await writer.abort();
    },
  };
}

/** Passes a prefix that is empty, or holds the rest of an interrupted pack. */
async function checkVacant(root: string, place: ObjectPlace): Promise<void> {
  let hasLock = false;
  let shard: string | null = null;
  for await (const page of place.list(`${root}/`)) {
    for (const { location } of page) {
      const name = location.slice(root.length + 1);
      if (name === '_mx8/manifest.tsv') throw occupied(root, 'a packed data set is there already');
      if (name === `_mx8/${PACKING_LOCK}`) hasLock = true;
      else if (name.startsWith('shards/')) shard ??= name;
      else if (name !== '_mx8/labels.tsv') throw occupied(root, `it holds ${JSON.stringify(name)}`);
    }
  }
  if (shard === null || hasLock) return;
  throw occupied(
    root,
    `it holds ${JSON.stringify(shard)}, which no interrupted mx8 pack left there`,
  );
}

function occupied(root: string, why: string): Mx8Error {
  return new Mx8Error(
    'output_occupied',
    `Cannot pack into ${root}: ${why}. Choose another prefix, or empty this one.`,
    { path: root },
  );
}

function claimError(root: string, error: unknown): unknown {
  if (!(error instanceof Mx8Error) || error.code !== 'manifest_lock_timeout') return error;
  return occupied(root, `${String(error.details['holder'])} is packing into it right now`);
}
