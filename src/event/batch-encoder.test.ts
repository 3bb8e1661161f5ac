// Goal: the fast path accepts only what the plain path accepts, with the same bytes, and nothing of a request is lost.
// Method: the plain path, applied item by item, is the oracle; one long-lived encoder, which therefore knows many shapes,
// is compared with it on generated senders (fixed formatting, changing values) and on damaged copies of their lines.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampleNdjson, sampleRecords } from '../../bench/sample-records.ts';
import { type RecordBatch, SALT_BYTES } from './batch.ts';
import {
  BatchEncoder,
  encodeJson,
  encodeNdjson,
  encodeRecords,
  ITEMS_MAX,
  QUARANTINED_MAX,
  TooManyItemsError,
} from './batch-encoder.ts';
import { canonicalRecordText } from './canonical.ts';
import { FIELDS, type Field } from './fields.ts';
import { parseRecord } from './parse-record.ts';

const context = { ingested: '2026-11-20T12:00:00.000000000Z', observer: 'sender "7" é' };
const utf8 = new TextEncoder();
const text = new TextDecoder();

interface Outcome {
  readonly records: string[];
  readonly quarantined: { position: number; reason: string; raw: string }[];
}

function outcomeOf(batch: RecordBatch): Outcome {
  assert.equal(batch.starts.length, batch.ends.length);
  let previous = 0;
  const records = Array.from(batch.starts, (start, index) => {
    assert.equal(start - previous, SALT_BYTES, 'one gap before each record');
    assert.ok(batch.slab.subarray(previous, start).every((byte) => byte === 0));
    previous = batch.ends[index]!;
    return text.decode(batch.slab.subarray(start, previous));
  });
  assert.equal(batch.slab.length, previous);
  const quarantined = batch.quarantined.map((item) => ({
    ...item,
    raw: Buffer.from(item.raw).toString('latin1'),
  }));
  return { records, quarantined };
}

/** What the plain path makes of these items. */
function plainly(items: readonly Uint8Array[]): Outcome {
  const outcome: Outcome = { records: [], quarantined: [] };
  for (const [position, item] of items.entries()) {
    const result = parseRecord(item, context);
    if (result.ok) outcome.records.push(canonicalRecordText(result.record));
    else
      outcome.quarantined.push({
        position,
        reason: result.reason,
        raw: Buffer.from(item).toString('latin1'),
      });
  }
  return outcome;
}

function joined(parts: readonly Uint8Array[], separator: string): Uint8Array {
  return Buffer.concat(
    parts.flatMap((part, index) => (index === 0 ? [part] : [utf8.encode(separator), part])),
  );
}

function recordsOf(body: string, encode = encodeNdjson): unknown[] {
  return outcomeOf(encode(utf8.encode(body), context)).records.map((record) => JSON.parse(record));
}

