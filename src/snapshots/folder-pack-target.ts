/**
 * The folder that a packed data set goes to. All is written below `_mx8/packing/`, which no index
 * looks into; the manifest is moved to its place last. So a data set is finished exactly when
 * `_mx8/manifest.tsv` is there, and everything else is left over from an interrupted run, which the next
 * one replaces.
 */
import { mkdir, open, readdir, realpath, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { Mx8Error } from '../core/base/errors.ts';
import { syncFolder } from './durable-file.ts';
import { acquireLock } from './lock-file.ts';
import type { HeldLock } from './lock-file.ts';
import { PACKING_LOCK } from './pack-target.ts';
import type { MetaName, PackFile, PackTarget, PackTargetPorts } from './pack-target.ts';
import { systemCode, systemReason } from './system-error.ts';

export class FolderPackTarget implements PackTarget {
  readonly root: string;
  readonly #metaNames: MetaName[] = [];
  readonly #lock: HeldLock;

  private constructor(root: string, lock: HeldLock) {
    this.root = root;
    this.#lock = lock;
  }

  /** Claims the folder; `output_occupied` when it holds anything but the rest of an interrupted pack. */
  static async claim(folder: string, ports: PackTargetPorts): Promise<FolderPackTarget> {
    try {
      await checkVacant(folder);
      await mkdir(join(folder, '_mx8'), { recursive: true });
      const root = await realpath(folder);
      const path = join(root, '_mx8', PACKING_LOCK);
      const lock = await acquireLock({ path, waitMsMax: 0, ...ports });
      const output = new FolderPackTarget(root, lock);
      try {
        // Again: another run may have finished before the lock was free.
        await checkVacant(root);
        await output.#clear();
        await mkdir(output.#shards, { recursive: true });
      } catch (error) {
        await lock.release();
        throw error;
      }
      return output;
    } catch (error) {
      throw claimError(folder, error);
    }
  }

  shardLocation(shard: string): string {
    return join(this.root, 'shards', shard);
  }

  openShard(shard: string): Promise<PackFile> {
    return openFile(join(this.#shards, shard), this.#shards);
  }

  openMeta(name: MetaName): Promise<PackFile> {
    this.#metaNames.push(name);
    return openFile(join(this.#packing, name), this.#packing);
  }

  /** Moves everything to its place; each step is durable before the next. */
  async publish(): Promise<void> {
    const meta = join(this.root, '_mx8');
    await syncFolder(this.#shards);
    await rename(this.#shards, join(this.root, 'shards'));
    await syncFolder(this.root);
    // The name of the manifest sorts last, as it is to be the last.
    for (const name of this.#metaNames.sort()) {
      await rename(join(this.#packing, name), join(meta, name));
      await syncFolder(meta);
    }
    await rmdir(this.#packing);
    await syncFolder(dirname(this.root));
    await this.#lock.release();
  }

  async abandon(): Promise<void> {
    await this.#clear();
    await this.#lock.release();
    // Only if nothing else is in them.
    for (const folder of [join(this.root, '_mx8'), this.root]) {
      await rmdir(folder).catch(() => undefined);
    }
  }

  async #clear(): Promise<void> {
    // The mark of an interrupted run goes last.
    await rm(join(this.root, 'shards'), { recursive: true, force: true });
    await rm(join(this.root, '_mx8', 'labels.tsv'), { force: true });
    await rm(this.#packing, { recursive: true, force: true });
  }

  /** Where shards are written for now. */
  get #shards(): string {
    return join(this.#packing, 'shards');
  }

  get #packing(): string {
    return join(this.root, '_mx8', 'packing');
  }
}

/** `folder` is how errors name it. */
async function openFile(path: string, folder: string): Promise<PackFile> {
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
    },
    abandon: close,
  };
}

async function writing<T>(folder: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw new Mx8Error(
      'output_write_failed',
      `Cannot write to ${folder}: ${systemReason(error)}.`,
      { path: folder, system_code: systemCode(error) },
      error,
    );
  }
}

/** Passes a folder that is not there, is empty, or holds the rest of an interrupted pack. */
async function checkVacant(folder: string): Promise<void> {
  const names = await namesIn(folder);
  const meta = names.includes('_mx8') ? await namesIn(join(folder, '_mx8')) : [];
  if (meta.includes('manifest.tsv')) {
    throw occupied(folder, 'a packed data set is there already');
  }
  const foreign = names.find((name) => name !== '_mx8' && name !== 'shards');
  if (foreign !== undefined) throw occupied(folder, `it holds ${JSON.stringify(foreign)}`);
  const isOurs = (name: string): boolean =>
    name === 'packing' || name === 'labels.tsv' || name.startsWith(PACKING_LOCK);
  const foreignMeta = meta.find((name) => !isOurs(name));
  if (foreignMeta !== undefined) {
    throw occupied(folder, `it holds ${JSON.stringify(`_mx8/${foreignMeta}`)}`);
  }
  if (names.includes('shards') && !meta.includes('packing')) {
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
