/** Where a coordinator keeps its log, and how it finds out who leads. */
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { Mx8Error } from '../core/base/errors.ts';
import type { JobSpec } from '../core/job/protocol.ts';
import { MemoryElection, MemoryElectionBoard } from '../log/memory-election.ts';
import { MemoryLog } from '../log/memory-log.ts';
import { SqliteElection } from '../log/sqlite-election.ts';
import { SqliteLog } from '../log/sqlite-log.ts';
import { networkFileSystem } from '../platform/network-file-system.ts';
import type { Clock } from '../ports/clock.ts';
import type { Election } from '../ports/election.ts';
import type { LogStore } from '../ports/log-store.ts';

/** As a folder's name it would be in the way of nobody. */
const KEEP_NOTHING = 'memory';

export interface CoordinatorState {
  readonly log: LogStore;
  readonly election: Election;
}

export interface StatePlace {
  readonly folder: string | null;
  readonly leaderTtlMs: number;
  readonly clock: Clock;
}

/**
 * The state in the folder that was given. Without one, in a folder below the home folder that is named
 * for the job, so that the same command finds it again and another job does not.
 */
export function openCoordinatorState(place: StatePlace, spec: JobSpec | null): CoordinatorState {
  const { leaderTtlMs: ttlMs, clock } = place;
  if (place.folder === KEEP_NOTHING) {
    const election = new MemoryElection(new MemoryElectionBoard(clock), ttlMs);
    return { log: new MemoryLog(), election };
  }
  const folder = place.folder ?? join(homedir(), '.mx8', 'coordinator', stateName(spec));
  makeFolder(folder);
  const log = new SqliteLog(join(folder, 'coordinator.sqlite'));
  return { log, election: new SqliteElection({ folder, ttlMs, clock }) };
}

function makeFolder(path: string): void {
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
  const shared = networkFileSystem(path);
  if (shared === null) return;
  throw new Mx8Error(
    'flag_invalid',
    `the state folder ${path} lies on ${shared}, where the locks of SQLite do not hold between machines; choose a local folder with --state DIR, or keep the state of several machines in etcd with --state etcd://HOST:2379`,
    { flag: '--state', path },
  );
}

export function stateName(spec: JobSpec | null): string {
  if (spec === null) return 'submitted-jobs';
  const job = spec.adoptsFirstJobId ? 'data' : spec.jobId.replaceAll(/[^A-Za-z0-9._-]/g, '-');
  return `${job}-${spec.manifestHash.slice(0, 16)}-epoch-${spec.epoch}`;
}
