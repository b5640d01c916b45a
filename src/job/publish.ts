/**
 * Giving the files of a committed piece their final names. Anyone who knows that a piece is committed
 * may do it, at any time, again and at the same time as others: each step has one outcome.
 */
import { mkdtemp, readdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Mx8Error } from '../core/base/errors.ts';
import { rangeText, type SampleRange } from '../core/base/range.ts';
import { isLeaseId, type LeaseId } from '../core/base/units.ts';
import {
  forEachBounded,
  isThere,
  readIfThere,
  removeTree,
  sameFile,
  syncFolder,
  unlinkIfThere,
  writeWholeOnce,
} from '../storage/local-output.ts';
import { errnoOf, outputError, writing } from '../storage/output-error.ts';
import {
  collisionPath,
  leaseFolder,
  manifestPath,
  publishedIndexPath,
  stagedIndexPath,
  stagingFolder,
} from './output-paths.ts';
import { decodePieceIndex, encodePieceIndex, type PieceIndex } from './piece-index.ts';
import { type FileToPlace, placeFile, placeFileSomewhere } from './place-file.ts';

export interface PieceName extends SampleRange {
  readonly leaseId: LeaseId;
}

/**
 * Publishes the piece and returns its index; null when the whole output has been published meanwhile
 * and its staging folder cleared.
 */
export async function publishPiece(out: string, piece: PieceName): Promise<PieceIndex | null> {
  const { leaseId } = piece;
  const published = publishedIndexPath(out, leaseId, piece);
  const done = await readIndex(published);
  if (done !== null) return done;
  const staged = stagedIndexPath(out, leaseId, piece);
  const index = await readIndex(staged);
  if (index === null) return (await readIndex(published)) ?? (await nothingStaged(out, piece));
  const isTold = await isThere(collisionPath(out, leaseId, piece));
  const placed = await placeFiles(out, index, isTold).catch(async (error: unknown) => {
    throw isTold ? error : await told(out, index, error);
  });
  const folders = new Set(placed.files.map(({ final }) => dirname(join(out, final))));
  await forEachBounded([...folders], (folder) => writing('sync', folder, () => syncFolder(folder)));
  if (isTold) {
    // What is marked published is what was staged, but for the names.
    await writeOnce(published, encodePieceIndex(placed));
    await unlinkIfThere(staged);
  } else await markPublished(staged, published);
  return placed;
}

async function readIndex(path: string): Promise<PieceIndex | null> {
  const bytes = await writing('read', path, () => readIfThere(path));
  return bytes === null ? null : decodePieceIndex(bytes.toString(), path);
}

async function nothingStaged(out: string, piece: PieceName): Promise<null> {
  if (await isThere(manifestPath(out))) return null;
  const message = `the staged output of samples ${rangeText(piece)}, committed under lease ${piece.leaseId}, is not in ${stagingFolder(out)}; all nodes of a job must write to one folder, and nobody else may clear it`;
  throw new Mx8Error('output_write_failed', message, { path: stagingFolder(out) });
}

/** Every file of the piece under its final name; the index with the names that they have. */
async function placeFiles(out: string, index: PieceIndex, isTold: boolean): Promise<PieceIndex> {
  const files = [...index.files];
  await forEachBounded([...index.files.entries()], async ([at, file]) => {
    const sampleId = index.records.find((record) => record.file === at)?.sampleId ?? null;
    const toPlace: FileToPlace = {
      out,
      staged: join(leaseFolder(out, index.leaseId), file.staged),
      final: file.final,
      maker: sampleId === null ? { pieceStart: index.start } : { sampleId },
      findOwner: (final) => findOwner(out, final),
    };
    if (isTold) files[at] = { ...file, final: await placeFileSomewhere(toPlace) };
    else await placeFile(toPlace);
  });
  return isTold ? { ...index, files } : index;
}

/** A name that was taken: said once, and noted, so that the next to publish the piece finds a way. */
async function told(out: string, index: PieceIndex, error: unknown): Promise<unknown> {
  if (!(error instanceof Mx8Error) || error.code !== 'row_invalid') return error;
  const path = collisionPath(out, index.leaseId, index);
  await writeOnce(path, `${error.message}\n`);
  const message = `${error.message}; both are committed and nothing is lost: --resume gives the second a name with its sample id`;
  return new Mx8Error(error.code, message, error.details, error);
}

/** By way of a folder of its own, as several processes may come to the same end at once. */
async function writeOnce(path: string, text: string): Promise<void> {
  const scratch = await writing('write', path, () => mkdtemp(`${path}.`));
  try {
    await writeWholeOnce(path, join(scratch, 'whole'), text);
  } finally {
    await removeTree(scratch);
  }
}

async function markPublished(staged: string, published: string): Promise<void> {
  await writing('publish', published, async () => {
    try {
      await rename(staged, published);
    } catch (error) {
      // Another publisher was first, or the whole output has been finished and cleared.
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  });
}

/**
 * Which sample's output has the name, for an error sentence: its id, or words when no index knows. Reads
 * every index of what was published, or is just being, as it is needed only once in the life of a job
 * that fails.
 */
export async function findOwner(out: string, final: string): Promise<number | string> {
  const staging = stagingFolder(out);
  for (const lease of await namesIn(staging)) {
    if (!isLeaseId(lease)) continue;
    for (const name of await namesIn(join(staging, lease))) {
      if (!/\.(published|staged)$/.test(name)) continue;
      const path = join(staging, lease, name);
      // It may have been marked published between the listing and now.
      const index =
        (await readIndex(path)) ?? (await readIndex(path.replace(/staged$/, 'published')));
      const at = index?.files.findIndex((file) => file.final === final) ?? -1;
      const record = index?.records.find(({ file }) => file === at);
      const file = index?.files[at];
      if (file === undefined || record === undefined) continue;
      const staged = join(staging, lease, file.staged);
      // What is staged only wants the name; what has left its place has it.
      const hasLeft = !(await isThere(staged)) || (await sameFile(staged, join(out, final)));
      if (hasLeft) return record.sampleId ?? `a row of ${lease}`;
    }
  }
  return 'a file that is already there';
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw outputError(error, 'read', folder);
  }
}
