/**
 * Names for files that are being written. A name says which process writes the file, so that what a
 * killed process left behind is found and removed by the next one.
 */
import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { Random } from '../ports/random.ts';
import { livenessOf, thisProcess } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { systemCode } from './system-error.ts';

const NAME = /^(?<place>[0-9a-f]{16})-(?<pid>[1-9]\d{0,9})-(?<startTime>\d*)-[0-9a-f]{16}$/;

export function temporaryName(random: Random): string {
  const me = thisProcess();
  const nonce = Buffer.from(random.bytes(8)).toString('hex');
  return `${placeOf(me)}-${me.pid}-${me.startTime}-${nonce}`;
}

/** Removes files of dead processes; those of processes that cannot be seen from here stay. */
export async function sweepTemporaries(folder: string): Promise<void> {
  const me = thisProcess();
  for (const name of await namesIn(folder)) {
    const { place, pid, startTime } = NAME.exec(name)?.groups ?? {};
    if (place !== placeOf(me) || pid === undefined || startTime === undefined) continue;
    const writer = { ...me, pid: Number(pid), startTime };
    if (livenessOf(writer) === 'dead') await rm(join(folder, name), { force: true });
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** One machine and one space of process numbers, over reboots: pids of an earlier boot are dead. */
function placeOf(identity: ProcessIdentity): string {
  const { host, machineId, pidNamespace } = identity;
  return createHash('sha256')
    .update(JSON.stringify([host, machineId, pidNamespace]))
    .digest('hex')
    .slice(0, 16);
}
