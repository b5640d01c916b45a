/** Times as `JSON.stringify` writes a `Date` of them. */
import type { JsonBytes } from './json-bytes.ts';

const DAY_MS = 86_400_000;
/** Beyond it, on both sides of 1970, JavaScript has no dates. */
const TIME_MS_MAX: number = 100_000_000 * DAY_MS;
/** Of the 400 years after which the calendar is the same again. */
const CYCLE_DAYS = 146_097;
/** From March 1 of the year 0 to January 1, 1970. */
const EPOCH_DAYS = 719_468;

/** A whole number of milliseconds since 1970. What is no date is null. */
export function putTime(out: JsonBytes, unixMs: number): void {
  if (!(Math.abs(unixMs) <= TIME_MS_MAX)) {
    out.ascii('null');
    return;
  }
  const days = Math.floor(unixMs / DAY_MS);
  const ofDay = unixMs - days * DAY_MS;
  out.ascii('"');
  putDay(out, days);
  const parts = [
    ['T', Math.floor(ofDay / 3_600_000), 2],
    [':', Math.floor(ofDay / 60_000) % 60, 2],
    [':', Math.floor(ofDay / 1000) % 60, 2],
    ['.', ofDay % 1000, 3],
  ] as const;
  for (const [before, value, digits] of parts) {
    out.ascii(before);
    out.digits(value, digits);
  }
  out.ascii('Z"');
}

/** Years are counted from March on, so that the day that some have more is their last. */
function putDay(out: JsonBytes, days: number): void {
  const since = days + EPOCH_DAYS;
  const cycle = Math.floor(since / CYCLE_DAYS);
  const ofCycle = since - cycle * CYCLE_DAYS;
  const leapDays =
    Math.floor(ofCycle / 1460) - Math.floor(ofCycle / 36_524) + Math.floor(ofCycle / 146_096);
  const yearOfCycle = Math.floor((ofCycle - leapDays) / 365);
  const before = 365 * yearOfCycle + Math.floor(yearOfCycle / 4) - Math.floor(yearOfCycle / 100);
  const ofYear = ofCycle - before;
  const fromMarch = Math.floor((5 * ofYear + 2) / 153);
  const day = ofYear - Math.floor((153 * fromMarch + 2) / 5) + 1;
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  putYear(out, cycle * 400 + yearOfCycle + (month <= 2 ? 1 : 0));
  out.ascii('-');
  out.digits(month, 2);
  out.ascii('-');
  out.digits(day, 2);
}

function putYear(out: JsonBytes, year: number): void {
  if (year >= 0 && year <= 9999) {
    out.digits(year, 4);
    return;
  }
  out.ascii(year < 0 ? '-' : '+');
  out.digits(Math.abs(year), 6);
}
