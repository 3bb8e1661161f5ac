import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeededRandom } from '../disk/seeded-random.ts';
import { SimulatedDisk } from '../disk/simulated-disk.ts';
import { encodeCheckedJson, parseCheckedJson } from './checked-json.ts';
import { KeyError, makeRootKey, openRootKey, RootKey, writeRoot } from './root-key.ts';

function seededBytes(seed: number): (count: number) => Buffer {
  const random = new SeededRandom(seed);
  return (count) => Buffer.from(random.bytes(count));
}

function hasCode(code: KeyError['code']): (error: unknown) => boolean {
  return (error) => error instanceof KeyError && error.code === code && error.message.startsWith('Cannot ');
}

test('RootKey.unwrap gives back what was wrapped, in the same context and under the same root only', () => {
  const random = seededBytes(1);
  const bytes = fc.uint8Array({ maxLength: 100 });
  fc.assert(
    fc.property(bytes, bytes, bytes, fc.nat(), (secret, context, other, at) => {
      const root = RootKey.fromBytes('file', random(32));
      const wrapped = root.wrap(secret, context, random);
      assert.deepEqual(root.unwrap(wrapped, context), Buffer.from(secret));
      assert.equal(RootKey.fromBytes('file', random(32)).unwrap(wrapped, context), undefined);
      if (Buffer.compare(context, other) !== 0) assert.equal(root.unwrap(wrapped, other), undefined);
      const changed = Buffer.from(wrapped);
      changed[at % changed.length]! ^= 1;
      assert.equal(root.unwrap(changed, context), undefined);
      assert.equal(root.unwrap(wrapped.subarray(0, at % wrapped.length), context), undefined);
    }),
  );
});

test('RootKey.wrap never gives the same bytes twice', () => {
  const random = seededBytes(2);
  const root = RootKey.fromBytes('file', random(32));
  const wrapped = Array.from({ length: 100 }, () =>
    root.wrap(Buffer.alloc(32), Buffer.alloc(0), random).toString('hex'),
  );
  assert.equal(new Set(wrapped).size, wrapped.length);
});

test('openRootKey reads the root key file that writeRoot wrote', () => {
  const disk = new SimulatedDisk({ seed: 3 });
  disk.makeDirectory('/state');
  assert.equal(openRootKey(disk, '/state/root.json', undefined), undefined);
  const made = makeRootKey(seededBytes(3), undefined);
  writeRoot(disk, '/state/root.json', made.description);
  const opened = openRootKey(disk.crash(), '/state/root.json', undefined)!;
  assert.equal(opened.root.id, made.root.id);
  assert.deepEqual(opened.root.material, made.root.material);
  assert.equal(opened.previous, undefined);
});

test('openRootKey believes no changed byte of a root key file', () => {
  const disk = new SimulatedDisk({ seed: 4 });
  const { description } = makeRootKey(seededBytes(4), undefined);
  const bytes = encodeCheckedJson(description);
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 1;
    disk.writeFile('/root.json', changed);
    assert.throws(() => openRootKey(disk, '/root.json', undefined), /^Error: Cannot read "\/root.json"/);
  }
  // A careful edit, with a check that matches: then the id says it.
  disk.writeFile('/root.json', encodeCheckedJson({ ...description, key: '00'.repeat(32) }));
  assert.throws(() => openRootKey(disk, '/root.json', undefined), hasCode('key-damaged'));
});

test('a passphrase is stored nowhere, and told apart from no passphrase and from a wrong one', () => {
  const disk = new SimulatedDisk({ seed: 5 });
  const passphrase = 'correct horse bättery';
  const made = makeRootKey(seededBytes(5), passphrase);
  writeRoot(disk, '/root.json', made.description);
  const stored = Buffer.from(disk.readFile('/root.json')!).toString();
  assert.doesNotMatch(stored, /horse|"key"/);
  assert.ok(!stored.includes(Buffer.from(made.root.material.key).toString('hex')));
  // The same letters, typed on a system that composes them differently.
  assert.equal(openRootKey(disk, '/root.json', passphrase.normalize('NFD'))!.root.id, made.root.id);
  assert.throws(() => openRootKey(disk, '/root.json', undefined), hasCode('passphrase-missing'));
  assert.throws(() => openRootKey(disk, '/root.json', `${passphrase} `), hasCode('passphrase-wrong'));
});

test('parseCheckedJson refuses everything but what encodeCheckedJson wrote', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.equal(parseCheckedJson(bytes), undefined);
    }),
  );
  for (const text of ['null', '[]', '{}', '{"check":"0000000000000000"}', '{"a":1,"check":null}\n', '7']) {
    assert.equal(parseCheckedJson(Buffer.from(text)), undefined, text);
  }
  const members = { v: 1, name: 'a' };
  assert.deepEqual(parseCheckedJson(encodeCheckedJson(members)), members);
  const spaced = Buffer.from(encodeCheckedJson(members).toString().replace(',', ', '));
  assert.equal(parseCheckedJson(spaced), undefined);
});
