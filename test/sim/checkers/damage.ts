/**
 * Invariant 23: a log with a torn or changed record is refused with its place, by whoever reads it
 * next; never skipped. Asked at the end of a world, of a copy of its log.
 */
import { Mx8Error } from '../../../src/core/base/errors.ts';
import { Replica } from '../../../src/coordinator/replica.ts';
import type { LogStore } from '../../../src/ports/log-store.ts';
import type { Process } from '../world/process.ts';
import type { World } from '../world/world.ts';

/** A changed byte may look like the version of another format. */
const CODES: ReadonlySet<string> = new Set([
  'coordinator_state_invalid',
  'coordinator_state_newer',
]);

/** `log` holds damaged bytes at entry `seq`. `done` is told when that is decided. */
export function expectRefused(
  world: World,
  log: LogStore,
  clock: Process,
  seq: number,
  done: () => void,
): void {
  const replica = new Replica(log, clock);
  replica
    .catchUp()
    .then(
      () => world.fail('damage is refused', `entry ${seq} is damaged, and was read over`),
      (error: unknown) => {
        const isSaid = error instanceof Mx8Error && CODES.has(error.code);
        const namesPlace = isSaid && error.message.includes(`entry ${seq}`);
        if (!namesPlace)
          world.fail('damage is refused', `entry ${seq} is damaged: ${String(error)}`);
      },
    )
    .finally(done);
}
