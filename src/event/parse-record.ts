// One item of a request, as bytes, to a record or a reason: the plain path. It defines what is accepted; the batch
// encoder's fast path is an acceleration of it and must agree with it byte for byte.

import { parseJson } from './json.ts';
import { type RecordContext, type Validation, validateRecord } from './validate.ts';

/** Eight times the longest record: room for white space and escapes, and a bound on what one item can cost. */
export const ITEM_BYTES_MAX = 262_144;

export function parseRecord(item: Uint8Array, context: RecordContext): Validation {
  if (item.length > ITEM_BYTES_MAX) {
    return { ok: false, reason: `The item is longer than ${ITEM_BYTES_MAX} bytes, expected at most that.` };
  }
  const parsed = parseJson(item);
  if (!parsed.ok) return { ok: false, reason: `The item ${parsed.problem}.` };
  return validateRecord(parsed.value, context);
}
