/**
 * Giving the files of a committed piece their final names. Anyone who knows that a piece is committed
 * may do it, at any time, again and at the same time as others: each step has one outcome.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { rangeText, type SampleRange } from '../core/base/range.ts';
import { isLeaseId, type LeaseId } from '../core/base/units.ts';
import type { OutputStore } from '../ports/output-store.ts';
import { forEachBounded } from '../storage/local-output.ts';
import {
  collisionName,
  leaseFolder,
  MANIFEST_FILE,
  publishedIndexName,
  stagedIndexName,
  STAGING_FOLDER,
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
export async function publishPiece(
  store: OutputStore,
  piece: PieceName,
): Promise<PieceIndex | null> {
  const { leaseId } = piece;
  const published = publishedIndexName(leaseId, piece);
  const done = await readIndex(store, published);
  if (done !== null) return done;
  const staged = stagedIndexName(leaseId, piece);
  const index = await readIndex(store, staged);
  if (index === null) {
    return (await readIndex(store, published)) ?? (await nothingStaged(store, piece));
  }
  const isTold = await store.has(collisionName(leaseId, piece));
  const placed = await placeFiles(store, index, isTold).catch(async (error: unknown) => {
    throw isTold ? error : await told(store, index, error);
  });
  await store.settle(placed.files.map(({ final }) => final));
  await store.markPublished({
    leaseFolder: leaseFolder(leaseId),
    from: staged,
    to: published,
    text: encodePieceIndex(placed),
    // What is marked published is what was staged, but for names that were told of.
    renames: !isTold,
    files: index.files,
  });
  // Another may have finished the output meanwhile and cleared the folder before this mark was in it.
  if (await store.has(MANIFEST_FILE)) await store.clear(leaseFolder(leaseId));
  return placed;
}

async function readIndex(store: OutputStore, name: string): Promise<PieceIndex | null> {
  const bytes = await store.read(name);
  if (bytes === null) return null;
  return decodePieceIndex(Buffer.from(bytes).toString(), `${store.location}/${name}`);
}

async function nothingStaged(store: OutputStore, piece: PieceName): Promise<null> {
  if (await store.has(MANIFEST_FILE)) return null;
  const staging = `${store.location}/${STAGING_FOLDER}`;
  const message = `the staged output of samples ${rangeText(piece)}, committed under lease ${piece.leaseId}, is not in ${staging}; all nodes of a job must write to one folder, and nobody else may clear it`;
  throw new Mx8Error('output_write_failed', message, { path: staging });
}

/** Every file of the piece under its final name; the index with the names that they have. */
async function placeFiles(
  store: OutputStore,
  index: PieceIndex,
  isTold: boolean,
): Promise<PieceIndex> {
  const files = [...index.files];
  const makers = new Map(index.records.map(({ file, sampleId }) => [file, sampleId]));
  await forEachBounded([...index.files.entries()], async ([at, file]) => {
    const sampleId = makers.get(at) ?? null;
    const toPlace: FileToPlace = {
      store,
      leaseFolder: leaseFolder(index.leaseId),
      file,
      final: file.final,
      maker: sampleId === null ? { pieceStart: index.start } : { sampleId },
      findOwner: (final) => findOwner(store, final),
    };
    if (isTold) files[at] = { ...file, final: await placeFileSomewhere(toPlace) };
    else await placeFile(toPlace);
  });
  return isTold ? { ...index, files } : index;
}

/** A name that was taken: said once, and noted, so that the next to publish the piece finds a way. */
async function told(store: OutputStore, index: PieceIndex, error: unknown): Promise<unknown> {
  if (!(error instanceof Mx8Error) || error.code !== 'row_invalid') return error;
  await store.create(collisionName(index.leaseId, index), `${error.message}\n`);
  const message = `${error.message}; both are committed and nothing is lost: --resume gives the second a name with its sample id`;
  return new Mx8Error(error.code, message, error.details, error);
}

/**
 * Which sample's output has the name, for an error sentence: its id, or words when no index knows. Reads
 * every index of what was published, or is just being, as it is needed only once in the life of a job
 * that fails.
 */
export async function findOwner(store: OutputStore, final: string): Promise<number | string> {
  for await (const name of store.namesBelow(STAGING_FOLDER)) {
    const [lease = '', file = '', ...rest] = name.split('/');
    if (rest.length > 0 || !isLeaseId(lease) || !/\.(published|staged)$/.test(file)) continue;
    const owner = await ownerIn(store, lease, file, final);
    if (owner !== null) return owner;
  }
  return 'a file that is already there';
}

async function ownerIn(
  store: OutputStore,
  lease: LeaseId,
  name: string,
  final: string,
): Promise<number | string | null> {
  const path = `${leaseFolder(lease)}/${name}`;
  // It may have been marked published between the listing and now.
  const index =
    (await readIndex(store, path)) ??
    (await readIndex(store, path.replace(/staged$/, 'published')));
  const at = index?.files.findIndex((file) => file.final === final) ?? -1;
  const record = index?.records.find(({ file }) => file === at);
  const file = index?.files[at];
  if (file === undefined || record === undefined) return null;
  // What is staged only wants the name; what has left its place has it.
  if (!(await store.hasLeft(leaseFolder(lease), file, final))) return null;
  return record.sampleId ?? `a row of ${lease}`;
}
