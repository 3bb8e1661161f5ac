// Goal: no bytes crash the plain path, and what it accepts is sound by independent means. Method: lines of real records,
// damaged at random, and plain noise; JSON.parse and the field table are the judges.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampleRecords } from '../../bench/sample-records.ts';
import { RECORD_BYTES_MAX } from './batch.ts';
import { canonicalRecord, canonicalRecordText, type FlatRecord } from './canonical.ts';
import { fieldNamed, isNumeric, LABEL_PREFIX } from './fields.ts';
import { ITEM_BYTES_MAX, parseRecord } from './parse-record.ts';

const context = { ingested: '2026-11-20T12:00:00.000000000Z', observer: 'sender' };
const utf8 = new TextEncoder();

function assertSound(record: FlatRecord): void {
  const names = Object.keys(record);
  assert.deepEqual(names, names.toSorted());
  assert.ok(canonicalRecord(record).length <= RECORD_BYTES_MAX);
  assert.deepEqual(JSON.parse(canonicalRecordText(record)), record);
  assert.match(String(record['@timestamp']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
  assert.equal(record['event.ingested'], context.ingested);
  for (const [name, value] of Object.entries(record)) {
    const field = fieldNamed(name);
    assert.ok(field !== undefined || name.startsWith(LABEL_PREFIX), name);
    const type = field === undefined ? 'string' : isNumeric(field.type) ? 'number' : undefined;
    if (type !== undefined) assert.equal(typeof value, type, name);
    if (typeof value === 'string')
      assert.ok(value.isWellFormed() && !value.includes('\0') && value !== '', name);
  }
}

function assertJudgedSoundly(item: Uint8Array): void {
  const result = parseRecord(item, context);
  if (!result.ok) {
    assert.match(result.reason, /^(The |An |").{10,400}$/s);
    return;
  }
  assert.doesNotThrow(() =>
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(item)),
  );
  assertSound(result.record);
}

test('parseRecord judges damaged records soundly', () => {
  const lines = sampleRecords(20).map((record) =>
    utf8.encode(JSON.stringify({ ...record, extra: ['é', { a: '\n' }] })),
  );
  const hit = fc.record({
    at: fc.nat(1000),
    length: fc.nat(40),
    bytes: fc.oneof(
      fc.uint8Array({ maxLength: 4 }),
      fc
        .constantFrom('"', '\\', '\\u0000', '{', '}', '[', ',', ':', '"__proto__":', 'null', '-', '1e999')
        .map((text) => utf8.encode(text)),
    ),
  });
  fc.assert(
    fc.property(fc.constantFrom(...lines), fc.array(hit, { minLength: 1, maxLength: 3 }), (line, hits) => {
      let item = line;
      for (const { at, length, bytes } of hits) {
        item = Buffer.concat([item.subarray(0, at), bytes, item.subarray(at + (length % 8))]);
      }
      assertJudgedSoundly(item);
    }),
    {
      numRuns: 3000,
      // An unusual name is not repeated in the reason, which then has to begin with a capital all the same.
      examples: [
        [utf8.encode('{"@timestamp":0,"a b":"c"}'), [{ at: 23, length: 0, bytes: utf8.encode('\\u0000') }]],
      ],
    },
  );
});

test('parseRecord judges noise soundly', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), assertJudgedSoundly), { numRuns: 1000 });
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (json) => {
      assertJudgedSoundly(utf8.encode(json));
      assertJudgedSoundly(utf8.encode(`{"@timestamp":0,"labels":${json},"x":${json}}`));
    }),
    { numRuns: 1000 },
  );
});

test('parseRecord refuses an item that is too long without reading it', () => {
  const item = new Uint8Array(ITEM_BYTES_MAX + 1).fill(0x20);
  const result = parseRecord(item, context);
  assert.match(result.ok ? '' : result.reason, /longer than 262144 bytes/);
});

test('parseRecord keeps the digits of long numbers', () => {
  const item =
    '{"@timestamp":1795175947.484454123,"request":12345678901234567890,"user.id":"9007199254740993"}';
  const result = parseRecord(utf8.encode(item), context);
  assert.ok(result.ok);
  assert.equal(result.record['@timestamp'], '2026-11-20T11:59:07.484454123Z');
  assert.equal(result.record['labels.request'], '12345678901234567890');
  assert.equal(result.record['user.id'], '9007199254740993');
});
