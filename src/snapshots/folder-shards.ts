/**
 * Shards in a folder while it is packed. A shard is written under a name of its own; once it is durable, a line with its
 * size and CRC-32 is made durable in `done.jsonl`, and then the shard gets its name. So one that has its name has
 * its line, and one of which the line does not hold is not taken for finished.
 */
import { open, readFile, readdir, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

import { syncFolder } from './durable-file.ts';
import { PACK_PART_BYTES } from './limits.ts';
import { writing } from './pack-write-error.ts';
import type { Look, PackShard, ShardFacts } from './pack-target.ts';
import { systemCode } from './system-error.ts';
import { makeFolders } from '../storage/make-folders.ts';

const JOURNAL = 'done.jsonl';

interface DoneLine {
  readonly plan: string;
  readonly shard: string;
  readonly bytes: number;
  readonly crc32: number;
}

export class FolderShards {
  readonly folder: string;
  readonly #packing: string;
  readonly #nonce: string;
  #planId = '';
  #journal: FileHandle | null = null;
  /** One line at a time. */
  #noting: Promise<void> = Promise.resolve();

  constructor(packing: string, nonce: string) {
    this.#packing = packing;
    this.#nonce = nonce;
    this.folder = join(packing, 'shards');
  }

  /** The names of those that are finished; everything else goes. */
  async begin(
    planId: string,
    shards: readonly ShardFacts[],
    { signal, onShards }: Look,
  ): Promise<ReadonlySet<string>> {
    this.#planId = planId;
    await writing(this.#packing, () => makeFolders(this.folder));
    const journal = join(this.#packing, JOURNAL);
    const lines = await readLines(journal, planId);
    const planned = new Map(shards.map(({ name, bytes }) => [name, bytes]));
    const finished = new Set<string>();
    for (const name of await readdir(this.folder)) {
      signal?.throwIfAborted();
      const path = join(this.folder, name);
      const line = lines.get(name);
      const isWhole = line !== undefined && line.bytes === planned.get(name);
      if (isWhole && (await holds(path, line, signal))) finished.add(name);
      else await rm(path, { recursive: true, force: true });
      onShards(finished.size);
    }
    this.#journal = await writing(this.#packing, () => open(journal, 'a'));
    return finished;
  }

  open({ name, bytes }: ShardFacts, partBytes: number): PackShard {
    const path = join(this.folder, name);
    const note = (crc: number): Promise<void> =>
      this.#note({ plan: this.#planId, shard: name, bytes, crc32: crc });
    const temporary = `${path}.${this.#nonce}.part`;
    return new FolderShard(path, temporary, this.folder, partBytes, note);
  }

  async close(): Promise<void> {
    await this.#noting;
    await this.#journal?.close();
    this.#journal = null;
  }

  /** Durable when it resolves. */
  #note(line: DoneLine): Promise<void> {
    const noted = this.#noting.then(async () => {
      // A line that was broken off, in this run or another, ends where this one begins.
      await this.#journal?.appendFile(`\n${JSON.stringify(line)}\n`);
      await this.#journal?.datasync();
    });
    this.#noting = noted.catch(() => undefined);
    return noted;
  }
}

class FolderShard implements PackShard {
  readonly #path: string;
  readonly #temporary: string;
  readonly #folder: string;
  readonly #partBytes: number;
  readonly #note: (crc: number) => Promise<void>;
  readonly #file: Promise<FileHandle>;
  #crc = 0;
  #isClosed = false;

  constructor(
    path: string,
    temporary: string,
    folder: string,
    partBytes: number,
    note: (crc: number) => Promise<void>,
  ) {
    this.#path = path;
    this.#temporary = temporary;
    this.#folder = folder;
    this.#partBytes = partBytes;
    this.#note = note;
    this.#file = writing(folder, () => open(temporary, 'wx'));
    // Whoever puts the first part hears of it.
    this.#file.catch(() => undefined);
  }

  put(index: number, bytes: Uint8Array): Promise<void> {
    this.#crc = crc32(bytes, this.#crc);
    return writing(this.#folder, async () => {
      const file = await this.#file;
      for (let at = 0; at < bytes.length;) {
        const position = index * this.#partBytes + at;
        const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position);
        at += bytesWritten;
      }
    });
  }

  finish(): Promise<void> {
    return writing(this.#folder, async () => {
      const file = await this.#file;
      await file.sync();
      await file.close();
      this.#isClosed = true;
      await this.#note(this.#crc);
      await rename(this.#temporary, this.#path);
      await syncFolder(this.#folder);
    });
  }

  async abandon(): Promise<void> {
    const file = await this.#file.catch(() => null);
    if (!this.#isClosed) await file?.close();
    this.#isClosed = true;
    await rm(this.#temporary, { force: true });
  }
}

/** By shard, the last line of each; what was broken off while it was written counts for nothing. */
async function readLines(path: string, planId: string): Promise<ReadonlyMap<string, DoneLine>> {
  const lines = new Map<string, DoneLine>();
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return '';
    throw error;
  });
  for (const line of text.split('\n')) {
    const done = decodeLine(line);
    if (done?.plan === planId) lines.set(done.shard, done);
  }
  return lines;
}

function decodeLine(line: string): DoneLine | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const fields = new Map<string, unknown>(Object.entries(value));
  const [plan, shard] = [fields.get('plan'), fields.get('shard')];
  const [bytes, crc] = [fields.get('bytes'), fields.get('crc32')];
  if (typeof plan !== 'string' || typeof shard !== 'string') return null;
  if (typeof bytes !== 'number' || typeof crc !== 'number') return null;
  return { plan, shard, bytes, crc32: crc };
}

/** Whether the file is what was noted of it. */
async function holds(
  path: string,
  { bytes, crc32: expected }: DoneLine,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    if ((await file.stat()).size !== bytes) return false;
    const buffer = Buffer.allocUnsafeSlow(Math.min(PACK_PART_BYTES, bytes));
    let crc = 0;
    for (let at = 0; at < bytes;) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) return false;
      crc = crc32(buffer.subarray(0, bytesRead), crc);
      at += bytesRead;
    }
    return crc === expected;
  } finally {
    await file.close();
  }
}
