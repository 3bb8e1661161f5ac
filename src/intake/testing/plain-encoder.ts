// The encoder's shape without its speed: each item through the plain path of the record parser.

import { type QuarantinedItem, type RecordBatch, SALT_BYTES } from '../../event/batch.ts';
import { canonicalRecord } from '../../event/canonical.ts';
import { parseRecord } from '../../event/parse-record.ts';
import type { RecordContext } from '../../event/validate.ts';

export function encodeLines(body: Buffer, context: RecordContext): RecordBatch {
  const lines = body.toString('latin1').split('\n');
  return encodeItems(
    lines.filter((line) => line.trim() !== '').map((line) => Buffer.from(line, 'latin1')),
    context,
  );
}

export function encodeDocument(body: Buffer, context: RecordContext): RecordBatch {
  const parsed: unknown = JSON.parse(body.toString());
  const items = Array.isArray(parsed) ? parsed : [parsed];
  return encodeItems(
    items.map((item) => Buffer.from(JSON.stringify(item))),
    context,
  );
}

function encodeItems(items: readonly Buffer[], context: RecordContext): RecordBatch {
  const parts: Uint8Array[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  const quarantined: QuarantinedItem[] = [];
  let at = 0;
  for (const [position, raw] of items.entries()) {
    const outcome = parseRecord(raw, context);
    if (!outcome.ok) {
      quarantined.push({ position, reason: outcome.reason, raw });
      continue;
    }
    const bytes = canonicalRecord(outcome.record);
    parts.push(new Uint8Array(SALT_BYTES), bytes);
    starts.push(at + SALT_BYTES);
    at += SALT_BYTES + bytes.length;
    ends.push(at);
  }
  const slab = new Uint8Array(at);
  let offset = 0;
  for (const part of parts) {
    slab.set(part, offset);
    offset += part.length;
  }
  return { slab, starts: Uint32Array.from(starts), ends: Uint32Array.from(ends), quarantined };
}
