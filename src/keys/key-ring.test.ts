import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiskError } from '../disk/disk.ts';
import { SeededRandom } from '../disk/seeded-random.ts';
import { SimulatedDisk } from '../disk/simulated-disk.ts';
import { FAULTS, SimulatedCrash } from '../disk/simulated-process.ts';
import { EpochKeys, wrapContext } from './epoch-keys.ts';
import { KeyRing, type KeyRingOptions } from './key-ring.ts';
import { KeyError, RootKey } from './root-key.ts';

const KEYS = '/data/keys';
const STATE = '/state';
const EPOCHS: Readonly<Record<string, number>> = { access: 3, custody: 2 };

function optionsFor(disk: SimulatedDisk, passphrase?: string): KeyRingOptions {
  const random = new SeededRandom(7 + disk.operations);
  return {
    disk,
    stateDirectory: STATE,
    keysDirectory: KEYS,
    passphrase,
    random: (count) => Buffer.from(random.bytes(count)),
  };
}

function makeRing(disk: SimulatedDisk, passphrase?: string): KeyRing {
  const ring = KeyRing.create(optionsFor(disk, passphrase));
  for (const [ledger, epochs] of Object.entries(EPOCHS)) {
    const keys = ring.epochKeys(ledger);
    for (let epoch = 1; epoch <= epochs; epoch++) keys.create(epoch);
  }
  return ring;
}

/** Every secret of the ring, read afresh. */
function secretsOf(ring: KeyRing): Record<string, string> {
  const secrets: Record<string, string> = { signing: ring.publicKey.toString('hex') };
  for (const ledger of Object.keys(EPOCHS)) {
    const keys = ring.epochKeys(ledger);
    for (const epoch of keys.epochs()) secrets[`${ledger}/${epoch}`] = keys.get(epoch).key.toString('hex');
  }
  return secrets;
}

const announce = async (): Promise<void> => {};

/** The rotation ends, or fails as a disk fails. */
async function tryRotating(ring: KeyRing): Promise<'done' | 'failed' | 'crashed'> {
  try {
    await ring.rotateRoot(undefined, announce);
    return 'done';
  } catch (error) {
    if (error instanceof SimulatedCrash) return 'crashed';
    assert.ok(error instanceof DiskError, String(error));
    return 'failed';
  }
}

/** No file but the root's own may hold it, nothing may be wrapped by another, and no rotation be under way. */
function assertOneRoot(disk: SimulatedDisk, id: string): void {
  for (const [path, bytes] of disk.files()) {
    if (path.endsWith('.tmp')) continue;
    assert.notEqual(path, `${STATE}/root.next.json`);
    const { root, id: own, previous } = JSON.parse(Buffer.from(bytes).toString());
    assert.equal(root ?? own, id, path);
    assert.equal(previous, undefined, path);
  }
}

test('KeyRing.create makes keys that KeyRing.open finds again', () => {
  const disk = new SimulatedDisk({ seed: 1 });
  const made = makeRing(disk);
  const secrets = secretsOf(made);
  const opened = KeyRing.open(optionsFor(disk.crash()));
  assert.deepEqual(secretsOf(opened), secrets);
  assert.equal(opened.root.id, made.root.id);
});

test('KeyRing.create that crashes at any operation is completed by the next one', () => {
  const whole = new SimulatedDisk({ seed: 2 });
  KeyRing.create(optionsFor(whole));
  for (let operation = 1; operation <= whole.operations; operation++) {
    for (let seed = 1; seed <= 20; seed++) {
      const disk = new SimulatedDisk({ seed });
      disk.failAt(operation, 'crash');
      assert.throws(() => KeyRing.create(optionsFor(disk)), SimulatedCrash);
      const found = seed % 2 === 0 ? disk.crash() : disk.kill();
      const ring = KeyRing.create(optionsFor(found));
      assert.deepEqual(KeyRing.open(optionsFor(found.crash())).publicKey, ring.publicKey);
    }
  }
});

