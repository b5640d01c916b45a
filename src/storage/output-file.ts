/**
 * A file that is appended to and can be cut back to an earlier length, as a batch that failed half-way
 * must leave nothing behind. Small writes are gathered; a write that has been awaited holds no
 * reference to the caller's bytes.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { writing } from './output-error.ts';

/** Writes below this size are gathered: one system call instead of many. */
const GATHER_BYTES = 256 * 1024;

export class OutputFile {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #gathered: Uint8Array = new Uint8Array(GATHER_BYTES);
  #gatheredBytes = 0;
  #writtenBytes = 0;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /** Creates the file; refuses one that is there. */
  static async create(path: string): Promise<OutputFile> {
    return writing('create', path, async () => new OutputFile(path, await open(path, 'wx')));
  }

  /** Length of the file so far: where the next write goes. */
  get sizeBytes(): number {
    return this.#writtenBytes + this.#gatheredBytes;
  }

  async append(bytes: Uint8Array): Promise<void> {
    if (this.#gatheredBytes + bytes.length > GATHER_BYTES) await this.#flush();
    if (bytes.length > GATHER_BYTES) {
      await this.#write(bytes);
      return;
    }
    this.#gathered.set(bytes, this.#gatheredBytes);
    this.#gatheredBytes += bytes.length;
  }

  /** Forgets everything from `sizeBytes` on. */
  async cutBack(sizeBytes: number): Promise<void> {
    if (sizeBytes >= this.#writtenBytes) {
      this.#gatheredBytes = Math.min(this.#gatheredBytes, sizeBytes - this.#writtenBytes);
      return;
    }
    this.#gatheredBytes = 0;
    await writing('cut back', this.path, () => this.#file.truncate(sizeBytes));
    this.#writtenBytes = sizeBytes;
  }

  /** Writes out what is gathered, makes it durable and closes the file. */
  async finish(): Promise<void> {
    await this.#flush();
    await writing('sync', this.path, () => this.#file.sync());
    await this.close();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    const length = this.#gatheredBytes;
    if (length === 0) return;
    await this.#write(this.#gathered.subarray(0, length));
    this.#gatheredBytes = 0;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await writing('write', this.path, async () => {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await this.#file.write(
          bytes,
          done,
          bytes.length - done,
          this.#writtenBytes + done,
        );
        done += bytesWritten;
      }
    });
    this.#writtenBytes += bytes.length;
  }
}
