/**
 * The one table of every flag and `MX8_*` variable, in groups. A command names the flags it takes; a
 * variable is read where its flag is not given, and the flag wins.
 */
import type { AnyFlag } from './flag.ts';
import * as cluster from './flags/cluster.ts';
import * as data from './flags/data.ts';
import * as demo from './flags/demo.ts';
import * as format from './flags/format.ts';
import * as job from './flags/job.ts';
import * as leadership from './flags/leadership.ts';
import * as memory from './flags/memory.ts';
import * as operator from './flags/operator.ts';
import * as screen from './flags/screen.ts';
import * as state from './flags/state.ts';
import * as storage from './flags/storage.ts';
import * as tls from './flags/tls.ts';

export interface FlagGroup {
  readonly title: string;
  readonly flags: readonly AnyFlag[];
}

export const FLAG_GROUPS: readonly FlagGroup[] = [
  { title: 'Job', flags: flagsOf(job) },
  { title: 'Data', flags: flagsOf(data) },
  { title: 'Formats', flags: flagsOf(format) },
  { title: 'Memory', flags: flagsOf(memory) },
  { title: 'Cluster', flags: flagsOf(cluster) },
  { title: 'The coordinator’s state', flags: flagsOf(state) },
  { title: 'Several coordinators', flags: flagsOf(leadership) },
  { title: 'TLS', flags: flagsOf(tls) },
  { title: 'Operating a live job', flags: flagsOf(operator) },
  { title: 'Screens and logs', flags: flagsOf(screen) },
  { title: 'Object stores', flags: flagsOf(storage) },
  { title: 'Recovery demonstration', flags: flagsOf(demo) },
];

/** Flags that every command takes. */
export const COMMON_FLAGS: readonly AnyFlag[] = [screen.log, screen.logFormat, screen.colour];

function flagsOf(module: Readonly<Record<string, unknown>>): readonly AnyFlag[] {
  return Object.values(module).filter(isFlag);
}

function isFlag(value: unknown): value is AnyFlag {
  return typeof value === 'object' && value !== null && 'variable' in value && 'kind' in value;
}
