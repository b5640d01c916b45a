/**
 * The folder that a packed data set goes to. All is written below `_mx8/packing/`, which no index looks into; shards
 * are moved to their place when all are finished, the manifest last. So a data set is finished exactly when
 * `_mx8/manifest.tsv` is there. What an interrupted run left is gone on with by its plan; without one it is removed.
 */
import { open, readFile, readdir, realpath, rename, rm, rmdir } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { dirname, join } from 'node:path';

import { Mx8Error } from '../core/base/errors.ts';
import { syncFolder, writeDurably } from './durable-file.ts';
import { FolderShards } from './folder-shards.ts';
import { IO_CHUNK_BYTES } from './limits.ts';
import { acquireLock } from './lock-file.ts';
import type { HeldLock } from './lock-file.ts';
import { writing } from './pack-write-error.ts';
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
import { systemCode, systemReason } from './system-error.ts';
import { makeFolders } from '../storage/make-folders.ts';

export class FolderPackTarget implements PackTarget {
  readonly root: string;
  plan: string | null = null;
  isPublished: boolean = false;
  readonly partsMax: number = Infinity;
  readonly #lock: HeldLock;
  /** In the names of files that are being written: who lost the lock must not spoil those of the next. */
  readonly #nonce: string;
  readonly #shards: FolderShards;
  readonly #metas: Map<MetaName, string> = new Map();

  private constructor(root: string, lock: HeldLock, nonce: string) {
    this.root = root;
    this.#lock = lock;
    this.#nonce = nonce;
    this.#shards = new FolderShards(this.#packing, nonce);
  }

  /** Claims the folder; `output_occupied` when it holds anything but the rest of an interrupted pack. */
  static async claim(folder: string, ports: PackTargetPorts): Promise<FolderPackTarget> {
    try {
      await checkVacant(folder);
      await makeFolders(join(folder, '_mx8'));
      const root = await realpath(folder);
      const path = join(root, '_mx8', PACKING_LOCK);
      const lock = await acquireLock({ path, waitMsMax: 0, ...ports });
      const nonce = Buffer.from(ports.random.bytes(8)).toString('hex');
      const output = new FolderPackTarget(root, lock, nonce);
      try {
        await output.#restore();
      } catch (error) {
        await lock.release();
        throw error;
      }
      return output;
    } catch (error) {
      throw claimError(folder, error);
    }
  }

