import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { isProblem, type ProblemFound } from '../bytes/problem.ts';
import {
  ed25519Signer,
  encodeNote,
  formatVerifierKey,
  NOTE_SIGNATURES_MAX,
  openNote,
  parseNote,
  parseVerifierKey,
  signNote,
  type VerifierKey,
  verifierKeyOf,
} from './note.ts';

function keyPair(name: string) {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { signer: ed25519Signer(name, privateKey), key: verifierKeyOf(name, publicKey) };
}

function must<T extends object>(value: T | ProblemFound): T {
  if (isProblem(value)) assert.fail(value.problem);
  return value;
}

function problemOf(value: object): string {
  assert.ok('problem' in value, 'expected a problem');
  return String(value.problem);
}

const ours = keyPair('example.com/ours');
const theirs = keyPair('example.com/theirs');

test('openNote opens the example of Go’s note package', () => {
  const key = must(parseVerifierKey('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'));
  const text =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
  const line =
    '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';
  assert.equal(must(openNote(Buffer.from(`${text}\n${line}`), [key])).text, text);
});

test('signNote gives Ed25519 signatures of RFC 8032', () => {
  // Test 1 of section 7.1 has the empty message, which no note can have; its key still fixes the verifier key.
  const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const signer = ed25519Signer('a', createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }));
  const publicKey = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
  const vkey = `a+${signer.id}+${Buffer.from(`01${publicKey}`, 'hex').toString('base64')}`;
  const note = signNote('one line\n', [signer]);
  assert.deepEqual(must(openNote(note, [must(parseVerifierKey(vkey))])).verified.length, 1);
  assert.deepEqual(signNote('one line\n', [signer]), note);
});

test('a note is opened by each key that signed it, and its texts may have empty lines', () => {
  const text = fc
    .array(fc.string({ unit: 'grapheme', maxLength: 20 }), { maxLength: 5 })
    .map((lines) => `${lines.join('\n').replaceAll(/[\x00-\x09\x0b-\x1f]/g, '')}\n`)
    .filter((text) => text.isWellFormed());
  fc.assert(
    fc.property(text, (text) => {
      const note = signNote(text, [ours.signer, theirs.signer]);
      assert.equal(must(openNote(note, [theirs.key])).text, text);
      const { verified } = must(openNote(note, [ours.key, theirs.key]));
      assert.deepEqual(verified, [ours.key, theirs.key]);
      assert.deepEqual(encodeNote(must(parseNote(note))), note);
    }),
    { numRuns: 50 },
  );
});

test('any changed, added or removed byte keeps a note shut', () => {
  const note = signNote('some text\n\nand more\n', [ours.signer]);
  const change = fc.record({ at: fc.nat({ max: note.length - 1 }), mask: fc.integer({ min: 1, max: 255 }) });
  fc.assert(
    fc.property(change, ({ at, mask }) => {
      const changed = Buffer.from(note);
      changed[at]! ^= mask;
      assert.ok(isProblem(openNote(changed, [ours.key])));
      assert.ok(isProblem(openNote(note.subarray(0, at), [ours.key])));
      assert.ok(
        isProblem(openNote(Buffer.concat([note.subarray(0, at), note.subarray(at + 1)]), [ours.key])),
      );
    }),
    { numRuns: 300 },
  );
});

test('openNote ignores unknown keys, even those that share a name or an id with a known one', () => {
  const text = 'text\n';
  const { signatures } = must(parseNote(signNote(text, [ours.signer])));
  const good = signatures[0]!;
  const junk = Buffer.alloc(64, 1);
  const others = [
    { name: good.name, id: '00000000', signature: junk },
    { name: 'someone.else', id: good.id, signature: junk },
    { name: 'post.quantum', id: '12345678', signature: Buffer.alloc(5000, 2) },
    { name: 'short', id: '12345678', signature: Buffer.alloc(1) },
  ];
  const note = encodeNote({ text, signatures: [...others, good] });
  assert.deepEqual(must(openNote(note, [ours.key])).verified, [ours.key]);
  assert.match(
    problemOf(openNote(encodeNote({ text, signatures: others }), [ours.key])),
    /none of the known keys/,
  );
  assert.match(problemOf(openNote(note, [])), /no key was given/);
});

