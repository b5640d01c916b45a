/** Several coordinators on one state: who leads, and where the others find it. */
import { LEADER_TTL_MS_DEFAULT } from '../../core/lead/limits.ts';
import { flag, optionalFlag } from '../flag.ts';
import type { Flag } from '../flag.ts';
import { coordinatorUrl, durationMs, onOff } from '../kinds.ts';

/** Four renewals fit into it; below this a busy machine would lose the lead for nothing. */
const LEADER_TTL_MS_MIN = 500;
const LEADER_TTL_MS_MAX = 60_000;

export const leaderTtlMs: Flag<number> = flag(
  durationMs({ min: LEADER_TTL_MS_MIN, max: LEADER_TTL_MS_MAX }),
  {
    name: 'leader-ttl-ms',
    variable: 'MX8_LEADER_TTL_MS',
    doc: 'How long a coordinator leads without renewing; it renews four times as often. The same for all coordinators of a state.',
  },
  LEADER_TTL_MS_DEFAULT,
);

export const advertise: Flag<string | null> = optionalFlag(
  coordinatorUrl(),
  {
    name: 'advertise',
    variable: 'MX8_COORD_ADVERTISE',
    doc: 'Where agents and clients reach this coordinator when it leads, where that is not the bound address.',
  },
  'the bound address; for an address of all interfaces, the host name and port',
);

export const keepPaused: Flag<boolean> = flag(
  onOff(),
  {
    name: 'keep-paused',
    variable: 'MX8_KEEP_PAUSED',
    doc: 'Leave a coordinator of this machine alone that was paused in the middle of a write, although nobody can take over from it; without this the standby ends it with SIGKILL once it was silent for the TTL.',
  },
  false,
);
