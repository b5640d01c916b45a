/** What a call that nobody answered in its time says: each address of the list, and what came of it there. */
import { Mx8Error } from '../core/base/errors.ts';

/** `failures`: the latest of each address that was asked, among them `last`. The code is that of `last`. */
export function noAnswer(
  last: Mx8Error,
  failures: ReadonlyMap<string, Mx8Error>,
  listed: readonly string[],
): Mx8Error {
  // Where the leader was said to be need not be in the list.
  const addresses = [...new Set([...listed, ...failures.keys()])];
  if (addresses.length === 1) return last;
  const each = addresses.map((address) => whatCame(address, failures.get(address))).join('; ');
  const isSilence = [...failures.values()].every(({ details }) => 'why' in details);
  const head = isSilence ? 'no answer from any coordinator' : 'no coordinator carried it out';
  const details = { ...last.details, address: addresses.join(',') };
  return new Mx8Error(last.code, `${head}: ${each}`, details, last);
}

function whatCame(address: string, failure: Mx8Error | undefined): string {
  if (failure === undefined) return `${address} was not asked, as the time was over`;
  const { message, details } = failure;
  const why = details['why'];
  if (typeof why === 'string') return `${address}: ${why}`;
  return message.includes(address) ? message : `${address}: ${message}`;
}
