import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeBase64 } from '../bytes/base64.ts';
import { isProblem } from '../bytes/problem.ts';
import { formatCheckpoint, openCheckpoint, parseCheckpoint, signCheckpoint } from './checkpoint.ts';
import { EMPTY_ROOT, HASH_BYTES } from './hashes.ts';
import { ed25519Signer, signNote, verifierKeyOf } from './note.ts';

const ORIGIN = 'portledger.local/3f9a61c2d4e8b07f/access';
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const signer = ed25519Signer(ORIGIN, privateKey);
const key = verifierKeyOf(ORIGIN, publicKey);
const root = new Uint8Array(HASH_BYTES).fill(7);

test('openCheckpoint gives what signCheckpoint was given', () => {
  const hash = fc.uint8Array({ minLength: HASH_BYTES, maxLength: HASH_BYTES });
  fc.assert(
    fc.property(fc.maxSafeNat(), hash, (size, root) => {
      const signed = {
        origin: ORIGIN,
        size: size + 1 > size ? size : 1,
        root: size === 0 ? EMPTY_ROOT : root,
      };
      const checkpoint = openCheckpoint(signCheckpoint(signed, [signer]), key);
      if (isProblem(checkpoint)) assert.fail(checkpoint.problem);
      assert.equal(formatCheckpoint(checkpoint), formatCheckpoint(signed));
    }),
    { numRuns: 50 },
  );
});

test('formatCheckpoint writes three lines', () => {
  assert.equal(
    formatCheckpoint({ origin: ORIGIN, size: 0, root: EMPTY_ROOT }),
    `${ORIGIN}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n`,
  );
});

test('parseCheckpoint tolerates extension lines', () => {
  const text = `${formatCheckpoint({ origin: ORIGIN, size: 5, root })}Timestamp: 1\nother\n`;
  const checkpoint = parseCheckpoint(text);
  assert.ok(!isProblem(checkpoint));
  assert.equal(checkpoint.size, 5);
});

test('parseCheckpoint refuses every other spelling', () => {
  const hash = encodeBase64(root);
  const wrong = [
    '',
    'a\n5\n',
    `a\n5\n${hash}`,
    `\n5\n${hash}\n`,
    `a\n05\n${hash}\n`,
    `a\n+5\n${hash}\n`,
    `a\n5 \n${hash}\n`,
    `a\n-5\n${hash}\n`,
    `a\n\n${hash}\n`,
    `a\n1e3\n${hash}\n`,
    `a\n9007199254740992\n${hash}\n`,
    `a\n99999999999999999999\n${hash}\n`,
    `a\n0\n${hash}\n`,
    `a\n5\n${hash.slice(0, -1)}\n`,
    `a\n5\n${encodeBase64(root.subarray(1))}\n`,
    `a\n5\n${hash}\n\n`,
    `a\n5\n${hash}\nx\n\ny\n`,
  ];
  for (const text of wrong) assert.ok(isProblem(parseCheckpoint(text)), JSON.stringify(text));
});

test('openCheckpoint refuses a checkpoint of another origin, though the key has signed it', () => {
  const text = formatCheckpoint({ origin: 'portledger.local/other', size: 5, root });
  const opened = openCheckpoint(signNote(text, [signer]), key);
  assert.ok(isProblem(opened));
  assert.match(opened.problem, /is of portledger.local\/other/);
});

test('formatCheckpoint refuses what parseCheckpoint would not read', () => {
  assert.throws(() => formatCheckpoint({ origin: '', size: 1, root }), /origin/);
  assert.throws(() => formatCheckpoint({ origin: 'a\nb', size: 1, root }), /origin/);
  assert.throws(() => formatCheckpoint({ origin: 'a', size: 1.5, root }), /size/);
  assert.throws(() => formatCheckpoint({ origin: 'a', size: 1, root: root.subarray(1) }), /root/);
});
