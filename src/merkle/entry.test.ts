import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeHex } from '../bytes/hex.ts';
import { isProblem } from '../bytes/problem.ts';
import { commitment, type Entry, encodeCommittedEntries, encodeEntry, parseEntry } from './entry.ts';
import { encodeBundle } from './tiles.ts';

test('commitment is SHA-256 over salt and bytes', () => {
  // SHA-256 of 32 bytes 0x11 and the text "{}".
  const salt = new Uint8Array(32).fill(0x11);
  assert.equal(
    encodeHex(commitment(salt, Buffer.from('{}'))),
    'fb35919315ccd912fc491cfe9d2f877c133a2274c301f4238c8b5a74bf2c73be',
  );
  assert.throws(() => commitment(salt.subarray(1), Buffer.of()), RangeError);
});

test('an entry is read back as it was written', () => {
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const plain = { noNullPrototype: true };
  const entry = fc.oneof(
    fc.record({ kind: fc.constantFrom('record' as const, 'quarantined' as const), commitment: hash }, plain),
    fc.record({ kind: fc.constant('control' as const), body: fc.uint8Array() }, plain),
  );
  fc.assert(
    fc.property(entry, (entry: Entry) => {
      assert.deepEqual(parseEntry(Uint8Array.from(encodeEntry(entry))), entry);
    }),
  );
});

test('parseEntry refuses unknown kinds and commitments of another length', () => {
  for (const bytes of [
    [],
    [0x00],
    [0x03, ...Array(32)],
    [0x01],
    [0x01, ...Array(31)],
    [0x02, ...Array(33)],
  ]) {
    assert.ok(isProblem(parseEntry(Uint8Array.from(bytes))), String(bytes));
  }
});

test('encodeEntry refuses a control entry that no bundle can hold', () => {
  assert.equal(encodeEntry({ kind: 'control', body: new Uint8Array(65_534) }).length, 65_535);
  assert.throws(() => encodeEntry({ kind: 'control', body: new Uint8Array(65_535) }), RangeError);
  assert.throws(() => encodeEntry({ kind: 'record', commitment: new Uint8Array(31) }), RangeError);
});

test('encodeCommittedEntries writes what encodeEntry and encodeBundle write', () => {
  const commitments = Uint8Array.from({ length: 3 * 32 }, (_, i) => i);
  const entries = [0, 32, 64].map((at) =>
    encodeEntry({ kind: 'quarantined', commitment: commitments.subarray(at, at + 32) }),
  );
  assert.deepEqual(encodeCommittedEntries('quarantined', commitments), encodeBundle(entries));
  assert.throws(() => encodeCommittedEntries('record', commitments.subarray(1)), RangeError);
});
