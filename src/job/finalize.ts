/**
 * The end of a job's output: publishing what is left, writing the output manifest and clearing the
 * staging folder. It may be cut short at any point and begun again by any node: `_mx8/manifest.tsv`
 * appears, whole and durable, only after every committed piece is published, and from then on it is the
 * truth. Before that, the staging folder is.
 */
import { createHash } from 'node:crypto';
import { assert } from '../core/base/assert.ts';
import { manifestHash, type ManifestHash } from '../core/base/units.ts';
import type { CommittedPiece } from '../core/job/protocol.ts';
import { encodeRecord, MANIFEST_HEADER } from '../core/manifest/encode.ts';
import type { OutputStore, WholeFileWriter } from '../ports/output-store.ts';
import { forEachBounded, OUTPUT_CONCURRENCY } from '../storage/local-output.ts';
import { hashFile } from './hash-file.ts';
import { MANIFEST_FILE, QUARANTINE_FILE, STAGING_FOLDER } from './output-paths.ts';
import type { PieceIndex } from './piece-index.ts';
import { publishPiece } from './publish.ts';

export interface FinalizeOptions {
  readonly out: OutputStore;
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
  const before = await hashFile(out, MANIFEST_FILE);
  const written = before === null ? await writeManifest(options) : null;
  // Finished by another: what it may not have come to is clearing the staging folder.
  const hash = written ?? before ?? (await hashFile(out, MANIFEST_FILE));
  assert(hash !== null, 'staged pieces are cleared only after the manifest is there');
  await out.clear(STAGING_FOLDER);
  await out.abandonUnfinished();
  return { outputManifestHash: hash, wasDone: written === null };
}

/** Null when another finalizer finished the output meanwhile. */
async function writeManifest(options: FinalizeOptions): Promise<ManifestHash | null> {
  const { out, nonce } = options;
  const manifest = await out.whole(MANIFEST_FILE, nonce);
  const quarantine = await out.whole(QUARANTINE_FILE, nonce);
  try {
    const writer = new ManifestWriter(await out.root(), manifest, quarantine);
    if (!(await writePieces(options, writer))) return null;
    // The manifest last: it says that everything before it is there.
    if (quarantine.sizeBytes > 0) await quarantine.keep();
    await manifest.keep();
    return writer.hash();
  } catch (error) {
    // Another finalizer may have cleared the folder under our feet: then it is done.
    if (await out.has(MANIFEST_FILE)) return null;
    throw error;
  } finally {
    await manifest.discard();
    await quarantine.discard();
  }
}

async function writePieces(options: FinalizeOptions, writer: ManifestWriter): Promise<boolean> {
  let expected = 0;
  for await (const chunk of options.pieces) {
    for (let at = 0; at < chunk.length; at += OUTPUT_CONCURRENCY) {
      options.signal?.throwIfAborted();
      const pieces = chunk.slice(at, at + OUTPUT_CONCURRENCY);
      const indexes: (PieceIndex | null)[] = [];
      await forEachBounded([...pieces.entries()], async ([place, piece]) => {
        indexes[place] = await publishPiece(options.out, piece);
      });
      for (const [place, { start, end }] of pieces.entries()) {
        assert(start === expected, `the committed pieces go on at sample ${expected}`);
        expected = end;
        const index = indexes[place] ?? null;
        if (index === null) return false;
        await writer.add(index);
      }
    }
  }
  assert(expected === options.sampleCount, 'every sample is in a committed piece');
  return true;
}

const encoder = new TextEncoder();

/** Turns the indexes of published pieces, in order, into a canonical manifest and a quarantine list. */
class ManifestWriter {
  readonly #root: string;
  readonly #manifest: WholeFileWriter;
  readonly #quarantine: WholeFileWriter;
  readonly #hash = createHash('sha256');
  #nextId = 0;
  #begun = false;

  /** `root`: what locations begin with. */
  constructor(root: string, manifest: WholeFileWriter, quarantine: WholeFileWriter) {
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
