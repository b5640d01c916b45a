/**
 * Moving a staged file of a committed piece to its final name. Two pieces that were staged at the same
 * moment may have one name in them, and both are committed by the time this is found. The first time
 * it is an error that names both; from then on the piece counts as told, and the file that came too late
 * gets a name with its sample in it, so that the job can be finished.
 */
import { basename, dirname, extname, join } from 'node:path';
import { Mx8Error } from '../core/base/errors.ts';
import { isThere, makeFolder, moveOnce } from '../storage/local-output.ts';
import { writing } from '../storage/output-error.ts';
import { nameTaken } from './output-name.ts';

export interface FileToPlace {
  /** The output folder. */
  readonly out: string;
  /** Absolute. */
  readonly staged: string;
  /** Below the output folder. */
  readonly final: string;
  /** The sample it was made of, or where its piece begins when it is of several. */
  readonly maker: { readonly sampleId: number } | { readonly pieceStart: number };
  /** Who has a name that is taken, for a sentence. */
  readonly findOwner: (final: string) => Promise<number | string>;
}

/** Under its own name, or `row_invalid` when another output has it. */
export async function placeFile(file: FileToPlace): Promise<void> {
  const { out, final } = file;
  await makeParent(out, final);
  if ((await move(file, final)) === 'taken') throw await taken(file, final);
}

/** Under its own name, or else under one that nobody else chooses: which one is the answer. */
export async function placeFileSomewhere(file: FileToPlace): Promise<string> {
  const { out, final } = file;
  const other = otherName(file);
  // Whoever began this before may have come to its end.
  const hasBegun = await isThere(join(out, other));
  if (!hasBegun && (await canHaveParent(out, final))) {
    const result = await move(file, final);
    if (result === 'in_place') return (await isThere(join(out, other))) ? other : final;
  }
  await makeParent(out, other);
  if ((await move(file, other)) === 'taken') throw await taken(file, other);
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

async function move(file: FileToPlace, name: string): Promise<'in_place' | 'taken'> {
  const path = join(file.out, name);
  const result = await writing('publish', path, () => moveOnce(file.staged, path));
  if (result !== 'missing') return result;
  const message = `the staged file ${file.staged} is gone, and ${path} is not there`;
  throw new Mx8Error('output_write_failed', message, { path: file.staged });
}

async function canHaveParent(out: string, final: string): Promise<boolean> {
  try {
    await makeParent(out, final);
    return true;
  } catch (error) {
    if (error instanceof Mx8Error && error.code === 'row_invalid') return false;
    throw error;
  }
}

async function makeParent(out: string, final: string): Promise<void> {
  const parent = dirname(final);
  if (parent === '.') return;
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

async function taken({ maker, findOwner }: FileToPlace, name: string): Promise<Mx8Error> {
  const id = 'sampleId' in maker ? maker.sampleId : maker.pieceStart;
  return nameTaken(name, id, await findOwner(name));
}
