import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { normaliseTimestamp } from './timestamp.ts';

test('normaliseTimestamp reads RFC 3339 in any precision and offset', () => {
  const samples: Record<string, string> = {
    '2026-11-20T11:59:02Z': '2026-11-20T11:59:02.000000000Z',
    '2026-11-20T11:59:02.5Z': '2026-11-20T11:59:02.500000000Z',
    '2026-11-20t11:59:02.123z': '2026-11-20T11:59:02.123000000Z',
    '2026-11-20 11:59:02.123456Z': '2026-11-20T11:59:02.123456000Z',
    '2026-11-20T11:59:02.1234567899Z': '2026-11-20T11:59:02.123456789Z',
    '2026-11-20T11:59:02.000000001+05:30': '2026-11-20T06:29:02.000000001Z',
    '2026-12-31T23:30:00-01:00': '2027-01-01T00:30:00.000000000Z',
    '2026-11-20T11:59:02-00:00': '2026-11-20T11:59:02.000000000Z',
    '2016-12-31T23:59:60Z': '2017-01-01T00:00:00.000000000Z',
    '2017-01-01T00:59:60.25+01:00': '2017-01-01T00:00:00.250000000Z',
    '2024-02-29T00:00:00Z': '2024-02-29T00:00:00.000000000Z',
    '9999-12-31T23:59:59Z': '9999-12-31T23:59:59.000000000Z',
    '0001-01-01T00:00:00Z': '0001-01-01T00:00:00.000000000Z',
    '0050-01-01T00:00:00+01:00': '0049-12-31T23:00:00.000000000Z',
  };
  for (const [text, expected] of Object.entries(samples))
    assert.equal(normaliseTimestamp(text), expected, text);
});

test('normaliseTimestamp reads seconds and milliseconds since 1970', () => {
  assert.equal(normaliseTimestamp(0), '1970-01-01T00:00:00.000000000Z');
  assert.equal(normaliseTimestamp(1795175947), '2026-11-20T11:59:07.000000000Z');
  assert.equal(normaliseTimestamp(1795175947.484454), '2026-11-20T11:59:07.484454000Z');
  assert.equal(normaliseTimestamp('1795175947.484454123'), '2026-11-20T11:59:07.484454123Z');
  assert.equal(normaliseTimestamp(1795175947484), '2026-11-20T11:59:07.484000000Z');
  assert.equal(normaliseTimestamp('1795175947484.4541'), '2026-11-20T11:59:07.484454100Z');
});

test('normaliseTimestamp refuses what is no moment', () => {
  const strangers: (string | number)[] = [
    ...[
      '',
      'now',
      '2026-11-20',
      '2026-11-20T11:59Z',
      '2026-11-20T11:59:02',
      '2026-11-20T11:59:02.Z',
      '+5',
      '1e9',
    ],
    ...['2026-13-01T00:00:00Z', '2026-00-01T00:00:00Z', '2026-02-29T00:00:00Z', '2100-02-29T00:00:00Z'],
    ...['2026-11-31T00:00:00Z', '2026-11-00T00:00:00Z', '2026-11-20T24:00:00Z', '2026-11-20T11:60:00Z'],
    ...[
      '2026-11-20T11:59:61Z',
      '2026-11-20T11:59:60Z',
      '2026-11-20T11:59:02+24:00',
      '2026-11-20T11:59:02+0100',
    ],
    ...['0000-01-01T00:00:00+01:00', '9999-12-31T23:59:59-00:01', `2026-11-20T11:59:02.${'1'.repeat(100)}Z`],
    ...[-1, Number.NaN, Number.POSITIVE_INFINITY, 1e14, 1e300, 1e-9, '1795175947484454000', '017'],
  ];
  for (const value of strangers)
    assert.equal(normaliseTimestamp(value), undefined, String(value).slice(0, 60));
});

test('normaliseTimestamp agrees with Date, keeps its own output, and keeps the order', () => {
  const moment = fc.date({
    min: new Date('0001-01-02T00:00:00Z'),
    max: new Date('9999-12-30T00:00:00Z'),
    noInvalidDate: true,
  });
  const offset = fc.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 });
  fc.assert(
    fc.property(moment, offset, moment, (date, minutes, other) => {
      const local = new Date(date.getTime() + minutes * 60_000).toISOString().slice(0, 23);
      const size = Math.abs(minutes);
      const zone = `${minutes < 0 ? '-' : '+'}${String(Math.trunc(size / 60)).padStart(2, '0')}:${String(size % 60).padStart(2, '0')}`;
      const text = normaliseTimestamp(local + zone)!;
      assert.equal(text, `${date.toISOString().slice(0, 23)}000000Z`);
      assert.equal(normaliseTimestamp(text), text);
      assert.equal(text < normaliseTimestamp(other.toISOString())!, date < other);
    }),
  );
});
