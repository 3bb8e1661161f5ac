import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { splitItems } from './record-input.ts';

const MAX = 1000;

interface Item {
  readonly line: number;
  readonly text: string | undefined;
}

function split(text: string, chunkBytes = 1 << 20, max = MAX): Item[] {
  const bytes = Buffer.from(text);
  const splitter = splitItems(max);
  const items = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    items.push(...splitter.push(Uint8Array.from(bytes.subarray(at, at + chunkBytes))));
  }
  items.push(...splitter.end());
  return items.map(({ bytes: found, line }) => ({ line, text: found && Buffer.from(found).toString() }));
}

test('splitItems gives each line that is not blank, with its number', () => {
  assert.deepEqual(split('{"a":1}\r\n\n  \n{"b":2}'), [
    { line: 1, text: '{"a":1}' },
    { line: 4, text: '{"b":2}' },
  ]);
  assert.deepEqual(split(''), []);
  assert.deepEqual(split('\ufeff{"a":1}\n'), [{ line: 1, text: '{"a":1}' }]);
});

test('splitItems keeps malformed lines as items of their own', () => {
  assert.deepEqual(split('{"a":\n{"b":2}\nnonsense\n'), [
    { line: 1, text: '{"a":' },
    { line: 2, text: '{"b":2}' },
    { line: 3, text: 'nonsense' },
  ]);
});

test('splitItems takes an array apart, and objects over several lines', () => {
  assert.deepEqual(
    split('[{"a":[1,{"x":"]},["}]},\n {"b":2}]\n').map((item) => item.text),
    ['{"a":[1,{"x":"]},["}]}', '{"b":2}'],
  );
  const items = split('{\n  "a": "one \\" two",\n  "b": 2\n}\n{\n  "c": 3\n}\n');
  assert.deepEqual(
    items.map((item) => item.line),
    [1, 5],
  );
  assert.deepEqual(
    items.map((item) => JSON.parse(item.text!)),
    [{ a: 'one " two', b: 2 }, { c: 3 }],
  );
  assert.deepEqual(split('[]'), []);
});

test('splitItems keeps a value broken whose string holds a raw line end', () => {
  const [item] = split('[{"a":"x\ny"}]');
  assert.throws(() => JSON.parse(item!.text!));
  assert.ok(!item!.text!.includes('\n'));
});

test('splitItems sends what is left of a document that was cut off', () => {
  assert.deepEqual(
    split('[{"a":1},{"b":').map((item) => item.text),
    ['{"a":1}', '{"b":'],
  );
});

test('splitItems names items that are too long instead of keeping them', () => {
  const long = `{"a":"${'x'.repeat(MAX)}"}`;
  assert.deepEqual(split(`${long}\n{"b":2}\n`, 100), [
    { line: 1, text: undefined },
    { line: 2, text: '{"b":2}' },
  ]);
  assert.deepEqual(
    split(`[${long},{"b":2}]`, 100).map((item) => item.text),
    [undefined, '{"b":2}'],
  );
});

test('splitItems does not depend on how the input is cut into chunks', () => {
  const character = fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ':', '\n', '\r', ' ', 'a', '1', 'é');
  const text = fc.array(character, { maxLength: 200 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 40 }), (input, chunkBytes) => {
      assert.deepEqual(split(input, chunkBytes), split(input));
    }),
  );
});

test('splitItems gives the values of any array of records', () => {
  const records = fc.array(fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 }), { maxLength: 8 });
  fc.assert(
    fc.property(records, fc.constantFrom(undefined, 1, 4), (values, indent) => {
      const items = split(JSON.stringify(values, undefined, indent), 7, 100_000);
      assert.deepEqual(
        items.map((item) => JSON.parse(item.text!)),
        JSON.parse(JSON.stringify(values)),
      );
    }),
  );
});

test('splitItems gives the values of objects one after the other, indented or not', () => {
  const records = fc.array(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1, maxKeys: 4 }), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(records, fc.constantFrom(undefined, 2), (values, indent) => {
      const text = values.map((value) => `${JSON.stringify(value, undefined, indent)}\n`).join('');
      const items = split(text, 7, 100_000);
      assert.deepEqual(
        items.map((item) => JSON.parse(item.text!)),
        JSON.parse(JSON.stringify(values)),
      );
    }),
  );
});
