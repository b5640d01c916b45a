/** How WebDataset groups the members of a tar: by their path up to the first dot of the file's name. */
export interface WebDatasetName {
  readonly key: string;
  /** What comes after that dot, in lower case: `jpg`, `seg.png`. */
  readonly extension: string;
}

const SPLIT = /^((?:.*\/)?[^./][^./]*)\.([^/]*)$/s;
const META = /^__[^/]*__(?:$|\/)/;

/** Null for what is no part of a sample: a name without a dot, a hidden file, WebDataset's own notes. */
export function webDatasetName(path: string): WebDatasetName | null {
  const name = path.startsWith('./') ? path.slice(2) : path;
  const match = META.test(name) ? null : SPLIT.exec(name);
  const [, key, extension] = match ?? [];
  if (key === undefined || extension === undefined || extension === '') return null;
  return { key, extension: extension.toLowerCase() };
}
