import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalRecord, type FlatRecord } from './canonical.ts';
import { parseRecord } from './parse-record.ts';
import { LABEL_VALUE_MAX, validateRecord } from './validate.ts';

const context = { ingested: '2026-11-20T12:00:00.000000000Z', observer: 'sender-7' };
const stamped = { 'event.ingested': context.ingested, 'observer.name': context.observer };

function accepted(value: unknown): FlatRecord {
  const result = validateRecord(value, context);
  assert.ok(result.ok, result.ok ? '' : result.reason);
  return result.record;
}

function refused(value: unknown): string {
  const result = validateRecord(value, context);
  assert.ok(!result.ok, 'expected a reason');
  return result.reason;
}

test('validateRecord reads flat, nested and mixed spellings as the same record', () => {
  const flat = {
    '@timestamp': '2026-11-20T11:59:02Z',
    'source.ip': '10.0.0.1',
    'source.port': 1,
    'tls.client.server_name': 'a',
    'tls.version': '1.3',
  };
  const nested = {
    '@timestamp': '2026-11-20T11:59:02Z',
    source: { ip: '10.0.0.1', port: '1' },
    tls: { version: 'TLSv1.3', client: { server_name: 'A' } },
  };
  const mixed = { ...nested, tls: undefined, 'tls.client': { server_name: 'a' }, 'tls.version': 772 };
  assert.deepEqual(accepted(nested), accepted(flat));
  assert.deepEqual(accepted(mixed), accepted(flat));
});

test('validateRecord reads the plain template as a connection with an asserted user', () => {
  const template = {
    timestamp: '2026-11-20T11:59:02Z',
    user: 'alice',
    src_port: '51234',
    dest_port: 8443,
    action: 'login',
  };
  assert.deepEqual(accepted(template), {
    ...stamped,
    '@timestamp': '2026-11-20T11:59:02.000000000Z',
    'destination.port': 8443,
    'event.action': 'login',
    'record.kind': 'connection',
    'source.port': 51234,
    'user.name': 'alice',
    'user.proof': 'asserted',
  });
  const record = accepted({ ...template, src_ip: '::ffff:10.0.0.1', dest_ip: '10.0.0.2', user: '-' });
  assert.equal(record['source.ip'], '10.0.0.1');
  assert.equal(record['destination.ip'], '10.0.0.2');
  assert.equal('user.name' in record || 'user.proof' in record, false);
  assert.match(refused({ ...template, src_port: 'https' }), /^"source.port" .*expected a port number/);
});

test('validateRecord takes template names for fields in any record, and no field twice', () => {
  const record = accepted({ '@timestamp': 0, user: 'alice', action: 'x', dest_port: '8443' });
  assert.equal(record['user.name'], 'alice');
  assert.equal(record['event.action'], 'x');
  assert.equal(record['destination.port'], 8443);
  for (const twice of [
    { '@timestamp': 0, timestamp: 5 },
    { '@timestamp': 0, user: 'alice', 'user.name': 'bob' },
  ]) {
    assert.match(refused(twice), /given twice/);
  }
});

test('validateRecord infers the kind and says so', () => {
  const kinds: [object, string][] = [
    [{ 'url.path': '/', 'tls.version': '1.3' }, 'request'],
    [{ 'http.request.method': 'GET' }, 'request'],
    [{ 'tls.version': '1.3' }, 'handshake'],
    [{ 'source.port': 1 }, 'connection'],
    [{ 'url.path': '-' }, 'connection'],
  ];
  for (const [fields, kind] of kinds) {
    const record = accepted({ '@timestamp': 0, ...fields });
    assert.equal(record['record.kind'], kind);
    assert.equal(record['field.inferred'], 'record.kind');
  }
  const told = accepted({ '@timestamp': 0, 'record.kind': 'Listener' });
  assert.equal(told['record.kind'], 'listener');
  assert.equal(told['field.inferred'], undefined);
  const both = accepted({ '@timestamp': 0, 'field.inferred': ['user.name', 'a'] });
  assert.equal(both['field.inferred'], 'a,record.kind,user.name');
});