test('openNote rejects a note with a bad signature by a known key, whatever else has signed it', () => {
  const text = 'text\n';
  const { signatures } = must(parseNote(signNote(text, [ours.signer, theirs.signer])));
  const [first, second] = signatures;
  for (const signature of [
    Buffer.alloc(64),
    first!.signature,
    second!.signature.subarray(1),
    Buffer.alloc(2000),
  ]) {
    const note = encodeNote({ text, signatures: [first!, { ...second!, signature }] });
    assert.match(problemOf(openNote(note, [ours.key, theirs.key])), /signature by example.com\/theirs/);
    assert.equal(must(openNote(note, [ours.key])).text, text);
  }
});

test('parseNote takes 64 signatures and no more', () => {
  const { signatures } = must(parseNote(signNote('text\n', [ours.signer])));
  const other = { name: 'other', id: '00000001', signature: Buffer.alloc(3) };
  const others = Array.from({ length: NOTE_SIGNATURES_MAX - 1 }, () => other);
  const note = encodeNote({ text: 'text\n', signatures: [...others, ...signatures] });
  assert.equal(must(openNote(note, [ours.key])).signatures.length, 64);
  const longer = encodeNote({ text: 'text\n', signatures: [other, ...others, ...signatures] });
  assert.match(problemOf(parseNote(longer)), /more than 64/);
  const flood = Buffer.from(`text\n\n${'— other AAAAAQAA\n'.repeat(50_000)}`);
  assert.match(problemOf(parseNote(flood)), /more than 64/);
  assert.match(problemOf(parseNote(Buffer.alloc(1_000_001, 'a'))), /at most/);
});

test('parseNote refuses what is not a note', () => {
  const good = signNote('text\n', [ours.signer]).toString();
  const line = good.slice('text\n\n'.length);
  const [dash, name, signature] = line.trimEnd().split(' ') as [string, string, string];
  const wrong = {
    empty: '',
    'no signatures': 'text\n',
    'no signature line': 'text\n\n',
    'no newline at the end': good.slice(0, -1),
    'carriage return': good.replace('text\n', 'text\r\n'),
    'tab in the text': good.replace('text', 'te\txt'),
    'empty line after signatures': `${good}\n`,
    'line after signatures': `${good}more\n`,
    'hyphen for dash': good.replace('—', '-'),
    'two spaces': good.replace(`${dash} `, `${dash}  `),
    'space at the end': good.replace(signature, `${signature} `),
    'plus in the name': good.replace(name, 'a+b'),
    'odd space in the name': good.replace(name, 'a\u00a0b'),
    'no name': good.replace(` ${name} `, '  '),
    'no padding': good.replace('=\n', '\n'),
    'id alone': good.replace(signature, 'AAAAAA=='),
    base64url: good.replace(signature, '____'),
  };
  for (const [what, note] of Object.entries(wrong)) {
    assert.ok(isProblem(parseNote(Buffer.from(note))), what);
  }
  assert.ok(isProblem(parseNote(Buffer.concat([Buffer.of(0xff), Buffer.from(good)]))), 'not UTF-8');
});

test('encodeNote refuses texts that no note can have', () => {
  for (const text of ['', 'no newline', 'tab\t\n', 'half a pair \ud800\n']) {
    assert.throws(() => signNote(text, [ours.signer]), /Cannot encode note/);
  }
});

test('parseVerifierKey reverses formatVerifierKey', () => {
  const vkey = formatVerifierKey(ours.key);
  const parsed = must<VerifierKey>(parseVerifierKey(`${vkey}\n`));
  assert.equal(formatVerifierKey(parsed), vkey);
  assert.equal(parsed.id, ours.signer.id);
  assert.ok(parsed.key.equals(ours.key.key));
});

test('parseVerifierKey refuses other types, other names and other spellings', () => {
  const vkey = formatVerifierKey(ours.key);
  const [name, id, encoded] = vkey.split(/\+(.{8})\+/) as [string, string, string];
  const wrong = {
    empty: '',
    'name alone': name,
    'no name': `+${id}+${encoded}`,
    'another name': `x${vkey}`,
    'another id': `${name}+00000000+${encoded}`,
    'upper case id': `${name}+${id.toUpperCase()}+${encoded}`,
    'another type': `${name}+${id}+${Buffer.concat([Buffer.of(4), ours.key.publicKey]).toString('base64')}`,
    'short key': `${name}+${id}+${Buffer.concat([Buffer.of(1), ours.key.publicKey.subarray(1)]).toString('base64')}`,
    'no padding': vkey.replaceAll('=', ''),
    'two lines': `${vkey}\n${vkey}`,
    'very long': `${'a'.repeat(2000)}${vkey}`,
  };
  for (const [what, text] of Object.entries(wrong)) {
    if (text !== vkey) assert.ok(isProblem(parseVerifierKey(text)), what);
  }
});
