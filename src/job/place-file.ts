/**
 * Moving a staged file of a committed piece to its final name. Two pieces that were staged at the same
 * moment may have one name in them, and both are committed by the time this is found. The first time
 * it is an error that names both; from then on the piece counts as told, and the file that came too late
 * gets a name with its sample in it, so that the job can be finished.
 */
import { basename, dirname, extname } from 'node:path';
import { Mx8Error } from '../core/base/errors.ts';
import type { OutputStore, PlaceResult, StagedFile } from '../ports/output-store.ts';
import { nameTaken } from './output-name.ts';

export interface FileToPlace {
  readonly store: OutputStore;
  readonly leaseFolder: string;
  readonly file: StagedFile;
  readonly final: string;
  /** The sample it was made of, or where its piece begins when it is of several. */
  readonly maker: { readonly sampleId: number } | { readonly pieceStart: number };
  /** Who has a name that is taken, for a sentence. */
  readonly findOwner: (final: string) => Promise<number | string>;
}

/** Under its own name, or `row_invalid` when another output has it. */
export async function placeFile(file: FileToPlace): Promise<void> {
  const result = await move(file, file.final);
  if (result !== 'in_place') throw await refused(file, file.final, result);
}

/** Under its own name, or else under one that nobody else chooses: which one is the answer. */
export async function placeFileSomewhere(file: FileToPlace): Promise<string> {
  const { store, final } = file;
  const other = otherName(file);
  // Whoever began this before may have come to its end.
  if (!(await store.has(other)) && (await move(file, final)) === 'in_place') {
    return (await store.has(other)) ? other : final;
  }
  const result = await move(file, other);
  if (result !== 'in_place') throw await refused(file, other, result);
  return other;
}

/** `a/b.txt` of sample 7: `a/b.sample-7.txt`, in a folder that can be made. */
function otherName({ final, maker }: FileToPlace): string {
  const extension = extname(final);
  const stem = basename(final, extension);
  const mark = 'sampleId' in maker ? `sample-${maker.sampleId}` : `piece-${maker.pieceStart}`;
  const folder = dirname(final) === '.' ? '' : `${dirname(final).replaceAll('/', '-')}-`;
  return `${folder}${stem}.${mark}${extension}`;
}

async function move(
  { store, leaseFolder, file }: FileToPlace,
  name: string,
): Promise<Exclude<PlaceResult, 'missing'>> {
  const result = await store.place(leaseFolder, file, name);
  if (result !== 'missing') return result;
  const staged = `${store.location}/${leaseFolder}/${file.staged}`;
  const message = `the staged file ${staged} is gone, and ${store.location}/${name} is not there`;
  throw new Mx8Error('output_write_failed', message, { path: staged });
}

async function refused(
  { store, maker, findOwner }: FileToPlace,
  name: string,
  result: 'taken' | 'blocked',
): Promise<Mx8Error> {
  if (result === 'taken') {
    const id = 'sampleId' in maker ? maker.sampleId : maker.pieceStart;
    return nameTaken(name, id, await findOwner(name));
  }
  const parent = dirname(name);
  const message = `the output folder ${parent} cannot be made: another sample's output is a file of that name`;
  return new Mx8Error('row_invalid', message, { path: `${store.location}/${parent}` });
}
