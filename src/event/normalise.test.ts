import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FIELDS, fieldNamed } from './fields.ts';
import { joinList, normaliseValue, Refusal, splitList } from './normalise.ts';

function normalise(name: string, value: unknown): unknown {
  const result = normaliseValue(fieldNamed(name)!, value);
  return result instanceof Refusal ? `refused: it ${result.problem}` : result;
}

function assertNormalised(name: string, samples: readonly (readonly [unknown, unknown])[]): void {
  for (const [value, expected] of samples)
    assert.equal(normalise(name, value), expected, `${name} ${String(value)}`);
}

function assertRefused(name: string, values: readonly unknown[]): void {
  for (const value of values)
    assert.match(String(normalise(name, value)), /^refused: .*expected/, `${name} ${String(value)}`);
}

test('normaliseValue reads ports as numbers or numeric texts', () => {
  assertNormalised('source.port', [
    [443, 443],
    ['443', 443],
    [0, 0],
    ['65535', 65_535],
    [-0, 0],
    [null, undefined],
    ['', undefined],
    ['-', undefined],
  ]);
  assertRefused('source.port', [
    65_536,
    -1,
    1.5,
    '0443',
    '443 ',
    '+443',
    '1e3',
    '0x1bb',
    true,
    [443],
    {},
    Number.NaN,
  ]);
});

test('normaliseValue refuses integers that JSON readers disagree about', () => {
  assertNormalised('source.bytes', [
    [2 ** 53 - 1, 2 ** 53 - 1],
    ['9007199254740991', 2 ** 53 - 1],
  ]);
  assertRefused('source.bytes', [
    2 ** 53,
    '9007199254740992',
    '12345678901234567890',
    Number.POSITIVE_INFINITY,
  ]);
  assertRefused('http.response.status_code', [1000, '1000']);
});

test('normaliseValue gives one name to each TLS version', () => {
  const spellings: Record<string, unknown[]> = {
    '1.3': [
      '1.3',
      'TLSv1.3',
      'TLS 1.3',
      'tls1.3',
      'TLSv13',
      'TLS1_3',
      'TLSV1_3',
      'VersionTLS13',
      '0x0304',
      772,
      '772',
    ],
    '1.2': ['TLSv1.2', 'TLSv12', '0x0303', 771],
    '1.0': ['TLSv1', 'TLSv1.0', 'TLS 1.0', '1.0', 769],
    ssl3: ['SSLv3', 'SSL 3.0', 'ssl3', '0x0300'],
    ssl2: ['SSLv2', 'ssl2', 2],
    'dtls1.2': ['DTLSv1.2', 'DTLSv12', 'dtls1.2', 0xfefd],
  };
  for (const [expected, values] of Object.entries(spellings)) {
    assertNormalised(
      'tls.version',
      values.map((value) => [value, expected] as const),
    );
  }
  assertRefused('tls.version', ['1.4', 'TLS', 'constructor', '0x0305', 773, 'x'.repeat(1000), true]);
});

test('normaliseValue reads outcomes in the words of many sources', () => {
  assertNormalised('event.outcome', [
    ['SUCCESS', 'success'],
    ['allowed', 'success'],
    ['Denied', 'failure'],
    ['unknown', 'unknown'],
  ]);
  assertRefused('event.outcome', ['maybe', 'constructor', 1, true]);
  assertRefused('record.kind', ['denied', 'thing']);
});

test('normaliseValue writes hex, serial numbers and suites one way', () => {
  assertNormalised('tls.client.hash.sha256', [['AB:cd:01', 'abcd01']]);
  assertRefused('tls.client.hash.sha256', ['abc', 'xyz!', ':']);
  assertNormalised('tls.server.serial', [
    ['50443E8C', '50443e8c'],
    ['00:50:44', '5044'],
    ['0x0a', '0a'],
    ['A', '0a'],
    ['0', '00'],
  ]);
  assertRefused('tls.server.serial', ['0x', 'serial', 17]);
  assertNormalised('tls.cipher_id', [
    ['0x1301', '0x1301'],
    ['0xC02F', '0xc02f'],
    ['0xC0,0x2F', '0xc02f'],
    [4865, '0x1301'],
    ['4865', '0x1301'],
  ]);
  assertRefused('tls.cipher_id', ['1301x', 65_536, -1, '0x13010', 1.5]);
});

test('normaliseValue reads booleans, lists, lower-cased names and numbers for names', () => {
  assertNormalised('tls.resumed', [
    [true, true],
    ['FALSE', false],
  ]);
  assertRefused('tls.resumed', ['yes', 1, 'r']);
  assertNormalised('tls.client.san', [
    [['b', 'a', 'b', null, '-', ''], 'a,b'],
    ['b,a,b', 'a,b'],
    [['uri:x,y', 'c\\d'], 'c\\\\d,uri:x\\,y'],
    [[], undefined],
  ]);
  assertRefused('tls.client.san', [[1], [['a']], [{}], 5, ['\ud800']]);
  assertNormalised('tls.client.server_name', [['Shop.Example.TEST', 'shop.example.test']]);
  assertNormalised('user.id', [[1000, '1000']]);
  assertRefused('user.id', [1.5, 2 ** 60, true, ['a']]);
});

test('normaliseValue refuses text that is no evidence', () => {
  for (const field of FIELDS) {
    for (const text of ['a\ud800', '\udc00', 'a\0b']) {
      assert.ok(normaliseValue(field, text) instanceof Refusal, field.name);
    }
  }
});

test('normaliseValue keeps its own output, and never repeats what it refuses', () => {
  const value = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.ipV4(),
    fc.ipV6(),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc.constantFrom('TLSv1.2', 'OK', '0x1301', 'AB:CD', 'a\\,b,c', '\\', '\\\\,'),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.array(fc.string()),
  );
  fc.assert(
    fc.property(fc.constantFrom(...FIELDS), value, (field, sent) => {
      const once = normaliseValue(field, sent);
      if (once instanceof Refusal) {
        const text = String(sent);
        assert.ok(text.length < 4 || !once.problem.includes(text), field.name);
      } else {
        assert.equal(normaliseValue(field, once), once, field.name);
      }
    }),
    { numRuns: 3000 },
  );
});

test('joinList and splitList are a pair', () => {
  const item = fc.stringMatching(/^[a-c\\,]{1,6}$/).filter((text) => text !== '-');
  fc.assert(
    fc.property(fc.uniqueArray(item, { minLength: 1 }), (items) => {
      assert.deepEqual(splitList(joinList(items)!), items.toSorted());
    }),
  );
});