test('validateRecord computes the flow identifier when it can, and keeps the one that was sent', () => {
  const flow = {
    '@timestamp': 0,
    'source.ip': '128.232.110.120',
    'source.port': 34_855,
    'destination.ip': '66.35.250.204',
    'destination.port': 80,
    'network.transport': 'TCP',
  };
  assert.equal(accepted(flow)['network.community_id'], '1:LQU9qZlK+B5F3KDmev6m5PMibrg=');
  assert.equal(accepted(flow)['field.inferred'], 'record.kind');
  assert.equal(accepted({ ...flow, 'network.community_id': '1:x' })['network.community_id'], '1:x');
  for (const without of Object.keys(flow).filter((name) => name !== '@timestamp')) {
    assert.equal(accepted({ ...flow, [without]: null })['network.community_id'], undefined, without);
  }
  assert.equal(accepted({ ...flow, 'source.ip': '::1' })['network.community_id'], undefined);
  assert.equal(accepted({ ...flow, 'network.transport': 'unix' })['network.community_id'], undefined);
});

test('validateRecord keeps unknown attributes, and ours when a sender sets them, as labels', () => {
  const record = accepted({
    '@timestamp': 0,
    team: 'blue',
    'a.b': 1.5,
    nested: { deep: true, gone: null, list: [1, { z: 1, a: 2 }] },
    labels: { env: 'prod' },
    source: 'stdin',
    event: { ingested: '1999-01-01T00:00:00Z' },
    'ledger.index': 7,
    'observer.name': 'claimed',
  });
  assert.deepEqual(record, {
    '@timestamp': '1970-01-01T00:00:00.000000000Z',
    'event.ingested': context.ingested,
    'field.inferred': 'record.kind',
    'labels.a.b': '1.5',
    'labels.env': 'prod',
    'labels.event.ingested': '1999-01-01T00:00:00Z',
    'labels.ledger.index': '7',
    'labels.nested.deep': 'true',
    'labels.nested.list': '[1,{"a":2,"z":1}]',
    'labels.source': 'stdin',
    'labels.team': 'blue',
    'observer.name': 'claimed',
    'record.kind': 'connection',
  });
});

test('validateRecord caps labels in number and length, counts what it left out, and does not depend on order', () => {
  const labels = Array.from(
    { length: 40 },
    (_, index) => [`label${String(index).padStart(2, '0')}`, 'x'] as const,
  );
  const record = accepted({ '@timestamp': 0, ...Object.fromEntries(labels) });
  assert.equal(Object.keys(record).filter((name) => name.startsWith('labels.')).length, 32);
  assert.equal(record['field.omitted'], 8);
  assert.deepEqual(accepted({ ...Object.fromEntries(labels.toReversed()), '@timestamp': 0 }), record);

  const long = accepted({
    '@timestamp': 0,
    note: `${'x'.repeat(LABEL_VALUE_MAX - 1)}😀`,
    [`n${'x'.repeat(200)}`]: 1,
  });
  assert.equal(long['labels.note'], 'x'.repeat(LABEL_VALUE_MAX - 1), 'no half of a surrogate pair');
  assert.equal(long['field.omitted'], 2);
  assert.equal(
    accepted({ '@timestamp': 0, 'field.omitted': 3, [`n${'x'.repeat(200)}`]: 1 })['field.omitted'],
    4,
  );
});

