/**
 * The end of a job's output: publishing what is left, writing the output manifest and clearing the
 * staging folder. It may be cut short at any point and begun again by any node: `_mx8/manifest.tsv`
 * appears, whole and durable, only after every committed piece is published, and from then on it is the
 * truth. Before that, the staging folder is.
 */
import { createHash } from 'node:crypto';
import { realpath, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { assert } from '../core/base/assert.ts';
import { manifestHash, type ManifestHash } from '../core/base/units.ts';
import type { CommittedPiece } from '../core/job/protocol.ts';
import { encodeRecord, MANIFEST_HEADER } from '../core/manifest/encode.ts';
import {
  isThere,
  makeFolder,
  removeTree,
  syncFolder,
  unlinkIfThere,
} from '../storage/local-output.ts';
import { writing } from '../storage/output-error.ts';
import { OutputFile } from '../storage/output-file.ts';
import { hashFile } from './hash-file.ts';
import { manifestPath, quarantinePath, stagingFolder } from './output-paths.ts';
import type { PieceIndex } from './piece-index.ts';
import { publishPiece } from './publish.ts';

export interface FinalizeOptions {
  /** The output folder, absolute. */
  readonly out: string;
  /** Every committed piece of the job, in order of `start`. */
  readonly pieces: AsyncIterable<readonly CommittedPiece[]>;
  readonly sampleCount: number;
  /** Tells the temporary files of this process from another finalizer's. */
  readonly nonce: string;
  readonly signal?: AbortSignal;
}

export interface Finalized {
  readonly outputManifestHash: ManifestHash;
  /** True when an earlier finalizer had finished the output and only this answer was missing. */
  readonly wasDone: boolean;
}

export async function finalizeOutput(options: FinalizeOptions): Promise<Finalized> {
  const { out } = options;
  const before = await hashFile(manifestPath(out));
  if (before === null) {
    const hash = await writeManifest(options);
    if (hash !== null) {
      await removeTree(stagingFolder(out));
      return { outputManifestHash: hash, wasDone: false };
    }
  }
  // Finished by another: what it may not have come to is clearing the staging folder.
  const hash = before ?? (await hashFile(manifestPath(out)));
  assert(hash !== null, 'staged pieces are cleared only after the manifest is there');
  await removeTree(stagingFolder(out));
  return { outputManifestHash: hash, wasDone: true };
}

/** Null when another finalizer finished the output meanwhile. */
async function writeManifest(options: FinalizeOptions): Promise<ManifestHash | null> {
  const { out, nonce } = options;
  // In the staging folder, so that what a crash leaves behind goes with it.
  const temporary = (name: string): string => join(stagingFolder(out), `${name}.${nonce}.tmp`);
  await makeFolder(stagingFolder(out));
  const manifest = await OutputFile.create(temporary('manifest'));
  const quarantine = await OutputFile.create(temporary('quarantine'));
  const writer = new ManifestWriter(await realpath(out), manifest, quarantine);
  try {
    const whole = await writePieces(options, writer);
    await manifest.finish();
    await quarantine.finish();
    if (!whole) return null;
    // The manifest last: it says that everything before it is there.
    if (quarantine.sizeBytes > 0) await moveInto(quarantine.path, quarantinePath(out));
    await moveInto(manifest.path, manifestPath(out));
    return writer.hash();
  } catch (error) {
    // Another finalizer may have cleared the folder under our feet: then it is done.
    if (await isThere(manifestPath(out))) return null;
    throw error;
  } finally {
    await manifest.close();
    await quarantine.close();
    await unlinkIfThere(manifest.path);
    await unlinkIfThere(quarantine.path);
  }
}

async function writePieces(options: FinalizeOptions, writer: ManifestWriter): Promise<boolean> {
  let expected = 0;
  for await (const chunk of options.pieces) {
    for (const piece of chunk) {
      options.signal?.throwIfAborted();
      assert(piece.start === expected, `the committed pieces go on at sample ${expected}`);
      expected = piece.end;
      const index = await publishPiece(options.out, piece);
      if (index === null) return false;
      await writer.add(index);
    }
  }
  assert(expected === options.sampleCount, 'every sample is in a committed piece');
  return true;
}

async function moveInto(from: string, to: string): Promise<void> {
  await writing('publish', to, async () => {
    await rename(from, to);
    await syncFolder(dirname(to));
  });
}

const encoder = new TextEncoder();

/** Turns the indexes of published pieces, in order, into a canonical manifest and a quarantine list. */
class ManifestWriter {
  readonly #root: string;
  readonly #manifest: OutputFile;
  readonly #quarantine: OutputFile;
  readonly #hash = createHash('sha256');
  #nextId = 0;
  #begun = false;

  /** `root`: the output folder as the canonical absolute path that locations begin with. */
  constructor(root: string, manifest: OutputFile, quarantine: OutputFile) {
    this.#root = root;
    this.#manifest = manifest;
    this.#quarantine = quarantine;
  }

  async add(index: PieceIndex): Promise<void> {
    const lines: string[] = [];
    for (const { file, span, hint } of index.records) {
      const final = index.files[file]?.final;
      assert(final !== undefined, 'a record is in a file of its piece');
      const record = {
        sampleId: this.#nextId,
        location: `${this.#root}/${final}`,
        byteOffset: span?.offset ?? null,
        byteLength: span?.length ?? null,
        decodeHint: hint,
      };
      lines.push(encodeRecord(record));
      this.#nextId += 1;
    }
    await this.#write(lines.join(''));
    for (const { sampleId, location, code, message } of index.quarantined) {
      const line = JSON.stringify({ sample_id: sampleId, location, code, message });
      await this.#quarantine.append(encoder.encode(`${line}\n`));
    }
  }

  hash(): ManifestHash {
    return manifestHash(this.#hash.digest('hex'));
  }

  async #write(text: string): Promise<void> {
    const bytes = encoder.encode(this.#begun ? text : MANIFEST_HEADER + text);
    this.#begun = true;
    this.#hash.update(bytes);
    await this.#manifest.append(bytes);
  }
}
