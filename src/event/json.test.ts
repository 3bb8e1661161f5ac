import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseJson } from './json.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function problem(input: string | Uint8Array): string {
  const result = parseJson(typeof input === 'string' ? bytes(input) : input);
  assert.ok(!result.ok, 'expected a problem');
  return result.problem;
}

function value(text: string): unknown {
  const result = parseJson(bytes(text));
  assert.ok(result.ok, result.ok ? '' : result.problem);
  return result.value;
}

test('parseJson agrees with JSON.parse where nothing is ambiguous', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), fc.integer({ min: 0, max: 2 }), (input, indent) => {
      const text = JSON.stringify(input, null, indent);
      assert.deepEqual(value(text), JSON.parse(text));
    }),
  );
});

test('parseJson refuses a name that appears twice, however it is written', () => {
  const twice = [
    '{"a":1,"a":1}',
    '{"x":{"a":1 , "a" :2}}',
    '[{"a":1,"\\u0061":2}]',
    '{"":1,"":2}',
    '{"a\\"":1,"a\\"":2}',
  ];
  for (const text of twice) assert.match(problem(text), /twice in one object/, text);
  const once = [
    '{"a":{"a":1},"b":["a","a"]}',
    '[{"a":1},{"a":2}]',
    '{"a":"\\"a\\":","b":"\\\\","c":1}',
    '"a"',
  ];
  for (const text of once) value(text);
});

test('parseJson names the repeated name only when it is harmless to repeat', () => {
  assert.match(problem('{"source.port":1,"source.port":2}'), /"source\.port"/);
  const secret = 'hunter2 \u001b[31m';
  const text = `{${JSON.stringify(secret)}:1,${JSON.stringify(secret)}:2}`;
  assert.ok(!problem(text).includes('hunter2'));
});

test('parseJson refuses invalid UTF-8, a byte order mark, and text that is not JSON', () => {
  assert.match(problem(new Uint8Array([0x22, 0xff, 0x22])), /UTF-8/);
  assert.match(problem(new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22])), /UTF-8/, 'an encoded surrogate');
  assert.match(problem(new Uint8Array([0x22, 0xc0, 0x80, 0x22])), /UTF-8/, 'an overlong NUL');
  for (const text of [
    '',
    '{',
    '{"a":1}x',
    "{'a':1}",
    '{"a":01}',
    '"\u0001"',
    '\ufeff{}',
    'NaN',
    '{"a":1,}',
  ]) {
    assert.match(problem(text), /not valid JSON/, text);
  }
});

test('parseJson never quotes the input', () => {
  fc.assert(
    fc.property(fc.string(), (junk) => {
      const result = parseJson(bytes(`{"password":"hunter2"${junk}`));
      if (!result.ok) assert.ok(!result.problem.includes('hunter2'));
    }),
  );
});

test('parseJson refuses deep nesting without running out of stack', () => {
  assert.match(problem('['.repeat(100_000) + ']'.repeat(100_000)), /nested deeper/);
  value('['.repeat(16) + ']'.repeat(16));
  assert.match(problem('['.repeat(17) + ']'.repeat(17)), /nested deeper/);
});

test('parseJson keeps every digit of a number that a double would round', () => {
  assert.deepEqual(
    value('[12345678901234567890,-9007199254740993,1795175947.484454123,9007199254740991,1e3,0.1]'),
    ['12345678901234567890', '-9007199254740993', '1795175947.484454123', 9007199254740991, 1000, 0.1],
  );
});

test('parseJson takes time that grows linearly with hostile strings', () => {
  // Quadratic handling of escapes would need minutes for these.
  value(`"${'\\\\'.repeat(500_000)}"`);
  value(`"${'\\"'.repeat(500_000)}"`);
  value(`{${Array.from({ length: 50_000 }, (_, index) => `"${index}":0`).join(',')}}`);
});