test('KeyRing.open names what is missing', () => {
  for (const file of ['root.json', 'signing.json']) {
    const disk = new SimulatedDisk({ seed: 3 });
    makeRing(disk);
    disk.remove(`${STATE}/${file}`);
    assert.throws(
      () => KeyRing.open(optionsFor(disk)),
      (error) => error instanceof KeyError && error.code === 'key-missing' && error.message.includes(file),
    );
  }
});

test('KeyRing.rotateRoot changes the root and nothing that it wraps', async () => {
  const disk = new SimulatedDisk({ seed: 4 });
  const ring = makeRing(disk);
  const before = secretsOf(ring);
  const { root: old } = ring;
  const announced: string[][] = [];
  const rotated = await ring.rotateRoot(undefined, async (roots) => {
    announced.push(roots.map((root) => root.id));
  });
  assert.deepEqual(announced, [[rotated.root, old.id]]);
  assert.equal(rotated.rewrapped, 5);
  assert.notEqual(rotated.root, old.id);
  assert.deepEqual(secretsOf(ring), before);
  const found = disk.crash();
  assert.deepEqual(secretsOf(KeyRing.open(optionsFor(found))), before);
  assertOneRoot(found, rotated.root);
});

test('a key that is made while the root rotates survives it', async () => {
  const disk = new SimulatedDisk({ seed: 5 });
  const ring = makeRing(disk);
  let made = '';
  await ring.rotateRoot(undefined, async (roots) => {
    const random = new SeededRandom(99);
    const keys = new EpochKeys({
      disk,
      directory: KEYS,
      ledger: 'access',
      roots,
      random: (count) => Buffer.from(random.bytes(count)),
    });
    made = keys.create(4).key.toString('hex');
  });
  assert.equal(secretsOf(KeyRing.open(optionsFor(disk.crash())))['access/4'], made);
});

test('a rotation that crashes at any operation is finished by the next start, which may crash as well', async () => {
  const whole = new SimulatedDisk({ seed: 6 });
  const ring = makeRing(whole);
  const from = whole.operations;
  assert.equal(await tryRotating(ring), 'done');
  const to = whole.operations;
  assert.ok(to - from > 30);
  for (let operation = from + 1; operation <= to; operation++) {
    for (const second of [0, 3, 9, 17, 26, 40]) {
      const disk = new SimulatedDisk({ seed: 100 * operation + second });
      const before = makeRing(disk);
      const secrets = secretsOf(before);
      disk.failAt(operation, 'crash');
      assert.equal(await tryRotating(before), 'crashed');
      let found = second % 2 === 0 ? disk.crash() : disk.kill();
      if (second > 0) {
        found.failAt(second, 'crash');
        try {
          KeyRing.open(optionsFor(found));
        } catch (error) {
          assert.ok(error instanceof SimulatedCrash, String(error));
        }
        found = found.crash();
      }
      const opened = KeyRing.open(optionsFor(found));
      const where = `crash at operation ${operation}: ${disk.history.at(-1)}, then at ${second}`;
      assert.deepEqual(secretsOf(opened), secrets, where);
      assertOneRoot(found, opened.root.id);
    }
  }
});

