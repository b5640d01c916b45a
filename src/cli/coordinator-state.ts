/** Where a coordinator keeps its log. */
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { Mx8Error } from '../core/base/errors.ts';
import type { JobSpec } from '../core/job/protocol.ts';
import { MemoryLog } from '../log/memory-log.ts';
import { SqliteLog } from '../log/sqlite-log.ts';
import type { LogStore } from '../ports/log-store.ts';

/** As a folder's name it would be in the way of nobody. */
const KEEP_NOTHING = 'memory';

/**
 * The log in the folder that was given. Without one, in a folder below the home folder that is named
 * for the job, so that the same command finds it again and another job does not.
 */
export function openCoordinatorLog(folder: string | null, spec: JobSpec | null): LogStore {
  if (folder === KEEP_NOTHING) return new MemoryLog();
  const path = folder ?? join(homedir(), '.mx8', 'coordinator', stateName(spec));
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Mx8Error(
      'flag_invalid',
      `cannot make the state folder ${path}: ${reason}; choose another with --state DIR`,
      { flag: '--state', path },
      error,
    );
  }
  return new SqliteLog(join(path, 'coordinator.sqlite'));
}

function stateName(spec: JobSpec | null): string {
  if (spec === null) return 'submitted-jobs';
  const job = spec.adoptsFirstJobId ? 'data' : spec.jobId.replaceAll(/[^A-Za-z0-9._-]/g, '-');
  return `${job}-${spec.manifestHash.slice(0, 16)}-epoch-${spec.epoch}`;
}
