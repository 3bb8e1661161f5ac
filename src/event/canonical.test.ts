import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  CanonicalError,
  canonicalJson,
  canonicalRecord,
  canonicalText,
  type JsonValue,
} from './canonical.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('canonicalJson writes the bytes of RFC 8785, section 3.2.4', () => {
  const value = JSON.parse(`{
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\"\\/",
    "literals": [null, true, false]
  }`) as JsonValue;
  assert.equal(
    hex(canonicalJson(value)),
    '7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e756d62657273223a' +
      '5b3333333333333333332e333333333333332c31652b33302c342e352c302e3030322c31652d32375d' +
      '2c22737472696e67223a22e282ac245c75303030665c6e4127425c225c5c5c5c5c222f227d',
  );
});

test('canonicalJson sorts like RFC 8785, section 3.2.3', () => {
  const value = JSON.parse(`{
    "\\u20ac": "Euro Sign", "\\r": "Carriage Return", "\\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
    "\\ud83d\\ude00": "Emoji: Grinning Face", "\\u0080": "Control", "\\u00f6": "Latin Small Letter O With Diaeresis"
  }`) as JsonValue;
  const order = [...canonicalText(value).matchAll(/:"([^"]+)"/g)].map((match) => match[1]);
  assert.deepEqual(order, [
    'Carriage Return',
    'One',
    'Control',
    'Latin Small Letter O With Diaeresis',
    'Euro Sign',
    'Emoji: Grinning Face',
    'Hebrew Letter Dalet With Dagesh',
  ]);
});

test('canonicalJson writes the numbers of RFC 8785, appendix B', () => {
  const samples: Record<string, string> = {
    '0000000000000000': '0',
    '8000000000000000': '0',
    '0000000000000001': '5e-324',
    '8000000000000001': '-5e-324',
    '7fefffffffffffff': '1.7976931348623157e+308',
    ffefffffffffffff: '-1.7976931348623157e+308',
    '4340000000000000': '9007199254740992',
    c340000000000000: '-9007199254740992',
    '4430000000000000': '295147905179352830000',
    '44b52d02c7e14af5': '9.999999999999997e+22',
    '44b52d02c7e14af6': '1e+23',
    '44b52d02c7e14af7': '1.0000000000000001e+23',
    '444b1ae4d6e2ef4e': '999999999999999700000',
    '444b1ae4d6e2ef4f': '999999999999999900000',
    '444b1ae4d6e2ef50': '1e+21',
    '3eb0c6f7a0b5ed8c': '9.999999999999997e-7',
    '3eb0c6f7a0b5ed8d': '0.000001',
    '41b3de4355555553': '333333333.3333332',
    '41b3de4355555554': '333333333.33333325',
    '41b3de4355555555': '333333333.3333333',
    '41b3de4355555556': '333333333.3333334',
    '41b3de4355555557': '333333333.33333343',
    becbf647612f3696: '-0.0000033333333333333333',
    '43143ff3c1cb0959': '1424953923781206.2',
  };
  for (const [bits, expected] of Object.entries(samples)) {
    assert.equal(canonicalText(Buffer.from(bits, 'hex').readDoubleBE()), expected, bits);
  }
  for (const bits of ['7fffffffffffffff', '7ff0000000000000', 'fff0000000000000']) {
    assert.throws(() => canonicalText(Buffer.from(bits, 'hex').readDoubleBE()), CanonicalError, bits);
  }
});

test('canonicalJson refuses lone surrogates in values and names', () => {
  for (const value of ['\ud800', 'a\udc00b', { '\ud800': 1 }, [['\udfff']]]) {
    assert.throws(() => canonicalJson(value), CanonicalError);
  }
});

test('canonicalJson refuses what is not JSON', () => {
  const strangers = [
    undefined,
    () => 1,
    1n,
    Symbol('x'),
    new Date(0),
    new Map(),
    [undefined],
    { a: undefined },
  ];
  for (const value of strangers)
    assert.throws(() => canonicalJson(value as unknown as JsonValue), CanonicalError);
});

test('canonicalJson refuses a value nested without end', () => {
  let value: JsonValue = 1;
  for (let depth = 0; depth < 100_000; depth++) value = [value];
  assert.throws(() => canonicalJson(value), CanonicalError);
});

test('canonicalJson writes a member called __proto__ as any other', () => {
  assert.equal(
    canonicalText(JSON.parse('{"b":1,"__proto__":{"a":2}}') as JsonValue),
    '{"__proto__":{"a":2},"b":1}',
  );
});

test('canonicalJson reads back as the same value and has one spelling', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4, noUnicodeString: false }), (value) => {
      const text = canonicalText(value as JsonValue);
      const again = JSON.parse(text) as JsonValue;
      assert.equal(canonicalText(again), text);
      assert.deepEqual(again, JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('canonicalRecord does not depend on the order in which fields were set', () => {
  const fields = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean()));
  fc.assert(
    fc.property(fields, (record) => {
      const turned = Object.fromEntries(Object.entries(record).reverse());
      assert.deepEqual(canonicalRecord(turned), canonicalRecord(record));
    }),
  );
});