// Values that are right, nearly right and wrong for each type; any of them may be sent for any field.
const VALUES: readonly string[] = [
  ...[
    '"2026-11-20T11:59:02.123456789Z"',
    '"2026-11-20T11:59:02Z"',
    '"2026-11-20T11:59:02.5Z"',
    '1795175947.25',
    '0',
  ],
  ...[
    '"2026-11-20T11:59:02+01:00"',
    '"2026-02-30T00:00:00Z"',
    '"2026-11-20T11:59:60Z"',
    '"2026-11-20T11:59:02.1234567891Z"',
    '"2026-11-20t11:59:02z"',
  ],
  ...[
    '"10.0.0.1"',
    '"010.0.0.1"',
    '"256.0.0.1"',
    '"10.0.0"',
    '"2001:DB8::1"',
    '"::ffff:10.0.0.1"',
    '"2001:db8::1"',
  ],
  ...[
    '443',
    '"443"',
    '65535',
    '65536',
    '0443',
    '"0443"',
    '-1',
    '-0',
    '1.0',
    '1e2',
    '1e400',
    '9007199254740993',
    '007',
  ],
  ...[
    '999999999999999',
    '1000000000000000',
    '12345678901234567890',
    '0.1',
    '1795175947.4844541',
    '00',
    '1.',
    '.5',
    '+1',
  ],
  ...[
    '"1.3"',
    '"TLSv1.3"',
    '"1.4"',
    '772',
    '"success"',
    '"Denied"',
    '"request"',
    '"mtls"',
    '"successes"',
    '"0x1301"',
  ],
  ...[
    'true',
    'false',
    '"true"',
    '"FALSE"',
    'tru',
    'null',
    '""',
    '"-"',
    '"--"',
    '" "',
    '{}',
    '[]',
    '["b","a"]',
    '[1]',
  ],
  ...[
    '"ab01"',
    '"AB:01"',
    '"abc"',
    '"alice"',
    '"Alice Ö"',
    '"a\\"b"',
    '"a\\u0041"',
    '"\\u0000"',
    '"\\ud800"',
    '"a\\\\"',
  ],
  ...[
    '"tcp"',
    '"udp"',
    '"icmp"',
    '"unix"',
    '"TCP"',
    '"b,a"',
    '"a\u007fb"',
    '"\u2028"',
    '"a\u0001"',
    `"${'x'.repeat(1025)}"`,
  ],
  ...['"record.kind"', `"${'é'.repeat(600)}"`, '"a\tb"', '"x"y"', '"\u{1f600}"', 'True', 'NaN', '"1:abc="'],
];

const usual = (field: Field): string => {
  const samples: Record<Field['type'], string> = {
    keyword: '"alice"',
    text: '"some words"',
    enum: JSON.stringify(field.values[0] ?? ''),
    ip: '"10.1.2.3"',
    port: '8443',
    long: '200',
    duration: '123456',
    timestamp: '"2026-11-20T11:59:02.000000001Z"',
    boolean: 'true',
    list: '"a,b"',
    hex: '"00ff"',
    serial: '"0a01"',
    'tls-version': '"1.2"',
    'suite-id': '"0xc02f"',
  };
  return samples[field.type];
};

const memberNames = fc.constantFrom(
  ...FIELDS.map((field) => field.name),
  ...['user', 'src_port', 'dest_port', 'action', 'src_ip', 'dest_ip', 'timestamp'],
  ...['labels.team', 'team', 'zone', 'url', 'labels', 'event.module', '__proto__', '\\u0074eam', 'é', ''],
);
const FLOW_FIELDS = ['network.transport', 'source.ip', 'source.port', 'destination.ip', 'destination.port'];

/** A sender: its members in its order, and its way of writing JSON. */
const sender = fc.record({
  moment: fc.constantFrom(
    '@timestamp',
    '@timestamp',
    '@timestamp',
    '@timestamp',
    'timestamp',
    'timestamp',
    'time',
  ),
  names: fc.uniqueArray(memberNames, { maxLength: 12 }),
  withFlow: fc.boolean(),
  momentAt: fc.nat(4),
  comma: fc.constantFrom(',', ',', ', ', ' ,\t', ',\r'),
  colon: fc.constantFrom(':', ':', ': ', ' : '),
  nested: fc.boolean(),
  edits: fc.array(fc.array(fc.tuple(fc.nat(20), fc.nat(VALUES.length - 1)), { maxLength: 2 }), {
    minLength: 3,
    maxLength: 6,
  }),
});

type Sender = typeof sender extends fc.Arbitrary<infer T> ? T : never;

function linesOf({ moment, names, withFlow, momentAt, comma, colon, nested, edits }: Sender): Uint8Array[] {
  const all = [...new Set([...names, ...(withFlow ? FLOW_FIELDS : [])])];
  all.splice(momentAt, 0, moment);
  // The first line is an ordinary one, so that the others meet a shape that is known.
  return [[], ...edits].map((changes) => {
    const values = all.map((name) => {
      const field = FIELDS.find((one) => one.name === name);
      if (field !== undefined) return usual(field);
      return name.endsWith('port') ? '"443"' : name.startsWith('time') ? '1795175947' : '"x"';
    });
    for (const [index, value] of changes) if (index < values.length) values[index] = VALUES[value]!;
    const members = all.map((name, index) => member(name, values[index]!, colon, nested));
    return utf8.encode(`{${members.join(comma)}}`);
  });
}

