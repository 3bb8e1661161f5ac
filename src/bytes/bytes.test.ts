import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeBase64, parseBase64 } from './base64.ts';
import { ByteCursor, EndOfBytes } from './cursor.ts';
import { encodeHex, parseHex } from './hex.ts';
import { readVarint, VARINT_BYTES_MAX, varintLength, writeVarint } from './varint.ts';

test('parseHex reverses encodeHex and refuses every other spelling', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
      assert.deepEqual(new Uint8Array(parseHex(encodeHex(bytes))!), bytes);
    }),
  );
  for (const text of ['0', 'AB', '0x00', 'zz', ' 00', '00\n', '00 00', 'é0']) {
    assert.equal(parseHex(text), undefined, JSON.stringify(text));
  }
});

test('parseBase64 reverses encodeBase64', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
      assert.deepEqual(new Uint8Array(parseBase64(encodeBase64(bytes))!), bytes);
    }),
  );
});

test('parseBase64 refuses every spelling but the canonical one', () => {
  for (const text of [
    'QQ',
    'QQ=',
    'QR==',
    'QQ==\n',
    ' QQ==',
    'Q Q==',
    'QQ==QQ==',
    '-_-_',
    '====',
    'QUI',
    'QUJ=',
    'QÄ==',
  ]) {
    assert.equal(parseBase64(text), undefined, JSON.stringify(text));
  }
});

test('a varint is read back as it was written, in as many bytes as varintLength says', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      const bytes = new Uint8Array(VARINT_BYTES_MAX);
      const end = writeVarint(bytes, 0, value);
      assert.equal(end, varintLength(value));
      const cursor = new ByteCursor(bytes.subarray(0, end));
      assert.equal(readVarint(cursor), value);
      assert.equal(cursor.remaining, 0);
    }),
  );
  assert.throws(() => writeVarint(new Uint8Array(9), 0, 2 ** 53), RangeError);
  assert.throws(() => writeVarint(new Uint8Array(9), 0, -1), RangeError);
});

test('readVarint refuses overlong and oversized numbers and stops at the end', () => {
  const read = (...bytes: number[]) => readVarint(new ByteCursor(Uint8Array.from(bytes)));
  assert.equal(read(0x80, 0x00), undefined);
  assert.equal(read(0xff, 0x80, 0x00), undefined);
  assert.equal(read(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f), Number.MAX_SAFE_INTEGER);
  assert.equal(read(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x10), undefined);
  assert.equal(read(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), undefined);
  assert.throws(() => read(0x80), EndOfBytes);
});

test('ByteCursor reads big-endian fields in order', () => {
  const cursor = new ByteCursor(Uint8Array.from({ length: 20 }, (_, i) => 0xf0 + (i % 16)));
  assert.equal(cursor.u8(), 0xf0);
  assert.equal(cursor.u16(), 0xf1f2);
  assert.equal(cursor.u24(), 0xf3f4f5);
  assert.equal(cursor.u32(), 0xf6f7f8f9);
  assert.equal(cursor.u64(), 0xfafbfcfdfefff0f1n);
  assert.deepEqual([...cursor.bytes(2)], [0xf2, 0xf3]);
  assert.equal(cursor.offset, 20);
  assert.equal(cursor.remaining, 0);
});

test('ByteCursor throws at the end and stays where it was', () => {
  const cursor = new ByteCursor(new Uint8Array(3));
  for (const read of [() => cursor.u32(), () => cursor.u64(), () => cursor.bytes(4), () => cursor.skip(-1)]) {
    assert.throws(read, EndOfBytes);
    assert.equal(cursor.offset, 0);
  }
  assert.throws(() => cursor.bytes(Number.NaN), EndOfBytes);
  assert.equal(cursor.u24(), 0);
  assert.throws(() => cursor.u8(), EndOfBytes);
});
