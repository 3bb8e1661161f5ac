import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import { AccessStore } from './access-store.ts';
import { ensureFirstAdmin, openAccessStore } from './first-start.ts';
import { ROLES, roleAllows } from './principals.ts';
import { MemoryDisk } from './testing/memory-disk.ts';
import { formatToken, mintToken, parseToken } from './tokens.ts';

function memoryStore() {
  const clock = { ms: Date.parse('2026-11-20T12:00:00Z') };
  const store = new AccessStore({ path: ':memory:', now: () => clock.ms, random: randomBytes });
  return { store, clock };
}

test('mintToken makes tokens that parseToken takes apart again', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 42, maxLength: 42 }), (bytes) => {
      let used = 0;
      const token = mintToken((count) => {
        used += count;
        return bytes.subarray(used - count, used);
      });
      const text = formatToken(token);
      assert.match(text, /^plt_[a-z2-7]{10}_[A-Za-z0-9_-]{43}$/);
      assert.deepEqual(parseToken(text), token);
    }),
  );
});

test('parseToken refuses everything else', () => {
  const { secret } = mintToken(randomBytes);
  for (const text of [
    '',
    'plt_',
    `plt_abcdefghij_${secret}x`,
    `plt_abcdefghi1_${secret}`,
    ` plt_abcdefghij_${secret}`,
    `plt_abcdefghij_${secret}\n`,
    'x'.repeat(100_000),
  ]) {
    assert.equal(parseToken(text), undefined);
  }
});

test('authenticate knows a token until it is revoked or expires', () => {
  const { store, clock } = memoryStore();
  const { row, text } = store.create({ name: 'collector-1', role: 'ingest', expires: clock.ms + 1000 });
  const wrong = `${text.slice(0, -1)}${text.endsWith('A') ? 'B' : 'A'}`;
  assert.deepEqual(store.authenticate(text), { tokenId: row.id, name: 'collector-1', role: 'ingest' });
  assert.equal(store.authenticate(wrong), undefined);
  assert.equal(store.authenticate(formatToken(mintToken(randomBytes))), undefined);
  clock.ms += 1000;
  assert.equal(store.authenticate(text), undefined, 'expired');
  const other = store.create({ name: 'collector-2', role: 'ingest' });
  const revoked = store.revoke(other.row.id);
  assert.equal(store.authenticate(other.text), undefined, 'revoked');
  clock.ms += 5;
  assert.equal(store.revoke(other.row.id).revoked, revoked.revoked, 'the first revocation stays');
});

test('lastUsed is written at most once in five minutes', () => {
  const { store, clock } = memoryStore();
  const { row, text } = store.create({ name: 'a', role: 'viewer' });
  const first = clock.ms;
  store.authenticate(text);
  clock.ms += 299_999;
  store.authenticate(text);
  assert.equal(store.get(row.id).lastUsed, first);
  clock.ms += 1;
  store.authenticate(text);
  assert.equal(store.get(row.id).lastUsed, clock.ms);
});

