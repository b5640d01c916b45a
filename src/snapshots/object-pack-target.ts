/**
 * A packed data set below a prefix of a store. Shards are written straight to their names, each created on
 * condition that there is none, with a mark that names the plan; the manifest is created last, so the data set is
 * finished exactly when it is there. An object is there whole or not at all, so a shard with the mark is a finished one:
 * no list of them can be behind. Whoever packs holds a lock. A packer that stood still and lost its lock cannot finish: before the
 * manifest it looks whether it has the lock, and whether every shard is of its plan.
 */
import { Mx8Error } from '../core/base/errors.ts';
import type { ObjectPlace, ObjectStat } from '../ports/place.ts';
import { forEachBounded } from '../storage/local-output.ts';
import { ObjectWriter } from '../storage/object-writer.ts';
import { PACK_LOOKS_AT_ONCE } from './limits.ts';
import type { HeldLock } from './lock-file.ts';
import { objectBytes, readWhole } from './object-bytes.ts';
import { acquireObjectLock } from './object-lock.ts';
import { ObjectShard } from './object-shard.ts';
import { PACKING, PACKING_LIST, PACKING_LOCK, PACKING_PLAN } from './pack-target.ts';
import type {
  Look,
  MetaName,
  PackFile,
  PackShard,
  PackTarget,
  PackTargetPorts,
  ShardFacts,
} from './pack-target.ts';

