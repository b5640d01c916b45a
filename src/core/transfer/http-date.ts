/** Dates as HTTP writes them, without a clock. */

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Days since 1970 of a date of the proleptic Gregorian calendar. */
function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** Of an HTTP date, such as `Wed, 21 Oct 2026 07:28:00 GMT`; NaN for anything else. */
export function httpDateMs(text: string): number {
  const match = /^\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/.exec(text);
  if (match === null) return NaN;
  const [day = 0, , year = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map(Number);
  const days = daysFromCivil(year, MONTHS.indexOf(match[2] ?? '') + 1, day);
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
}

/** `20261126T020405Z`, as signatures have it. */
export function basicTime(unixMs: number): string {
  const seconds = Math.floor(unixMs / 1000);
  const days = Math.floor(seconds / 86_400);
  const { year, month, day } = civilFromDays(days);
  const time = seconds - days * 86_400;
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = [Math.floor(time / 3600), Math.floor(time / 60) % 60, time % 60].map(two).join('');
  return `${String(year).padStart(4, '0')}${two(month)}${two(day)}T${clock}Z`;
}

/** The inverse of `daysFromCivil`. */
function civilFromDays(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const leaps =
    Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365);
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}
