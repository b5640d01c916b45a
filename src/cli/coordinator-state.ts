/** Where a coordinator keeps its log, and how it finds out who leads. */
import { homedir } from 'node:os';
import { join } from 'node:path';

import { Mx8Error } from '../core/base/errors.ts';
import type { JobSpec } from '../core/job/protocol.ts';
import { isEtcdPlace } from '../log/etcd/endpoints.ts';
import { KvElection } from '../log/kv-election.ts';
import { MemoryElection, MemoryElectionBoard } from '../log/memory-election.ts';
import { MemoryLog } from '../log/memory-log.ts';
import { SlotLog } from '../log/slot-log.ts';
import { SqliteElection } from '../log/sqlite-election.ts';
import { SqliteLog } from '../log/sqlite-log.ts';
import { networkFileSystem } from '../platform/network-file-system.ts';
import type { Clock } from '../ports/clock.ts';
import type { Election } from '../ports/election.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { LogStore } from '../ports/log-store.ts';
import type { Random } from '../ports/random.ts';
import { type EtcdFlags, openEtcdState } from './etcd-state.ts';
import { makeFoldersSync } from '../storage/make-folders.ts';

/** As a folder's name it would be in the way of nobody. */
const KEEP_NOTHING = 'memory';

export interface CoordinatorState extends AsyncDisposable {
  readonly log: LogStore;
  readonly election: Election;
}

export interface StateOptions extends EtcdFlags {
  /** As --state says it. */
  readonly state: string | null;
  readonly leaderTtlMs: number;
  /** Leaves a paused coordinator alone although nobody can take over from it. */
  readonly keepPaused: boolean;
}

/** The part of the TTL for which a write is tried: it ends before the lead does. */
const WRITE_TTL_PART = 0.75;

/**
 * The state in the place that was given. Without one, in a folder below the home folder that is named
 * for the job, so that the same command finds it again and another job does not.
 */
export async function openCoordinatorState(
  options: StateOptions,
  ports: { readonly clock: Clock; readonly random: Random; readonly events: EventSink },
  spec: JobSpec | null,
): Promise<CoordinatorState> {
  const { leaderTtlMs: ttlMs, state } = options;
  const { clock, random, events } = ports;
  if (state === KEEP_NOTHING) {
    const election = new MemoryElection(new MemoryElectionBoard(clock), ttlMs);
    return { log: new MemoryLog(), election, ...nothingToClose };
  }
  if (state !== null && isEtcdPlace(state)) {
    const { kv, prefix } = await openEtcdState({
      place: state,
      defaultName: stateName(spec),
      flags: options,
      leaderTtlMs: ttlMs,
      clock,
      events,
    });
    const giveUpAfterMs = ttlMs * WRITE_TTL_PART;
    return {
      log: new SlotLog({ kv, prefix: `${prefix}log/`, clock, random, giveUpAfterMs }),
      election: new KvElection({ kv, prefix, ttlMs, clock }),
      [Symbol.asyncDispose]: () => kv.close(),
    };
  }
  const folder = state ?? join(homedir(), '.mx8', 'coordinator', stateName(spec));
  makeFolder(folder);
  const logPath = join(folder, 'coordinator.sqlite');
  const log = new SqliteLog(logPath);
  const endsPausedWriters = options.keepPaused ? null : { logPath, events };
  const election = new SqliteElection({ folder, ttlMs, clock, endsPausedWriters });
  return { log, election, ...nothingToClose };
}

/** What a coordinator closes when it stops is all there is. */
const nothingToClose: AsyncDisposable = { [Symbol.asyncDispose]: () => Promise.resolve() };

function makeFolder(path: string): void {
  try {
    makeFoldersSync(path);
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
