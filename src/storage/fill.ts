/** Reads the samples of a job into its slab, as a program of system calls. */
import { fillExtents } from './fill-extents.ts';
import { fillFiles } from './fill-files.ts';
import type { IoProgram } from './io-request.ts';
import { FillState } from './fill-state.ts';
import type { ReadJob, ReadResult } from './read-job.ts';

/** `isHere`: whole files in it are known to be on disks of this machine. */
export function* fill(
  job: ReadJob,
  slab: Uint8Array,
  scratch: Uint8Array,
  isHere: boolean,
): IoProgram<ReadResult> {
  const state = new FillState(job, slab, isHere);
  const count = job.locations.length;
  while (state.index < count && state.nextBytes === 0) {
    const kind = kindOf(job, state.index);
    let end = state.index + 1;
    while (end < count && kindOf(job, end) === kind) end += 1;
    if (kind === 'file') yield* fillFiles(state, end);
    else if (kind === 'extent') yield* fillExtents(state, end, scratch);
    else while (state.index < end) state.fail('not_local');
  }
  return state.result();
}

const URL_PATTERN = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//;

function kindOf(job: ReadJob, index: number): 'file' | 'extent' | 'url' {
  const location = job.locations[index] ?? '';
  if (!location.startsWith('/') && URL_PATTERN.test(location)) return 'url';
  return job.offsets[index] === -1 ? 'file' : 'extent';
}

/** The sizes of files, -1 where there is none to be read; the reading itself says why. */
export function* measure(paths: readonly string[]): IoProgram<Float64Array> {
  const sizes = new Float64Array(paths.length);
  for (const [index, path] of paths.entries()) {
    const size = yield { op: 'stat', path };
    sizes[index] = typeof size === 'number' ? size : -1;
  }
  return sizes;
}
