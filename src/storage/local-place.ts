/**
 * Files of this machine as objects. An object is seen whole or not at all, also after a power cut. That one is
 * replaced only if it is still the same is looked at just before: between two writers it is no lock.
 */
import { createHash } from 'node:crypto';
import { link, open, readdir, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { Mx8Error } from '../core/base/errors.ts';
import { compareUtf8 } from '../core/manifest/byte-order.ts';
import { etagTag } from '../core/transfer/etag-tag.ts';
import type {
  ListedObject,
  ListOptions,
  ObjectRange,
  ObjectStat,
  ObjectUpload,
  Place,
  WriteCondition,
} from '../ports/place.ts';
import type { Random } from '../ports/random.ts';
import { makeFolders } from './make-folders.ts';

const PAGE_FILES = 1000;
/** Files that are being written; no listing shows them. */
const TEMPORARY = '.mx8-writing-';

export class LocalPlace implements Place {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  async *list(prefix: string, { after, signal }: ListOptions = {}): AsyncGenerator<ListedObject[]> {
    let page: ListedObject[] = [];
    for await (const path of filesBelow(prefix, signal)) {
      if (after !== undefined && compareUtf8(path, after) <= 0) continue;
      page.push({ location: path, ...(await this.stat(path)) });
      if (page.length < PAGE_FILES) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  }

  async stat(location: string): Promise<ObjectStat> {
    const stats = await stat(location).catch((error: unknown) => {
      throw localError(location, error);
    });
    if (stats.isFile()) return { bytes: stats.size, etag: etagOf(stats) };
    throw new Mx8Error('object_missing', `${location} is not a file.`, { location });
  }

  async readRange(location: string, range: ObjectRange, signal?: AbortSignal): Promise<ObjectStat> {
    const file = await open(location).catch((error: unknown) => {
      throw localError(location, error);
    });
    try {
      const stats = await file.stat();
      const found = { bytes: stats.size, etag: etagOf(stats) };
      checkPinned(location, range, found);
      let at = range.start;
      for (const { bytes, into } of range.targets) {
        signal?.throwIfAborted();
        if (into !== null) await readFully(file, location, into.subarray(0, bytes), at);
        at += bytes;
      }
      return found;
    } finally {
      await file.close();
    }
  }

  async write(location: string, bytes: Uint8Array, condition: WriteCondition): Promise<ObjectStat> {
    const upload = await this.upload(location);
    try {
      await upload.add(bytes);
      return await upload.complete(condition);
    } catch (error) {
      await upload.abort();
      throw error;
    }
  }

  async upload(location: string): Promise<ObjectUpload> {
    const folder = dirname(location);
    const name = Buffer.from(this.#random.bytes(8)).toString('hex');
    const temporary = `${folder}/${TEMPORARY}${name}`;
    try {
      await makeFolders(folder);
      return new LocalUpload(location, temporary, await open(temporary, 'wx'), () =>
        this.stat(location),
      );
    } catch (error) {
      throw localError(location, error);
    }
  }

  async remove(location: string): Promise<void> {
    await rm(location, { force: true }).catch((error: unknown) => {
      throw localError(location, error);
    });
  }

  async close(): Promise<void> {
    // Nothing is kept open.
  }
}

class LocalUpload implements ObjectUpload {
  readonly #location: string;
  readonly #temporary: string;
  readonly #file: FileHandle;
  readonly #stat: () => Promise<ObjectStat>;

  constructor(
    location: string,
    temporary: string,
    file: FileHandle,
    statNow: () => Promise<ObjectStat>,
  ) {
    this.#location = location;
    this.#temporary = temporary;
    this.#file = file;
    this.#stat = statNow;
  }

  async add(bytes: Uint8Array): Promise<void> {
    await this.#file.writeFile(bytes).catch((error: unknown) => {
      throw localError(this.#location, error);
    });
  }

  async complete(condition: WriteCondition): Promise<ObjectStat> {
    try {
      await this.#file.sync();
      await this.#file.close();
      if (condition.type === 'create') await link(this.#temporary, this.#location);
      else {
        if (condition.type === 'replace') await this.#checkSame(condition.etag);
        await rename(this.#temporary, this.#location);
      }
      const folder = await open(dirname(this.#location), 'r');
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
      return await this.#stat();
    } catch (error) {
      throw localError(this.#location, error);
    } finally {
      await rm(this.#temporary, { force: true });
    }
  }

  async abort(): Promise<void> {
    await this.#file.close();
    await rm(this.#temporary, { force: true });
  }

  async #checkSame(etag: string): Promise<void> {
    const now = await this.#stat().catch(() => null);
    if (now?.etag === etag) return;
    throw new Mx8Error(
      'object_changed',
      `${this.#location} was to be replaced, but it is not the file any more that it was when it was looked at.`,
      { location: this.#location },
    );
  }
}

/** In byte order of the whole path. */
async function* filesBelow(
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  signal?.throwIfAborted();
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return [];
    throw localError(folder, error);
  });
  const paths = entries
    .filter(({ name }) => !name.startsWith(TEMPORARY))
    .map((entry) => `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`)
    .filter((path) => path.startsWith(prefix))
    .sort(compareUtf8);
  for (const path of paths) {
    if (path.endsWith('/')) yield* filesBelow(path, signal);
    else yield path;
  }
}

async function readFully(
  file: FileHandle,
  location: string,
  into: Uint8Array,
  position: number,
): Promise<void> {
  for (let at = 0; at < into.length;) {
    const { bytesRead } = await file.read(into, at, into.length - at, position + at);
    if (bytesRead === 0) {
      throw new Mx8Error(
        'object_changed',
        `${location} ends before byte ${position + into.length}.`,
        {
          location,
        },
      );
    }
    at += bytesRead;
  }
}

function checkPinned(location: string, range: ObjectRange, { bytes, etag }: ObjectStat): void {
  const { pinnedBytes, pinnedTag } = range;
  const isSame =
    (pinnedBytes === -1 || pinnedBytes === bytes) &&
    (pinnedTag === 0 || etagTag(etag) === pinnedTag);
  if (isSame && range.end <= bytes) return;
  throw new Mx8Error('object_changed', `${location} is not the file any more that was pinned.`, {
    location,
  });
}

function etagOf(stats: {
  readonly size: number;
  readonly mtimeMs: number;
  readonly ino: number;
}): string {
  const text = `${stats.ino}-${stats.size}-${stats.mtimeMs}`;
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function localError(location: string, error: unknown): unknown {
  const code = codeOf(error);
  if (error instanceof Mx8Error || code === '') return error;
  const details = { location, system_code: code };
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new Mx8Error('object_missing', `${location} is not there (${code}).`, details, error);
  }
  if (code === 'EEXIST') {
    return new Mx8Error('object_exists', `${location} is there already.`, details, error);
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new Mx8Error(
      'object_denied',
      `${location} is not for this user (${code}).`,
      details,
      error,
    );
  }
  return new Mx8Error(
    'output_write_failed',
    `${location}: the system says ${code}.`,
    details,
    error,
  );
}