test('validateRecord refuses what is ambiguous, unbounded or dangerous, naming the field', () => {
  let nest: unknown = 1;
  for (let depth = 0; depth < 50_000; depth++) nest = { a: nest };
  const many = Object.fromEntries(Array.from({ length: 513 }, (_, index) => [`a${index}`, index]));
  const cases: [unknown, RegExp][] = [
    [null, /not a JSON object/],
    [[], /not a JSON object/],
    ['text', /not a JSON object/],
    [{}, /"@timestamp" is missing/],
    [{ '@timestamp': null }, /"@timestamp" is missing/],
    [{ '@timestamp': 'yesterday' }, /^"@timestamp" .*RFC 3339/],
    [{ '@timestamp': 0, 'source.port': 1, source: { port: 1 } }, /^"source.port" is given twice/],
    [{ timestamp: 0, user: 'a', 'user.name': 'a' }, /^"user.name" is given twice/],
    [{ '@timestamp': 0, x: 1, labels: { x: 1 } }, /^"labels.x" is given twice/],
    [{ '@timestamp': 0, b: ['\ud800'] }, /^"b" is a list/],
    [{ '@timestamp': 0, 'source.ip': { a: 1 } }, /^"source.ip" is an object, expected an IP/],
    [{ '@timestamp': 0, 'source.ip': ['10.0.0.1'] }, /^"source.ip" is a list/],
    [{ '@timestamp': 0, 'user.name': 'a\0' }, /^"user.name" holds a NUL/],
    [{ '@timestamp': 0, note: '\udc00' }, /^"note" holds half/],
    [{ '@timestamp': 0, 'a\ud800': 1 }, /name of an attribute is not well-formed/],
    [{ '@timestamp': 0, 'a\0': 1 }, /name of an attribute is not well-formed/],
    [{ '@timestamp': 0, '': 1 }, /empty name/],
    [JSON.parse('{"@timestamp":0,"__proto__":{"polluted":1}}'), /__proto__/],
    [JSON.parse('{"@timestamp":0,"a.__proto__.b":1}'), /__proto__/],
    [{ '@timestamp': 0, n: Number.POSITIVE_INFINITY }, /^"n" is a number out of range/],
    [{ '@timestamp': 0, n: 1n }, /^"n" is a bigint/],
    [{ '@timestamp': 0, nest }, /nested deeper than 8/],
    [{ '@timestamp': 0, ...many }, /more than 512 attributes/],
    [{ '@timestamp': 0, 'url.path': 'x'.repeat(32_768) }, /longer than 32768 bytes/],
    [{ '@timestamp': 0, 'url.path': '\u0007'.repeat(6_000) }, /longer than 32768 bytes/],
  ];
  for (const [value, reason] of cases) assert.match(refused(value), reason);
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});

test('validateRecord never repeats a value or an unusual name in its reason', () => {
  const secret = 'hunter2';
  for (const name of [
    'source.ip',
    'source.port',
    'event.outcome',
    '@timestamp',
    'tls.version',
    'tls.client.serial',
  ]) {
    assert.ok(!refused({ '@timestamp': 0, [name]: `${secret}!` }).includes(secret), name);
  }
  assert.ok(!refused({ '@timestamp': 0, [`${secret}\n<script>`]: '\ud800' }).includes(secret));
});

test('validateRecord makes records that fit the ledger', () => {
  const labels = Object.fromEntries(
    Array.from({ length: 32 }, (_, index) => [`a${index}`, 'é'.repeat(1024)]),
  );
  assert.match(refused({ '@timestamp': 0, ...labels }), /longer than/);
  const record = accepted({ '@timestamp': 0, 'url.path': 'x'.repeat(32_500) });
  assert.ok(canonicalRecord(record).length <= 32_768);
});

test('parseRecord reads its own canonical records again as they are', () => {
  const value = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constantFrom('TLSv1.2', 'Denied', 'a,b\\', '-'),
  );
  const name = fc.oneof(
    fc.constantFrom(
      'user.name',
      'url.path',
      'source.bytes',
      'tls.version',
      'tls.client.san',
      'event.outcome',
      'team',
    ),
    fc.string({ minLength: 1 }),
  );
  fc.assert(
    fc.property(fc.dictionary(name, value), (fields) => {
      const first = validateRecord({ ...fields, '@timestamp': 1 }, context);
      if (!first.ok) return;
      const { 'event.ingested': _, ...sent } = first.record;
      const second = parseRecord(canonicalRecord(sent), context);
      assert.ok(second.ok, second.ok ? '' : second.reason);
      assert.deepEqual(second.record, first.record);
    }),
    { numRuns: 1000 },
  );
});

test('validateRecord writes its records in canonical order', () => {
  const record = accepted({
    '@timestamp': 0,
    zone: 'a',
    'user.name': 'u',
    alpha: 1,
    'ledger.name': 'x',
    'http.request.id': 1,
  });
  assert.deepEqual(Object.keys(record), Object.keys(record).toSorted());
});
