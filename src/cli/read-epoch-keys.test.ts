import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../disk/seeded-random.ts';
import { SimulatedDisk } from '../disk/simulated-disk.ts';
import { encodeCheckedJson } from '../keys/checked-json.ts';
import { wrapContext } from '../keys/epoch-keys.ts';
import { makeRootKey, type NewRoot, type RootKey, withPrevious, writeRoot } from '../keys/root-key.ts';
import { openEpochKeys } from './read-epoch-keys.ts';

const directories = { data: '/data', state: '/state', arguments: '' };
const KEY = Buffer.alloc(32, 7);

function stateWith() {
  const bytes = new SeededRandom(1);
  const random = (count: number) => Buffer.from(bytes.bytes(count));
  const disk = new SimulatedDisk({ seed: 1 });
  disk.makeDirectory('/state');
  disk.makeDirectory('/data/keys/access');
  const wrap = (root: RootKey, epoch: number) => {
    const wrapped = root.wrap(KEY, wrapContext('access', epoch, root.id), random).toString('base64');
    const members = { v: 1, ledger: 'access', epoch, root: root.id, wrapped };
    disk.replaceFile(`/data/keys/access/000000000${epoch}.json`, encodeCheckedJson(members));
  };
  /** Cut short between the first epoch's key and the second's. */
  const rotate = (from: NewRoot, to: NewRoot) => {
    writeRoot(disk, '/state/root.json', from.description);
    writeRoot(disk, '/state/root.next.json', withPrevious(to, from.root, random));
    wrap(to.root, 1);
    wrap(from.root, 2);
  };
  return { disk, random, wrap, rotate };
}

test('openEpochKeys opens every key of a rotation that was cut short with the new passphrase', () => {
  const { disk, random, rotate } = stateWith();
  rotate(makeRootKey(random, 'old'), makeRootKey(random, 'new'));
  const { epochKey, note } = openEpochKeys(directories, 'new', disk);
  assert.deepEqual([epochKey?.('access', 1), epochKey?.('access', 2)], [KEY, KEY]);
  assert.equal(note, undefined);
});

test('openEpochKeys opens with the old passphrase what is not rewrapped yet, and says what else is needed', () => {
  const { disk, random, rotate } = stateWith();
  rotate(makeRootKey(random, 'old'), makeRootKey(random, 'new'));
  const { epochKey, note } = openEpochKeys(directories, 'old', disk);
  assert.deepEqual([epochKey?.('access', 1), epochKey?.('access', 2)], [undefined, KEY]);
  assert.match(note!, /cut short.*new passphrase/);
  assert.throws(() => openEpochKeys(directories, 'neither', disk), /cut short.*Give the new passphrase/);
});

test('openEpochKeys does without a passphrase where the old root needs none', () => {
  const { disk, random, rotate } = stateWith();
  rotate(makeRootKey(random, undefined), makeRootKey(random, 'new'));
  const { epochKey, note } = openEpochKeys(directories, undefined, disk);
  assert.deepEqual([epochKey?.('access', 1), epochKey?.('access', 2)], [undefined, KEY]);
  assert.match(note!, /new passphrase/);
});

test('openEpochKeys refuses a wrong passphrase, and does without a missing or damaged root', () => {
  const { disk, random } = stateWith();
  assert.match(openEpochKeys(directories, undefined, disk).note!, /not decrypted: the root key is not here/);
  writeRoot(disk, '/state/root.json', makeRootKey(random, 'right').description);
  assert.throws(() => openEpochKeys(directories, 'wrong', disk), /not the one it was made with/);
  assert.match(openEpochKeys(directories, undefined, disk).note!, /not decrypted: .* has a passphrase/);
  for (const damaged of ['', '{}', '{"provider":"passphrase"}\n']) {
    disk.replaceFile('/state/root.json', Buffer.from(damaged));
    const { epochKey, note } = openEpochKeys(directories, undefined, disk);
    assert.equal(epochKey, undefined);
    assert.match(note!, /^Records were not decrypted: Cannot read "\/state\/root\.json"/);
  }
});

test('openEpochKeys takes a directory in a key’s place for a key that is not at hand', () => {
  const { disk, random } = stateWith();
  writeRoot(disk, '/state/root.json', makeRootKey(random, undefined).description);
  disk.makeDirectory('/data/keys/access/0000000001.json');
  assert.equal(openEpochKeys(directories, undefined, disk).epochKey?.('access', 1), undefined);
});
