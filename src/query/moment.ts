// Times in queries. Records carry RFC 3339 in UTC with up to nine decimals; two such texts compare as text once the `Z` and
// trailing zeros are gone, so nanoseconds need no arithmetic.

import type { Moment } from './tree.ts';

const RFC3339 =
  /^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})?)?$/;
const AGO = /^(\d{1,9})(ms|s|m|h|d|w)$/;
const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** `24h` ago, or RFC 3339; a date alone is its midnight, and a time without a zone is UTC, like every time we print. */
export function parseMoment(text: string): Moment | undefined {
  const ago = AGO.exec(text);
  if (ago) return { kind: 'ago', ms: Number(ago[1]) * UNIT_MS[ago[2] as keyof typeof UNIT_MS] };
  const parts = RFC3339.exec(text);
  if (!parts) return undefined;
  const [, date, clock = '00:00', fraction = '', zone = 'Z'] = parts;
  const seconds = clock.length === 5 ? `${clock}:00` : clock;
  const ms = Date.parse(`${date}T${seconds}${zone.toUpperCase()}`);
  // Date.parse lets 31 February roll over into March.
  if (Number.isNaN(ms) || Number.isNaN(Date.parse(`${date}T00:00:00Z`)) || !isRealDate(date!))
    return undefined;
  return { kind: 'absolute', key: timeKey(`${new Date(ms).toISOString().slice(0, 19)}.${fraction}Z`) };
}

function isRealDate(date: string): boolean {
  const [year, month, day] = date.split('-').map(Number);
  return new Date(Date.UTC(year!, month! - 1, day)).getUTCDate() === day;
}

/** Comparable text of a UTC time as records carry it. */
export function timeKey(utc: string): string {
  let end = utc.length;
  if (utc.endsWith('Z')) end--;
  const dot = utc.indexOf('.', 19);
  if (dot < 0) return utc.slice(0, end);
  while (end > dot && utc.charCodeAt(end - 1) === 0x30) end--;
  return utc.slice(0, end - 1 === dot ? dot : end);
}

export function momentKey(moment: Moment, nowMs: number): string {
  if (moment.kind === 'absolute') return moment.key;
  // Before 1970 nothing was recorded, and dates before year 0 would not compare as text.
  return timeKey(new Date(Math.max(0, nowMs - moment.ms)).toISOString());
}