test('a store that cannot be written still lets people in', () => {
  const directory = mkdtempSync(join(tmpdir(), 'access-'));
  try {
    const path = join(directory, 'control.sqlite');
    using store = new AccessStore({ path, now: Date.now, random: randomBytes });
    const { text } = store.create({ name: 'admin', role: 'admin' });
    const other = new DatabaseSync(path);
    other.exec("CREATE TRIGGER full BEFORE UPDATE ON tokens BEGIN SELECT RAISE(ABORT, 'disk full'); END");
    other.close();
    assert.equal(store.authenticate(text)?.name, 'admin');
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('the last admin token that does not expire cannot be revoked', () => {
  const { store, clock } = memoryStore();
  const first = store.create({ name: 'admin', role: 'admin' });
  store.create({ name: 'temporary', role: 'admin', expires: clock.ms + 1000 });
  assert.throws(() => store.revoke(first.row.id), { code: 'last-admin' });
  store.create({ name: 'second', role: 'admin' });
  store.revoke(first.row.id);
  assert.equal(store.hasWorkingAdmin(), true);
});

test('create refuses names and roles that would confuse a reader', () => {
  const { store, clock } = memoryStore();
  for (const name of ['', ' a', 'a b', 'a\n', '"a"', '-a', 'a'.repeat(65)]) {
    assert.throws(() => store.create({ name, role: 'viewer' }), { code: 'invalid' }, JSON.stringify(name));
  }
  assert.throws(() => store.create({ name: 'a', role: 'root' as 'admin' }), { code: 'invalid' });
  assert.throws(() => store.create({ name: 'a', role: 'admin', expires: clock.ms }), { code: 'invalid' });
  store.create({ name: 'a', role: 'viewer' });
  store.create({ name: 'a', role: 'viewer' });
  assert.throws(() => store.create({ name: 'a', role: 'admin' }), { code: 'name-taken' });
});

test('the database holds no secret, keeps its rows, and its journals are as private as itself', () => {
  const directory = mkdtempSync(join(tmpdir(), 'access-'));
  try {
    const path = join(directory, 'control.sqlite');
    writeFileSync(path, '', { mode: 0o600 });
    const options = { path, now: Date.now, random: randomBytes };
    let text: string;
    let key: Uint8Array;
    {
      using store = new AccessStore(options);
      text = store.create({ name: 'admin', role: 'admin' }).text;
      key = store.secret('masking');
      assert.deepEqual(store.secret('masking'), key);
      for (const file of [path, `${path}-wal`, `${path}-shm`]) {
        assert.equal(statSync(file).mode & 0o777, 0o600, file);
      }
    }
    assert.equal(readFileSync(path).includes(text.slice(15)), false);
    using again = new AccessStore(options);
    assert.equal(again.authenticate(text)?.name, 'admin');
    assert.deepEqual(again.secret('masking'), key);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a store written by a newer version is refused, not changed', () => {
  const directory = mkdtempSync(join(tmpdir(), 'access-'));
  try {
    const path = join(directory, 'control.sqlite');
    const database = new DatabaseSync(path);
    database.exec('PRAGMA user_version = 2');
    database.close();
    assert.throws(() => new AccessStore({ path, now: Date.now, random: randomBytes }), /version 2/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('ensureFirstAdmin recovers from a crash between the file and the row', () => {
  const disk = new MemoryDisk();
  using store = openAccessStore(disk, { path: ':memory:', now: Date.now, random: randomBytes });
  disk.beforeReplace = () => {
    throw new Error('power cut');
  };
  assert.throws(() => ensureFirstAdmin(store, disk, '/state/admin.token'), /power cut/);
  assert.equal(store.hasWorkingAdmin(), false, 'nobody is admin while the file is not safe');
  disk.beforeReplace = () => {};
  assert.equal(ensureFirstAdmin(store, disk, '/state/admin.token'), true);
  const text = Buffer.from(disk.readFile('/state/admin.token')!).toString().trim();
  assert.equal(store.authenticate(text)?.role, 'admin');
  assert.equal(ensureFirstAdmin(store, disk, '/state/admin.token'), false);
});

test('roleAllows gives each role what it is for and nothing else', () => {
  const allowed = (permission: Parameters<typeof roleAllows>[1]) =>
    ROLES.filter((role) => roleAllows(role, permission));
  assert.deepEqual(allowed('append'), ['admin', 'ingest']);
  assert.deepEqual(allowed('read'), ['admin', 'auditor', 'viewer']);
  assert.deepEqual(allowed('unmasked'), ['admin', 'auditor']);
  assert.deepEqual(allowed('custody'), ['admin', 'auditor']);
  assert.deepEqual(allowed('prove'), ['admin', 'auditor']);
  assert.deepEqual(allowed('quarantine'), ['admin']);
  assert.deepEqual(allowed('administer'), ['admin']);
});