  get planName(): string {
    return join(this.#packing, PACKING_PLAN);
  }

  get listName(): string {
    return join(this.#packing, PACKING_LIST);
  }

  get occupied(): Mx8Error {
    return occupied(this.root, FINISHED);
  }

  shardLocation(shard: string): string {
    return join(this.root, 'shards', shard);
  }

  async clear(): Promise<void> {
    if (this.isPublished) throw this.occupied;
    // A plan that is there can be gone on with, so it goes first; the mark of an interrupted run goes last.
    await rm(this.planName, { force: true });
    await rm(join(this.root, 'shards'), { recursive: true, force: true });
    await rm(join(this.root, '_mx8', 'labels.tsv'), { force: true });
    await rm(this.#packing, { recursive: true, force: true });
    this.plan = null;
  }

  async openList(): Promise<PackFile> {
    await writing(this.#packing, () => makeFolders(this.#packing));
    const temporary = `${this.listName}.${this.#nonce}`;
    return openFile(temporary, this.#packing, () => rename(temporary, this.listName));
  }

  readList(signal: AbortSignal | undefined): AsyncIterable<Uint8Array> {
    const options = { highWaterMark: IO_CHUNK_BYTES, ...(signal === undefined ? {} : { signal }) };
    return createReadStream(this.listName, options) as AsyncIterable<Uint8Array>;
  }

  async recordPlan(plan: string): Promise<void> {
    if (!(await this.#lock.isHeld())) throw this.#lost();
    await writing(this.#packing, () =>
      writeDurably(this.planName, `${this.planName}.${this.#nonce}`, plan),
    );
    this.plan = plan;
  }

  async begin(
    planId: string,
    shards: readonly ShardFacts[],
    look: Look,
  ): Promise<ReadonlySet<string>> {
    if (this.isPublished) return new Set(shards.map(({ name }) => name));
    return this.#shards.begin(planId, shards, look);
  }

  openShard(shard: ShardFacts, partBytes: number): PackShard {
    return this.#shards.open(shard, partBytes);
  }

  async openMeta(name: MetaName): Promise<PackFile> {
    await makeFolders(this.#packing);
    const temporary = join(this.#packing, `${name}.${this.#nonce}`);
    this.#metas.set(name, temporary);
    return openFile(temporary, this.#packing, () => Promise.resolve());
  }

  /** Moves everything to its place; each step is durable before the next. */
  async publish(): Promise<void> {
    if (!(await this.#lock.isHeld())) throw this.#lost();
    const meta = join(this.root, '_mx8');
    if (!this.isPublished) {
      await this.#shards.close();
      await syncFolder(this.#shards.folder);
      await rename(this.#shards.folder, join(this.root, 'shards'));
      await syncFolder(this.root);
    }
    // The name of the manifest sorts last, as it is to be the last.
    for (const [name, temporary] of [...this.#metas].sort(([one], [other]) =>
      one < other ? -1 : 1,
    )) {
      await rename(temporary, join(meta, name));
      await syncFolder(meta);
    }
    await rm(this.planName, { force: true });
    await rm(this.#packing, { recursive: true, force: true });
    await syncFolder(dirname(this.root));
    await this.#lock.release();
  }

  async leave(): Promise<void> {
    await this.#shards.close();
    await this.#lock.release();
  }

  async abandon(): Promise<void> {
    await this.#shards.close();
    if (!this.isPublished && (await this.#lock.isHeld())) await this.clear();
    await this.#lock.release();
    // Only if nothing else is in them.
    for (const folder of [join(this.root, '_mx8'), this.root]) {
      await rmdir(folder).catch(() => undefined);
    }
  }

  /** Looks again, as another run may have finished before the lock was free; and makes of what is left one of two: a plan to go on with, or nothing. */
  async #restore(): Promise<void> {
    await checkVacant(this.root);
    this.plan = await readIfThere(this.planName);
    if (this.plan === null) {
      await this.clear();
      return;
    }
    this.isPublished = (await namesIn(join(this.root, '_mx8'))).includes('manifest.tsv');
    if (this.isPublished || !(await namesIn(this.root)).includes('shards')) return;
    // It was interrupted between its last steps, which are taken again.
    await rmdir(this.#shards.folder).catch(() => undefined);
    await rename(join(this.root, 'shards'), this.#shards.folder);
  }

  #lost(): Mx8Error {
    return occupied(this.root, 'another mx8 pack has taken it over meanwhile');
  }

  get #packing(): string {
    return join(this.root, '_mx8', PACKING);
  }
}

/** `folder` is how errors name it. `place`: once it is durable. */
async function openFile(
  path: string,
  folder: string,
  place: () => Promise<void>,
): Promise<PackFile> {
  const file = await writing(folder, () => open(path, 'wx'));
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (isClosed) return;
    isClosed = true;
    await file.close();
  };
  return {
    write: (bytes) => writing(folder, () => file.writeFile(bytes)),
    finish: async () => {
      await writing(folder, () => file.sync());
      await close();
      await writing(folder, place);
    },
    abandon: async () => {
      if (isClosed) return;
      await close();
      await rm(path, { force: true });
    },
  };
}

const FINISHED = 'a packed data set is there already';

/** Passes a folder that is not there, is empty, or holds the rest of an interrupted pack. */
async function checkVacant(folder: string): Promise<void> {
  const names = await namesIn(folder);
  const meta = names.includes('_mx8') ? await namesIn(join(folder, '_mx8')) : [];
  const packing = meta.includes(PACKING) ? await namesIn(join(folder, '_mx8', PACKING)) : [];
  const hasPlan = packing.includes(PACKING_PLAN);
  if (meta.includes('manifest.tsv') && !hasPlan) throw occupied(folder, FINISHED);
  const foreign = names.find((name) => name !== '_mx8' && name !== 'shards');
  if (foreign !== undefined) throw occupied(folder, `it holds ${JSON.stringify(foreign)}`);
  const isOurs = (name: string): boolean =>
    name === PACKING ||
    name === 'labels.tsv' ||
    (hasPlan && name === 'manifest.tsv') ||
    name.startsWith(PACKING_LOCK);
  const foreignMeta = meta.find((name) => !isOurs(name));
  if (foreignMeta !== undefined) {
    throw occupied(folder, `it holds ${JSON.stringify(`_mx8/${foreignMeta}`)}`);
  }
  if (names.includes('shards') && !meta.includes(PACKING)) {
    throw occupied(folder, 'it holds "shards", which no interrupted mx8 pack left there');
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}

function occupied(folder: string, why: string): Mx8Error {
  return new Mx8Error(
    'output_occupied',
    `Cannot pack into ${folder}: ${why}. Choose a new folder, or empty this one.`,
    { path: folder },
  );
}

function claimError(folder: string, error: unknown): unknown {
  if (error instanceof Mx8Error) {
    if (error.code !== 'manifest_lock_timeout') return error;
    return occupied(folder, `${String(error.details['holder'])} is packing into it right now`);
  }
  if (systemCode(error) === '') return error;
  return new Mx8Error(
    'output_write_failed',
    `Cannot make the output folder ${folder}: ${systemReason(error)}.`,
    { path: folder, system_code: systemCode(error) },
    error,
  );
}