function member(name: string, value: string, colon: string, nested: boolean): string {
  const [head, ...rest] = name.split('.');
  if (!nested || rest.length === 0) return `"${name}"${colon}${value}`;
  return `"${head}"${colon}{"${rest.join('.')}"${colon}${value}}`;
}

const damage = fc.record({
  line: fc.nat(5),
  at: fc.nat(2000),
  kind: fc.constantFrom('flip', 'insert', 'delete', 'cut', 'double', 'none', 'none'),
  byte: fc.oneof(fc.constantFrom(...utf8.encode('"\\{}[],:-.0019eE \t\r')), fc.integer({ min: 0, max: 255 })),
});

function damaged(
  lines: readonly Uint8Array[],
  hits: readonly { line: number; at: number; kind: string; byte: number }[],
) {
  const result = lines.map((line) => [...line]);
  for (const { line, at, kind, byte } of hits) {
    const target = result[line % result.length]!;
    const index = at % Math.max(target.length, 1);
    if (kind === 'flip') target[index] = byte;
    if (kind === 'insert') target.splice(index, 0, byte);
    if (kind === 'delete') target.splice(index, 1);
    if (kind === 'cut') target.splice(index);
    if (kind === 'double') target.splice(index, 0, ...target.slice(index, index + byte));
  }
  return result.map((line) => Uint8Array.from(line));
}

test('encodeNdjson agrees with the plain path about every line of every sender', () => {
  // A new one now and then, because a tree that has seen a thousand senders learns slowly.
  let encoder = new BatchEncoder();
  let runs = 0;
  let recognised = 0;
  let total = 0;
  fc.assert(
    fc.property(sender, fc.array(damage, { maxLength: 3 }), (program, hits) => {
      const clean = linesOf(program);
      const lines = [...clean, ...damaged(clean, hits), ...clean]
        .filter((line) => !line.includes(0x0a))
        .filter((line) => !/^[ \t\r]/.test(text.decode(line)) && line.length > 0);
      assert.deepEqual(outcomeOf(encoder.encodeNdjson(joined(lines, '\n'), context)), plainly(lines));
      total += lines.length;
      if (++runs % 100 === 0) {
        recognised += encoder.recognised;
        encoder = new BatchEncoder();
      }
    }),
    { numRuns: 1500 },
  );
  assert.ok(recognised > total / 8, `only ${recognised} of ${total} lines took the fast path`);
});

test('encodeNdjson agrees with the plain path about every sample value of every field, known shape or not', () => {
  let recognised = 0;
  for (const name of [...FIELDS.map((field) => field.name), 'team', 'labels.team', 'user', 'src_port']) {
    const encoder = new BatchEncoder();
    const moment = name === 'user' || name === 'src_port' ? '"timestamp":0' : '"@timestamp":0';
    const lines = VALUES.map((value) =>
      utf8.encode(`{${name === '@timestamp' ? '' : `${moment},`}"${name}":${value}}`),
    );
    for (const round of [1, 2, 3]) {
      const outcome = outcomeOf(encoder.encodeNdjson(joined(lines, '\n'), context));
      assert.deepEqual(outcome, plainly(lines), `${name}, round ${round}`);
    }
    recognised += encoder.recognised;
  }
  assert.ok(recognised > 10 * FIELDS.length, `only ${recognised} lines took the fast path`);
});

