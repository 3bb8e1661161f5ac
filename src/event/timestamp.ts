// Moments, to the nanosecond, as texts: `2026-11-20T11:59:02.000000000Z`, always UTC, always nine fractional digits. So
// the order of the texts is the order of the moments, and no double ever rounds one.
//
// Read: RFC 3339 with any offset and any precision (digits beyond the ninth are cut), and seconds or milliseconds since
// 1970 as numbers or decimal texts.

/** The moment as it is written in records, or undefined where the value is none. */
export function normaliseTimestamp(value: string | number): string | undefined {
  if (typeof value === 'number') return fromEpoch(String(value));
  return value.length > TEXT_MAX ? undefined : (fromRfc3339(value) ?? fromEpoch(value));
}

const TEXT_MAX = 64;
const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

function fromRfc3339(text: string): string | undefined {
  const match = RFC_3339.exec(text);
  if (match === null) return undefined;
  const year = Number(match[1]);
  const month = Number(match[2]);
  const day = Number(match[3]);
  const hour = Number(match[4]);
  const minute = Number(match[5]);
  const second = Number(match[6]);
  const offsetHours = Number(match[9] ?? 0);
  const offsetMinutes = Number(match[10] ?? 0);
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 60 || offsetHours > 23 || offsetMinutes > 59) return undefined;

  const fraction = nineDigits(match[7] ?? '');
  const offset = (match[8] === '-' ? -1 : 1) * (offsetHours * 60 + offsetMinutes);
  if (offset === 0 && second < 60) return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction}Z`;

  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute - offset, second);
  // A leap second exists only at the end of a UTC day; like POSIX we count it as the second after it.
  if (second === 60 && (date.getUTCHours() !== 0 || date.getUTCMinutes() !== 0)) return undefined;
  return fromDate(date, fraction);
}

const EPOCH = /^(0|[1-9]\d{0,13})(?:\.(\d+))?$/;
// Below: seconds, until the year 5138. From it on: milliseconds, since 1973.
const MILLISECONDS_FROM = 100_000_000_000;

function fromEpoch(text: string): string | undefined {
  const match = EPOCH.exec(text);
  if (match === null) return undefined;
  const whole = Number(match[1]);
  const rest = match[2] ?? '';
  if (whole < MILLISECONDS_FROM) return fromDate(new Date(whole * 1000), nineDigits(rest));
  const fraction = String(whole % 1000).padStart(3, '0') + rest;
  return fromDate(new Date(whole), nineDigits(fraction));
}

function fromDate(date: Date, fraction: string): string | undefined {
  const text = date.toISOString();
  // Years outside 0000 to 9999 have a sign and six digits.
  return text.length === 24 ? `${text.slice(0, 19)}.${fraction}Z` : undefined;
}

function nineDigits(fraction: string): string {
  return fraction.length >= 9 ? fraction.slice(0, 9) : fraction.padEnd(9, '0');
}

/** For a month from 1 to 12. */
export function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
