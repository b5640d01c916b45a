/**
 * `hf://datasets/OWNER/NAME[@REVISION]/path`. A revision is a commit, a branch or a tag; a slash in it is written
 * `%2F`, except in `refs/convert/…` and `refs/pr/…`, which are known. The path is what it is: nothing in it is
 * encoded.
 */
import { Mx8Error } from '../../core/base/errors.ts';

export interface HfLocation {
  /** `OWNER/NAME`. */
  readonly repository: string;
  /** null: the main branch. */
  readonly revision: string | null;
  readonly path: string;
}

const SCHEME = 'hf://';
const START = /^datasets\/([A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*)(?:@([^/]+))?(?:\/|$)/;
const KNOWN_REFS = /^(datasets\/[^/]+\/[^/@]+@)(refs)\/(convert|pr)\/([^/]+)/;
const COMMIT = /^[0-9a-f]{40}$/;

export function parseHfLocation(location: string): HfLocation {
  const rest = location
    .slice(SCHEME.length)
    .replace(KNOWN_REFS, (_, start: string, ...names: readonly string[]) => {
      return `${start}${names.slice(0, 3).join('%2F')}`;
    });
  const match = location.startsWith(SCHEME) ? START.exec(rest) : null;
  if (match === null) {
    throw invalid(
      location,
      'names no data set of the Hugging Face Hub: write hf://datasets/OWNER/NAME/PATH, or NAME@REVISION for another revision than main. Models and spaces are not read.',
    );
  }
  const path = rest.slice(match[0].length);
  if (path.split('/').some((name) => name === '.' || name === '..')) {
    throw invalid(location, 'has . or .. in its path, which no file of a repository has.');
  }
  return { repository: match[1] ?? '', revision: decoded(location, match[2]), path };
}

export function hfLocation({ repository, revision, path }: HfLocation): string {
  const at = revision === null ? '' : `@${encodeURIComponent(revision)}`;
  return `${SCHEME}datasets/${repository}${at}${path === '' ? '' : `/${path}`}`;
}

/** Whether it names a commit, which never becomes another. */
export function isCommit(revision: string | null): boolean {
  return revision !== null && COMMIT.test(revision);
}

function decoded(location: string, revision: string | undefined): string | null {
  if (revision === undefined) return null;
  try {
    return decodeURIComponent(revision);
  } catch {
    throw invalid(location, 'has a revision with a % that begins no encoded byte.');
  }
}

function invalid(location: string, why: string): Mx8Error {
  return new Mx8Error('link_invalid', `${location} ${why}`, { location });
}