test('a rotation that failed is finished before the next one begins, wherever that one ends', async () => {
  const whole = new SimulatedDisk({ seed: 7 });
  const ring = makeRing(whole);
  const from = whole.operations;
  await tryRotating(ring);
  const to = whole.operations;
  const faults = FAULTS.filter((fault) => fault !== 'crash');
  for (let operation = from + 1; operation <= to; operation++) {
    for (let distance = 1; distance <= 2 * (to - from) + 6; distance += 7) {
      const disk = new SimulatedDisk({ seed: 1000 * operation + distance });
      const failing = makeRing(disk);
      const secrets = secretsOf(failing);
      const fault = faults[(operation + distance) % faults.length]!;
      disk.failAt(operation, fault);
      if ((await tryRotating(failing)) === 'crashed') assert.fail('no crash was planned');
      disk.failAt(disk.operations + distance, 'crash');
      await tryRotating(failing);
      const found = disk.crash();
      const where = `${fault} at operation ${operation}: ${disk.history[operation - 1]}, crash ${distance} later`;
      let opened: KeyRing;
      try {
        opened = KeyRing.open(optionsFor(found));
      } catch (error) {
        assert.fail(`${where}: ${error}`);
      }
      assert.deepEqual(secretsOf(opened), secrets, where);
    }
  }
});

test('a rotation to another passphrase needs the new one from the moment it is announced', async () => {
  const disk = new SimulatedDisk({ seed: 8 });
  const ring = makeRing(disk, 'old');
  const secrets = secretsOf(ring);
  const afterAnnouncement = new Error('the test ends here');
  let announced: SimulatedDisk | undefined;
  await assert.rejects(
    ring.rotateRoot('new', async () => {
      announced = disk.crash();
      throw afterAnnouncement;
    }),
    afterAnnouncement,
  );
  assert.throws(
    () => KeyRing.open(optionsFor(announced!, 'old')),
    (error) => error instanceof KeyError && error.code === 'passphrase-wrong',
  );
  assert.deepEqual(secretsOf(KeyRing.open(optionsFor(announced!, 'new'))), secrets);
  assert.throws(
    () => KeyRing.open(optionsFor(announced!, 'old')),
    (error) => error instanceof KeyError && error.code === 'passphrase-wrong',
  );
});

test('EpochKeys.get opens a key for its own ledger, epoch and root only', () => {
  const disk = new SimulatedDisk({ seed: 9 });
  const ring = makeRing(disk);
  const stored = disk.readFile(`${KEYS}/access/0000000001.json`)!;
  disk.writeFile(`${KEYS}/custody/0000000001.json`, stored);
  disk.writeFile(`${KEYS}/access/0000000002.json`, stored);
  const isDamaged = (error: unknown) => error instanceof KeyError && error.code === 'key-damaged';
  assert.throws(() => ring.epochKeys('custody').get(1), isDamaged);
  assert.throws(() => ring.epochKeys('access').get(2), isDamaged);
  assert.throws(
    () => ring.epochKeys('access').get(4),
    (error) => error instanceof KeyError && error.code === 'key-missing',
  );
  const { root } = ring;
  const { wrapped } = JSON.parse(Buffer.from(stored).toString());
  const key = root.unwrap(Buffer.from(wrapped, 'base64'), wrapContext('access', 1, root.id));
  assert.deepEqual(key, ring.epochKeys('access').get(1).key);
  const other = RootKey.fromBytes('file', Buffer.alloc(32, 1));
  assert.equal(other.unwrap(Buffer.from(wrapped, 'base64'), wrapContext('access', 1, root.id)), undefined);
});

test('EpochKeys.create repeated after a crash gives the same key, once it could have been used', () => {
  const whole = new SimulatedDisk({ seed: 10 });
  makeRing(whole);
  const from = whole.operations;
  KeyRing.open(optionsFor(whole)).epochKeys('access').create(4);
  for (let operation = from + 1; operation <= whole.operations + 1; operation++) {
    const disk = new SimulatedDisk({ seed: operation });
    makeRing(disk);
    const keys = KeyRing.open(optionsFor(disk)).epochKeys('access');
    disk.failAt(operation, 'crash');
    let used: string | undefined;
    try {
      used = keys.create(4).key.toString('hex');
    } catch (error) {
      assert.ok(error instanceof SimulatedCrash);
    }
    const again = KeyRing.open(optionsFor(disk.crash())).epochKeys('access').create(4).key.toString('hex');
    if (used !== undefined) assert.equal(again, used);
  }
});
