/**
 * What tells other processes of this machine where the listing of a base goes that is being taken: into which file, and
 * how far it has come. Whoever takes it holds the lock of the base, writes the notice a few times in a second, and removes
 * it at the end; the notice of a process that has died counts for nothing.
 */
import { existsSync } from 'node:fs';
import { open, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import type { Clock, TimerHandle } from '../ports/clock.ts';
import type { AnnouncedListing, ListedFiles, ListingNotice } from '../ports/manifest-store.ts';
import { discard } from './durable-file.ts';
import { readRange } from './file-bytes.ts';
import { NOTICE_INTERVAL_MS } from './limits.ts';
import { decodeHolder, encodeHolder } from './lock-holder.ts';
import type { LockHolder } from './lock-holder.ts';
import { livenessOf } from './process-identity.ts';
import { BLOCK_SAMPLES, ENTRY_BYTES, decodeEntries } from './stamps-format.ts';
import { systemCode } from './system-error.ts';
import { makeFolders } from '../storage/make-folders.ts';

/** Names of temporary files, which lead nowhere else. */
const NAME = /^[0-9a-f-]+$/;

interface NoticeText {
  readonly holder: LockHolder;
  /** Names in the folder of temporary files. */
  readonly spool: string;
  readonly stamps: string;
  readonly samples: number;
}

function encodeNotice({ holder, spool, stamps, samples }: NoticeText): string {
  return `${encodeHolder(holder)}${JSON.stringify({ spool, stamps, samples })}\n`;
}

/** Null for anything that `encodeNotice` did not write. */
function decodeNotice(text: string): NoticeText | null {
  const [first = '', second = ''] = text.split('\n');
  const holder = decodeHolder(first);
  let value: unknown;
  try {
    value = JSON.parse(second);
  } catch {
    return null;
  }
  if (holder === null || typeof value !== 'object' || value === null) return null;
  const { spool, stamps, samples } = Object.fromEntries(Object.entries(value)) as Record<
    string,
    unknown
  >;
  if (typeof spool !== 'string' || typeof stamps !== 'string') return null;
  if (!NAME.test(spool) || !NAME.test(stamps)) return null;
  if (typeof samples !== 'number' || !Number.isSafeInteger(samples) || samples < 0) return null;
  return { holder, spool, stamps, samples };
}

/** The notice of this process. That it cannot be written is no reason to list no further: others wait then. */
export class FileListingNotice implements ListingNotice {
  readonly #path: string;
  readonly #temporary: string;
  readonly #clock: Clock;
  readonly #text: Omit<NoticeText, 'samples'>;
  #samples = 0;
  #saidSamples = -1;
  #writing: Promise<void> | null = null;
  #timer: TimerHandle | null = null;
  #isEnded = false;

  constructor(
    path: string,
    temporary: string,
    clock: Clock,
    { holder, spool, stamps }: Omit<NoticeText, 'samples'>,
  ) {
    this.#path = path;
    this.#temporary = temporary;
    this.#clock = clock;
    this.#text = { holder, spool: basename(spool), stamps: basename(stamps) };
  }

  listed(samples: number): void {
    // What the stamps' writer has not flushed yet only this process can read.
    this.#samples = samples - (samples % BLOCK_SAMPLES);
    this.#say();
  }

  async end(): Promise<void> {
    this.#isEnded = true;
    this.#timer?.clear();
    await this.#writing;
    await discard(this.#temporary);
    await discard(this.#path);
  }

  /** At once, then now and then; what is said last is what was listed last. */
  #say(): void {
    if (this.#isEnded || this.#timer !== null || this.#samples === this.#saidSamples) return;
    this.#saidSamples = this.#samples;
    this.#writing = this.#write(this.#samples).catch(() => undefined);
    const again = (): void => {
      this.#timer = null;
      void this.#writing?.then(() => this.#say());
    };
    this.#timer = this.#clock.setTimer(NOTICE_INTERVAL_MS, again, { unref: true });
  }

  async #write(samples: number): Promise<void> {
    await makeFolders(dirname(this.#path));
    await writeFile(this.#temporary, encodeNotice({ ...this.#text, samples }));
    await rename(this.#temporary, this.#path);
  }
}

/** The listing that the notice at `path` tells of, if a process of this machine that lives is taking it. */
export async function readNotice(path: string, folder: string): Promise<AnnouncedListing | null> {
  const text = await unlessGone(readFile(path, 'utf8'));
  const notice = text === null ? null : decodeNotice(text);
  // The files of another machine may be seen here later than its notice.
  if (notice === null || livenessOf(notice.holder) !== 'alive') return null;
  const { holder, samples, spool, stamps } = notice;
  return {
    id: holder.nonce,
    samples,
    open: () => openFiles(join(folder, spool), join(folder, stamps)),
  };
}

/**
 * The two files that a listing goes into; of what is packed on this machine nothing is stamped, and there is one.
 * Descriptors stay good when they get their names, or are removed.
 */
async function openFiles(spoolPath: string, stampsPath: string): Promise<ListedFiles | null> {
  const spool = await unlessGone(open(spoolPath, 'r'));
  if (spool === null) return null;
  const stamps = await unlessGone(open(stampsPath, 'r')).catch(async (error: unknown) => {
    await spool.close();
    throw error;
  });
  // The spool gets its name, or is removed, before the stamps: while it is there and they are not, there are none.
  if (stamps === null && !existsSync(spoolPath)) {
    await spool.close();
    return null;
  }
  return {
    read: (start, end) => readRange(spool, start, end),
    stamps: async (start, end) =>
      stamps === null
        ? null
        : decodeEntries(await readRange(stamps, start * ENTRY_BYTES, end * ENTRY_BYTES)),
    close: async () => {
      await spool.close();
      await stamps?.close();
    },
  };
}

async function unlessGone<T>(looking: Promise<T>): Promise<T | null> {
  try {
    return await looking;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}