test('encodeJson agrees with the plain path about every element of a list', () => {
  const encoder = new BatchEncoder();
  fc.assert(
    fc.property(sender, fc.constantFrom(',', ' , ', ',\n'), (program, separator) => {
      // An element must be recognisable as one: well-formed JSON, whatever else is wrong with it.
      const items = [...linesOf(program), ...linesOf(program)].filter((line) => {
        try {
          JSON.parse(text.decode(line));
          return true;
        } catch {
          return false;
        }
      });
      const body = Buffer.concat([utf8.encode(' [ '), joined(items, separator), utf8.encode('\n]\n')]);
      assert.deepEqual(outcomeOf(encoder.encodeJson(body, context)), plainly(items));
    }),
    { numRuns: 300 },
  );
  assert.ok(encoder.recognised > 100);
});

test('encodeRecords agrees with the plain path about objects', () => {
  const encoder = new BatchEncoder();
  const value = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.constant(undefined),
    fc.double(),
  );
  fc.assert(
    fc.property(fc.array(fc.dictionary(memberNames, value), { maxLength: 4 }), (objects) => {
      const records = objects.map((object) => ({ '@timestamp': 1795175947, ...object }));
      const items = records.map((record) => utf8.encode(JSON.stringify(record)));
      assert.deepEqual(
        outcomeOf(encoder.encodeRecords([...records, ...records], context)),
        plainly([...items, ...items]),
      );
    }),
    { numRuns: 300 },
  );
  assert.ok(encoder.recognised > 100);
});

test('encodeNdjson, encodeJson and encodeRecords take the fast path for all but the first of a thousand alike', () => {
  const records = sampleRecords(1000);
  const encoders = [new BatchEncoder(), new BatchEncoder(), new BatchEncoder()] as const;
  const expected = outcomeOf(encoders[0].encodeNdjson(sampleNdjson(1000), context));
  assert.deepEqual(
    outcomeOf(encoders[1].encodeJson(utf8.encode(JSON.stringify(records)), context)),
    expected,
  );
  assert.deepEqual(outcomeOf(encoders[2].encodeRecords(records, context)), expected);
  assert.equal(expected.records.length, 1000);
  for (const encoder of encoders) assert.equal(encoder.recognised, 999);
});

test('encodeNdjson computes the flow of recognised records, and leaves those without one alone', () => {
  const line = (transport: string, from: string, port: number): string =>
    JSON.stringify({
      '@timestamp': 0,
      network: { transport },
      source: { ip: from, port },
      destination: { ip: '66.35.250.204', port: 80 },
    });
  const lines = [
    line('tcp', '128.232.110.120', 34_855),
    line('tcp', '128.232.110.120', 34_855),
    line('unix', '128.232.110.120', 34_855),
    line('tcp', '::1', 34_855),
    line('TCP', '128.232.110.120', 34_855),
  ];
  const encoder = new BatchEncoder();
  const { records } = outcomeOf(encoder.encodeNdjson(utf8.encode(lines.join('\n')), context));
  const flow = '1:LQU9qZlK+B5F3KDmev6m5PMibrg=';
  assert.deepEqual(
    records.map((record) => (JSON.parse(record) as Record<string, unknown>)['network.community_id']),
    [flow, flow, undefined, undefined, flow],
  );
  assert.equal(encoder.recognised, 2);
});

test('a name that depends on what comes later is not mistaken', () => {
  const lines = [
    '{"user":"a","timestamp":0,"action":"x"}',
    '{"user":"b","timestamp":0,"action":"x"}',
    '{"user":"c","@timestamp":0,"action":"x"}',
    '{"user":"d","@timestamp":0,"action":"x"}',
    '{"user":"e","timestamp":0,"@timestamp":0}',
  ].map((line) => utf8.encode(line));
  assert.deepEqual(outcomeOf(new BatchEncoder().encodeNdjson(joined(lines, '\n'), context)), plainly(lines));
  assert.deepEqual(
    outcomeOf(new BatchEncoder().encodeNdjson(joined(lines.toReversed(), '\n'), context)),
    plainly(lines.toReversed()),
  );
});

