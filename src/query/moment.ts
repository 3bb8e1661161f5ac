// Times in queries, as the texts that records carry: those compare as text, to the nanosecond.

import { normaliseTimestamp } from '../event/timestamp.ts';
import type { Moment } from './tree.ts';

const AGO = /^(\d{1,9})(ms|s|m|h|d|w)$/;
const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
/** What people leave out: seconds, the zone, the whole time of day. */
const SHORT = /^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})?)?$/;

/** `24h` ago, or RFC 3339; a date alone is its midnight, and a time without a zone is UTC, like every time we print. */
export function parseMoment(text: string): Moment | undefined {
  const ago = AGO.exec(text);
  if (ago) return { kind: 'ago', ms: Number(ago[1]) * UNIT_MS[ago[2] as keyof typeof UNIT_MS] };
  const parts = SHORT.exec(text);
  if (!parts) return undefined;
  const [, date, minutes = '00:00', seconds = ':00', zone = 'Z'] = parts;
  const utc = normaliseTimestamp(`${date}T${minutes}${seconds}${zone}`);
  return utc === undefined ? undefined : { kind: 'absolute', utc };
}

export function momentText(moment: Moment, nowMs: number): string {
  if (moment.kind === 'absolute') return moment.utc;
  // Nothing was recorded before 1970, and years before 0 would not compare as text.
  return `${new Date(Math.max(0, nowMs - moment.ms)).toISOString().slice(0, -1)}000000Z`;
}
