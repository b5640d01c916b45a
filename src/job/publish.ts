/**
 * Giving the files of a committed piece their final names. Anyone who knows that a piece is committed
 * may do it, at any time, again and at the same time as others: each step has one outcome.
 */
import { readdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Mx8Error } from '../core/base/errors.ts';
import { rangeText, type SampleRange } from '../core/base/range.ts';
import { isLeaseId, type LeaseId } from '../core/base/units.ts';
import {
  forEachBounded,
  isThere,
  makeFolder,
  moveOnce,
  readIfThere,
  syncFolder,
} from '../storage/local-output.ts';
import { errnoOf, outputError, writing } from '../storage/output-error.ts';
import { nameTaken } from './output-name.ts';
import {
  leaseFolder,
  manifestPath,
  publishedIndexPath,
  stagedIndexPath,
  stagingFolder,
} from './output-paths.ts';
import { decodePieceIndex, type PieceFile, type PieceIndex } from './piece-index.ts';

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
  await makeParents(out, index.files);
  await forEachBounded(index.files, (file) => publishFile(out, leaseId, index, file));
  const folders = new Set(index.files.map(({ final }) => dirname(join(out, final))));
  await forEachBounded([...folders], (folder) => writing('sync', folder, () => syncFolder(folder)));
  await markPublished(staged, published);
  return index;
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

async function makeParents(out: string, files: readonly PieceFile[]): Promise<void> {
  const parents = new Set(files.map(({ final }) => dirname(final)));
  parents.delete('.');
  for (const parent of parents) {
    const path = join(out, parent);
    try {
      await makeFolder(path);
    } catch (error) {
      const errno = error instanceof Mx8Error ? error.details['errno'] : '';
      if (errno !== 'EEXIST' && errno !== 'ENOTDIR') throw error;
      const message = `the output folder ${parent} cannot be made: another sample's output is a file of that name`;
      throw new Mx8Error('row_invalid', message, { path }, error);
    }
  }
}

async function publishFile(
  out: string,
  leaseId: LeaseId,
  index: PieceIndex,
  file: PieceFile,
): Promise<void> {
  const staged = join(leaseFolder(out, leaseId), file.staged);
  const final = join(out, file.final);
  const result = await writing('publish', final, () => moveOnce(staged, final));
  if (result === 'taken') {
    const sampleId = index.records.find((record) => index.files[record.file] === file)?.sampleId;
    throw nameTaken(file.final, sampleId ?? index.start, await findOwner(out, file.final));
  }
  if (result === 'missing') {
    const message = `the staged file ${staged} is gone, and ${final} is not there`;
    throw new Mx8Error('output_write_failed', message, { path: staged });
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
 * every published index, as it is needed only once in the life of a job that fails.
 */
export async function findOwner(out: string, final: string): Promise<number | string> {
  const staging = stagingFolder(out);
  for (const lease of await namesIn(staging)) {
    if (!isLeaseId(lease)) continue;
    for (const name of await namesIn(join(staging, lease))) {
      if (!name.endsWith('.published')) continue;
      const index = await readIndex(join(staging, lease, name));
      const at = index?.files.findIndex((file) => file.final === final) ?? -1;
      const record = index?.records.find(({ file }) => file === at);
      if (at >= 0 && record !== undefined) return record.sampleId ?? `a row of ${lease}`;
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
