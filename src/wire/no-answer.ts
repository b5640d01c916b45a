/** What a call that nobody answered in its time says: each address of the list, and what came of it there. */
import { Mx8Error } from '../core/base/errors.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { OnUnanswered } from './dialer.ts';
import { unavailable } from './status.ts';

/** Addresses that are told of; a list has a handful, and hints of where the leader is name others. */
const SILENT_ADDRESSES_MAX = 16;

/** Says of each address, once, that nobody answered there and why, and what `who` does about it. */
export function saysSilence(events: EventSink, who: string): OnUnanswered {
  const said = new Set<string>();
  return (address, message) => {
    if (said.has(address) || said.size >= SILENT_ADDRESSES_MAX) return;
    said.add(address);
    const then = `${who} asks again until a coordinator answers or it is stopped`;
    events.emit('warn', 'coordinator_wait', { coord_url: address, message, then });
  };
}

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

/**
 * The last attempt at an address is cut short by the end of the time. What came of it nobody knows, but what was
 * answered there before tells more than the silence.
 */
export function withAnswerBefore(
  error: Mx8Error,
  before: Mx8Error | undefined,
  address: string,
): Mx8Error {
  const why = error.details['why'];
  if (before === undefined || typeof why !== 'string' || 'why' in before.details) return error;
  return unavailable(address, `${why}; before that it answered: ${before.message}`);
}

function whatCame(address: string, failure: Mx8Error | undefined): string {
  if (failure === undefined) return `${address} was not asked, as the time was over`;
  const { message, details } = failure;
  const why = details['why'];
  if (typeof why === 'string') return `${address}: ${why}`;
  return message.includes(address) ? message : `${address}: ${message}`;
}
