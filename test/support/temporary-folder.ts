import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A folder of its own for one test, removed at the end: `await using folder = await temporaryFolder()`. */
export class TemporaryFolder implements AsyncDisposable {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  join(...parts: readonly string[]): string {
    return join(this.path, ...parts);
  }

  /** Writes files by their path below the folder. */
  async write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(this.join(path)), { recursive: true });
      await writeFile(this.join(path), content);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

export async function temporaryFolder(): Promise<TemporaryFolder> {
  return new TemporaryFolder(await mkdtemp(join(tmpdir(), 'mx8-test-')));
}
