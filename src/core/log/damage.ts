import { Mx8Error } from '../base/errors.ts';

/** What is stored is not what was written: refused with its place, never passed over. */
export function damaged(place: string, why: string): Mx8Error {
  return new Mx8Error(
    'coordinator_state_invalid',
    `the coordinator's log is damaged: ${place} ${why}; restore the store from a backup`,
    { place },
  );
}

export function newerFormat(place: string, version: number, readable: number): Mx8Error {
  return new Mx8Error(
    'coordinator_state_newer',
    `${place} of the coordinator's log has version ${version}, this mx8 reads up to ${readable}; start a newer mx8`,
    { place, version },
  );
}