test('encodeNdjson skips empty lines, knows both line ends, and numbers the items', () => {
  const body =
    '\ufeff\r\n{"@timestamp":0,"user.name":"a"}\r\n\n  \t\n{"@timestamp":0,"user.name":"b"}\r\nnot json\n{"@timestamp":0}';
  const { records, quarantined } = outcomeOf(encodeNdjson(utf8.encode(body), context));
  assert.equal(records.length, 3);
  assert.deepEqual(quarantined, [
    { position: 2, reason: 'The item is not valid JSON, expected one JSON object.', raw: 'not json' },
  ]);
  assert.deepEqual(outcomeOf(encodeNdjson(new Uint8Array(0), context)), { records: [], quarantined: [] });
});

test('encodeNdjson never joins lines, even those that a list has taught it', () => {
  const encoder = new BatchEncoder();
  const pretty = JSON.stringify({ '@timestamp': 0, 'user.name': 'a' }, null, 1);
  for (let round = 0; round < 3; round++) {
    assert.equal(
      outcomeOf(encoder.encodeJson(utf8.encode(`[${pretty},${pretty}]`), context)).records.length,
      2,
    );
    const { records, quarantined } = outcomeOf(encoder.encodeNdjson(utf8.encode(pretty), context));
    assert.equal(records.length, 0);
    assert.equal(quarantined.length, 4);
  }
});

test('encodeJson takes one object, a list, and nothing', () => {
  const one = '{"@timestamp":0,"user.name":"a"}';
  assert.equal(recordsOf(one, encodeJson).length, 1);
  assert.equal(recordsOf(`\n ${one} \n`, encodeJson).length, 1);
  assert.equal(recordsOf(`[${one},${one}\n]`, encodeJson).length, 2);
  for (const body of ['', ' \n', '[]', ' [ ] ']) assert.deepEqual(recordsOf(body, encodeJson), []);
});

test('encodeJson quarantines what is broken about a list and keeps the rest', () => {
  const one = '{"@timestamp":0,"user.name":"a"}';
  const cases: [string, number, string[]][] = [
    [`[${one}`, 1, ['']],
    [`[${one},`, 1, ['', '']],
    [`[${one},]`, 1, ['']],
    [`[,${one}]`, 1, ['']],
    [`[${one}] x`, 1, ['x']],
    [`[${one}${one},${one}]`, 1, [`${one}${one}`]],
    [`[${one},{"@timestamp":0,"a":"],[",7,${one}]`, 1, [`{"@timestamp":0,"a":"],[",7,${one}]`, '']],
    [`[${one},"text",[${one}],null]`, 1, ['"text"', `[${one}]`, 'null']],
    [`${one}${one}`, 0, [`${one}${one}`]],
    ['[', 0, ['', '']],
    ['{', 0, ['{']],
    ['\ufeff\ufeff{}', 0, ['\u00ef\u00bb\u00bf{}']],
  ];
  for (const [body, count, raw] of cases) {
    const { records, quarantined } = outcomeOf(encodeJson(utf8.encode(body), context));
    assert.equal(records.length, count, body);
    assert.deepEqual(
      quarantined.map((item) => item.raw),
      raw,
      body,
    );
    assert.deepEqual(new Set(quarantined.map((item) => item.position)).size, quarantined.length, body);
  }
});

test('a request of nothing but malformed items does not become many times its size', () => {
  for (const [encode, body] of [
    [encodeNdjson, 'x\n'.repeat(100_000)],
    [encodeJson, `[${'x,'.repeat(100_000)}`],
  ] as const) {
    const { quarantined } = encode(utf8.encode(body), context);
    assert.equal(quarantined.length, QUARANTINED_MAX + 1);
    assert.match(quarantined.at(-1)!.reason, /more than 10000 malformed items/);
    assert.equal(text.decode(quarantined.at(-1)!.raw).match(/x\n/g)?.length, 100_000 - QUARANTINED_MAX);
  }
});