export class ObjectPackTarget implements PackTarget {
  readonly root: string;
  plan: string | null = null;
  isPublished: boolean = false;
  readonly #place: ObjectPlace;
  readonly #lock: HeldLock;
  #mark = '';
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
      await target.#restore();
    } catch (error) {
      await lock.release();
      throw error;
    }
    return target;
  }

  get partsMax(): number {
    return this.#place.uploadPartsMax;
  }

  get planName(): string {
    return `${this.root}/_mx8/${PACKING}/${PACKING_PLAN}`;
  }

  get listName(): string {
    return `${this.root}/_mx8/${PACKING}/${PACKING_LIST}`;
  }

  get occupied(): Mx8Error {
    return occupied(this.root, FINISHED);
  }

  shardLocation(shard: string): string {
    return `${this.root}/shards/${shard}`;
  }

  async clear(): Promise<void> {
    if (this.isPublished) throw this.occupied;
    // A plan that is there can be gone on with, so it goes first.
    await this.#place.remove(this.planName);
    await this.#removeBelow(`${this.root}/shards/`);
    await this.#place.remove(`${this.root}/_mx8/labels.tsv`);
    await this.#place.remove(this.listName);
    await this.#place.abandonUploads(`${this.root}/`);
    this.plan = null;
  }

  openList(): Promise<PackFile> {
    const writer = new ObjectWriter(this.#place, this.listName);
    return Promise.resolve(
      fileOf(writer, async () => {
        await writer.finish({ type: 'any' }, true);
      }),
    );
  }

  readList(signal: AbortSignal | undefined): AsyncIterable<Uint8Array> {
    return objectBytes(this.#place, this.listName, signal);
  }

  async recordPlan(plan: string): Promise<void> {
    if (!(await this.#lock.isHeld())) throw this.#lost();
    await this.#place
      .write(this.planName, Buffer.from(plan), { type: 'create' })
      .catch((error: unknown) => {
        throw isThere(error) ? this.#lost() : error;
      });
    this.plan = plan;
  }

  async begin(
    planId: string,
    shards: readonly ShardFacts[],
    { signal, onShards }: Look,
  ): Promise<ReadonlySet<string>> {
    this.#mark = `pack:${planId}`;
    const planned = new Map(shards.map(({ name, bytes }) => [this.shardLocation(name), bytes]));
    const names = new Set<string>();
    for await (const page of this.#place.list(`${this.root}/shards/`, { signal })) {
      await forEachBounded(
        page,
        async ({ location, bytes, etag }) => {
          const isOurs =
            planned.get(location) === bytes && (await this.#place.markOf(location)) === this.#mark;
          if (!isOurs) return this.#place.remove(location);
          this.#shards.set(location, { bytes, etag });
          names.add(location.slice(this.shardLocation('').length));
          onShards(names.size);
        },
        PACK_LOOKS_AT_ONCE,
      );
    }
    return names;
  }

  openShard({ name, bytes }: ShardFacts): PackShard {
    const location = this.shardLocation(name);
    return new ObjectShard({
      place: this.#place,
      location,
      bytes,
      mark: this.#mark,
      onFinished: (stat) => void this.#shards.set(location, stat),
      lost: () => this.#lost(),
    });
  }

  openMeta(name: MetaName): Promise<PackFile> {
    const writer = new ObjectWriter(this.#place, `${this.root}/_mx8/${name}`, this.#mark);
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
    await this.#finishManifest();
    await this.#place.remove(this.planName);
    await this.#place.remove(this.listName);
    await this.#lock.release();
  }

  async leave(): Promise<void> {
    await this.#abortMetas();
    await this.#lock.release();
  }

  async abandon(): Promise<void> {
    await this.#abortMetas();
    // What another packer has begun since is not this one's to remove.
    if (!this.isPublished && (await this.#lock.isHeld())) await this.clear();
    await this.#lock.release();
  }

  /** Looks again, as another run may have finished before the lock was free; and ends what a dead one had begun. */
  async #restore(): Promise<void> {
    const { hasManifest, hasPlan } = await checkVacant(this.root, this.#place);
    const plan = hasPlan ? await readWhole(this.#place, this.planName) : null;
    if (plan === null || plan === 'moving') {
      await this.clear();
      return;
    }
    this.plan = Buffer.from(plan.bytes).toString();
    this.isPublished = hasManifest;
    await this.#place.abandonUploads(`${this.root}/`);
  }

  async #finishManifest(): Promise<void> {
    const writer = this.#metas.get('manifest.tsv');
    try {
      await writer?.finish({ type: 'create' });
    } catch (error) {
      if (!isThere(error)) throw error;
      // Who was interrupted right behind it finds its own.
      const location = `${this.root}/_mx8/manifest.tsv`;
      if ((await this.#place.markOf(location)) !== this.#mark) throw this.#lost();
    }
  }

  async #abortMetas(): Promise<void> {
    for (const writer of this.#metas.values()) await writer.abort();
    this.#metas.clear();
  }

  async #removeBelow(prefix: string): Promise<void> {
    for await (const page of this.#place.list(prefix)) {
      await Promise.all(page.map(({ location }) => this.#place.remove(location)));
    }
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

const FINISHED = 'a packed data set is there already';

interface Left {
  readonly hasPlan: boolean;
  readonly hasManifest: boolean;
}

/** Passes a prefix that is empty, or holds the rest of an interrupted pack. */
async function checkVacant(root: string, place: ObjectPlace): Promise<Left> {
  const names = { lock: false, plan: false, manifest: false };
  let shard: string | null = null;
  for await (const page of place.list(`${root}/`)) {
    for (const { location } of page) {
      const name = location.slice(root.length + 1);
      if (name === '_mx8/manifest.tsv') names.manifest = true;
      else if (name === `_mx8/${PACKING_LOCK}`) names.lock = true;
      else if (name === `_mx8/${PACKING}/${PACKING_PLAN}`) names.plan = true;
      else if (name.startsWith('shards/')) shard ??= name;
      else if (name !== '_mx8/labels.tsv' && name !== `_mx8/${PACKING}/${PACKING_LIST}`) {
        throw occupied(root, `it holds ${JSON.stringify(name)}`);
      }
    }
  }
  if (names.manifest && !names.plan) throw occupied(root, FINISHED);
  if (shard !== null && !names.lock && !names.plan) {
    const what = `it holds ${JSON.stringify(shard)}, which no interrupted mx8 pack left there`;
    throw occupied(root, what);
  }
  return { hasPlan: names.plan, hasManifest: names.manifest };
}

function isThere(error: unknown): boolean {
  return error instanceof Mx8Error && error.code === 'object_exists';
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
