/**
 * What packing must know before it writes the first sample: how many files there are and which classes,
 * as label ids follow the byte order of all labels. One walk over the names, without opening a file.
 */
import { Mx8Error } from '../core/base/errors.ts';
import { compareUtf8 } from '../core/manifest/byte-order.ts';
import type { PackInput } from './pack-input.ts';

/** `auto`: labels if every file has a class and there are at least two; `imagefolder`: labels or an error. */
export type LabelMode = 'auto' | 'imagefolder' | 'none';

export interface PackPlan {
  readonly fileCount: number;
  /** By label id; null when the data set gets no labels. */
  readonly labels: readonly string[] | null;
}

export async function planPack(
  input: PackInput,
  mode: LabelMode,
  onFiles: (files: number) => void,
  signal: AbortSignal | undefined,
): Promise<PackPlan> {
  const classes = new Set<string>();
  let fileCount = 0;
  let unclassified: string | null = null;
  for await (const files of input.walk(signal)) {
    fileCount += files.length;
    for (const { path } of files) {
      const label = classOf(path);
      if (label === null) unclassified ??= path;
      else classes.add(label);
    }
    onFiles(fileCount);
  }
  if (fileCount === 0) {
    throw new Mx8Error('input_empty', `${input.root} holds no file.`, {
      location: input.root,
    });
  }
  if (mode === 'imagefolder' && unclassified !== null) {
    throw new Mx8Error(
      'label_missing',
      `The file ${input.root}/${unclassified} has no class: with --labels imagefolder every file lies in a folder named after its class.`,
      { location: `${input.root}/${unclassified}` },
    );
  }
  const isLabelled =
    mode === 'imagefolder' || (mode === 'auto' && unclassified === null && classes.size >= 2);
  return { fileCount, labels: isLabelled ? [...classes].sort(compareUtf8) : null };
}

/** The first component of a path below the input; null for a file directly in it. */
export function classOf(path: string): string | null {
  const slash = path.indexOf('/');
  return slash === -1 ? null : path.slice(0, slash);
}

/** What follows the last dot of the file's name if that is 1 to 8 characters, else `bin`. */
export function extensionOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const dot = name.lastIndexOf('.');
  const extension = dot === -1 ? '' : name.slice(dot + 1);
  const characters = Array.from(extension).length;
  return characters >= 1 && characters <= 8 ? extension : 'bin';
}

/** `00000000000000000007.jpg`: the sample id with 20 digits, and the source's extension. */
export function entryName(sampleId: number, path: string): string {
  return `${String(sampleId).padStart(20, '0')}.${extensionOf(path)}`;
}