test('malformed items never cost good records, however many they are', () => {
  const good = '{"@timestamp":0,"user.name":"a"}\n';
  const { starts, quarantined } = encodeNdjson(
    utf8.encode(`${'bad\n'.repeat(12_000)}${good.repeat(100)}`),
    context,
  );
  assert.equal(starts.length, 100);
  assert.equal(quarantined.length, QUARANTINED_MAX + 1);
  assert.match(quarantined.at(-1)!.reason, /the other 1999 that follow/);
});

test('a request of too many items is refused as a whole', () => {
  const body = utf8.encode('x\n'.repeat(ITEMS_MAX + 1));
  assert.throws(() => encodeNdjson(body, context), TooManyItemsError);
  assert.equal(encodeNdjson(utf8.encode('{"@timestamp":0}'), context).starts.length, 1);
});

test('encodeRecords quarantines what cannot be written as JSON', () => {
  const cycle: Record<string, unknown> = { '@timestamp': 0 };
  cycle.self = cycle;
  const strangers = [
    cycle,
    { '@timestamp': 0, n: 1n },
    () => 1,
    null,
    { '@timestamp': 0, 'user.name': '\ud800' },
  ];
  const { records, quarantined } = outcomeOf(
    encodeRecords([...(strangers as object[]), { '@timestamp': new Date(0) }], context),
  );
  assert.equal(records.length, 1);
  assert.deepEqual(
    quarantined.map((item) => item.position),
    [0, 1, 2, 3, 4],
  );
});

test('encodeRecords takes records of any size', () => {
  const long = { '@timestamp': 0, 'user.name': 'é'.repeat(200_000) };
  const { records, quarantined } = outcomeOf(encodeRecords([long, { '@timestamp': 0 }], context));
  assert.equal(records.length, 1);
  assert.match(quarantined[0]!.reason, /longer than/);
});

test('an item too long for a record is refused on either path', () => {
  const encoder = new BatchEncoder();
  const line = (length: number): string =>
    JSON.stringify({ '@timestamp': 0, 'url.path': 'x'.repeat(length) });
  const lines = [1, 2, 32_600, 32_700, 300_000, 3].map((length) => utf8.encode(line(length)));
  assert.deepEqual(outcomeOf(encoder.encodeNdjson(joined(lines, '\n'), context)), plainly(lines));
});

test('a Buffer and a view into a larger buffer are read like any bytes', () => {
  const body = utf8.encode('{"@timestamp":0,"user.name":"a"}\n{"@timestamp":0,"user.name":"b"}\n');
  const expected = outcomeOf(encodeNdjson(body, context));
  const large = Buffer.concat([Buffer.from('{"x":1}'), body, Buffer.from('{"y":1}')]);
  assert.deepEqual(outcomeOf(encodeNdjson(large.subarray(7, 7 + body.length), context)), expected);
  assert.equal(expected.records.length, 2);
});

test('the quarantined bytes are a copy', () => {
  const body = utf8.encode('broken');
  const { quarantined } = encodeNdjson(body, context);
  body.fill(0);
  assert.equal(text.decode(quarantined[0]!.raw), 'broken');
});

test('a sender that invents a new shape for every line neither slows down others nor fills the memory', () => {
  const encoder = new BatchEncoder();
  const lines = Array.from({ length: 20_000 }, (_, index) => `{"@timestamp":0,"a${index}":"x"}`);
  encoder.encodeNdjson(utf8.encode(lines.join('\n')), context);
  const before = encoder.recognised;
  encoder.encodeNdjson(sampleNdjson(3000), context);
  assert.ok(encoder.recognised - before > 2000, 'an honest sender is recognised again');
});

test('encodeNdjson refuses a context that records cannot hold', () => {
  const body = new Uint8Array(0);
  for (const wrong of [{ ingested: '2026-11-20T12:00:00Z' }, { observer: '' }, { observer: '\ud800' }]) {
    assert.throws(() => encodeNdjson(body, { ...context, ...wrong }), TypeError);
  }
});
