/** Where a path really leads, links followed, also of what is not there yet. */
import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { errnoOf } from './output-error.ts';

export async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    return join(await realPathOf(dirname(path)), basename(path));
  }
}

/** True when the absolute path `inner` is `outer` or lies below it. */
export function contains(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(outer === '/' ? '/' : `${outer}/`);
}
