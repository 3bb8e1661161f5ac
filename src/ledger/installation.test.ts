// Installations on the real disk, with the real workers.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { FileDisk } from '../disk/file-disk.ts';
import { encodeRecords } from '../event/batch-encoder.ts';
import { Installation, type InstallationOptions, LEDGER_NAMES } from './installation.ts';
import { type Accepted, type Ledger, LedgerError, type LedgerErrorCode } from './ledger.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'portledger-installation-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function options(more: Partial<InstallationOptions> = {}): InstallationOptions {
  return {
    disk: new FileDisk(),
    dataDirectory: join(directory, 'data'),
    stateDirectory: join(directory, 'state'),
    passphrase: undefined,
    random: randomBytes,
    now: () => new Date(),
    ...more,
  };
}

function hasCode(code: LedgerErrorCode): (error: unknown) => boolean {
  return (error) =>
    error instanceof LedgerError && error.code === code && error.message.startsWith('Cannot ');
}

function append(ledger: Ledger, ids: readonly string[], idempotencyKey?: string): Promise<Accepted> {
  const records = ids.map((id) => ({ '@timestamp': '2026-11-20T12:00:00Z', 'event.id': id }));
  const batch = encodeRecords(records, { ingested: '2026-11-20T12:00:00.000000000Z', observer: 'test' });
  const key = idempotencyKey === undefined ? {} : { idempotencyKey, bodyDigest: Buffer.from(ids.join()) };
  return ledger.append({ principal: 'test', batch, ...key });
}

async function idsOf(ledger: Ledger): Promise<string[]> {
  const ids: string[] = [];
  for await (const entries of ledger.scan({ order: 'oldest', kinds: ['record'] })) {
    for (const { bytes } of entries) ids.push(JSON.parse(Buffer.from(bytes).toString())['event.id']);
  }
  return ids;
}

function accessOf(installation: Installation): Ledger {
  return installation.ledgers.get('access')!;
}

test('Installation.open makes ledgers that it finds again, with the same name, keys and answers', async () => {
  const names: string[] = [];
  let answer: Accepted | undefined;
  for (let life = 0; life < 3; life++) {
    await using installation = await Installation.open(options());
    names.push(installation.name);
    assert.deepEqual([...installation.ledgers.keys()], [...LEDGER_NAMES]);
    const access = accessOf(installation);
    assert.equal(access.origin, `${installation.name}/access`);
    assert.equal(
      readFileSync(join(directory, 'data/ledgers/access/key.pub'), 'utf8').trim(),
      access.verifierKey,
    );
    const accepted = await append(access, ['a', 'b'], 'the same key');
    answer ??= accepted;
    assert.deepEqual(accepted, { ...answer, replayed: life > 0 });
    await append(access, [`life ${life}`]);
  }
  await using installation = await Installation.open(options());
  assert.equal(new Set(names).size, 1);
  assert.deepEqual(await idsOf(accessOf(installation)), ['a', 'b', 'life 0', 'life 1', 'life 2']);
  const status = accessOf(installation).status();
  assert.equal(status.published, status.size);
});

test('requests that come at once are all answered, with indexes of their own', async () => {
  await using installation = await Installation.open(options());
  const access = accessOf(installation);
  const all = await Promise.all(Array.from({ length: 200 }, (_, i) => append(access, [`${i}`, `${i}'`])));
  const ids = new Map<number, string>();
  for await (const entries of access.scan({ kinds: ['record'] })) {
    for (const { index, bytes } of entries)
      ids.set(index, JSON.parse(Buffer.from(bytes).toString())['event.id']);
  }
  for (const [i, { first, count, replayed }] of all.entries()) {
    assert.deepEqual([count, replayed], [2, false]);
    assert.deepEqual([ids.get(first), ids.get(first + 1)], [`${i}`, `${i}'`]);
  }
  assert.equal(ids.size, 400);
});

test('scan, prove and waitBeyond see what has been acknowledged', async () => {
  await using installation = await Installation.open(options());
  const access = accessOf(installation);
  const before = access.status().size;
  const waiting = access.waitBeyond(before, AbortSignal.timeout(30_000));
  const { first } = await append(access, ['a', 'b', 'c']);
  assert.ok((await waiting) > before);
  const newest: number[] = [];
  for await (const entries of access.scan({ from: first + 1, kinds: ['record'] })) {
    newest.push(...entries.map(({ index }) => index));
  }
  assert.deepEqual(newest, [first + 2, first + 1]);
  const proof = Buffer.from(await access.prove(first)).toString();
  assert.match(proof, new RegExp(`^c2sp\\.org/tlog-proof@v1\\nextra \\S+\\nindex ${first}\\n`));
  assert.ok(access.status().published > first, 'proving publishes');
  await assert.rejects(access.prove(1_000_000), hasCode('not-found'));
});

test('Installation.rotateRoot leaves everything readable, and new epochs too', async () => {
  {
    await using installation = await Installation.open(options());
    await append(accessOf(installation), ['before']);
    const { rewrapped } = await installation.rotateRoot(undefined);
    assert.equal(rewrapped, LEDGER_NAMES.length);
    await append(accessOf(installation), ['after']);
  }
  await using installation = await Installation.open(options());
  assert.deepEqual(await idsOf(accessOf(installation)), ['before', 'after']);
});

test('Installation.open without its cache gives the same ledgers', async () => {
  let root = '';
  {
    await using installation = await Installation.open(options());
    for (let i = 0; i < 20; i++) await append(accessOf(installation), [`${i}`], `key ${i}`);
    await installation.ledgers.get('access')!.publish();
    root = accessOf(installation).status().root;
  }
  assert.ok(readdirSync(join(directory, 'data/cache/access')).length > 0);
  rmSync(join(directory, 'data/cache'), { recursive: true });
  await using installation = await Installation.open(options());
  const access = accessOf(installation);
  assert.equal(access.status().root, root);
  assert.equal((await append(access, ['7'], 'key 7')).replayed, true);
  assert.equal((await idsOf(access)).length, 20);
});

test('Installation.open refuses data and state that do not belong together, and makes nothing new of them', async () => {
  await using made = await Installation.open(options());
  await made[Symbol.asyncDispose]();
  const elsewhere = {
    dataDirectory: join(directory, 'other-data'),
    stateDirectory: join(directory, 'other-state'),
  };
  await using other = await Installation.open(options(elsewhere));
  await other[Symbol.asyncDispose]();
  const { dataDirectory, stateDirectory } = elsewhere;
  await assert.rejects(Installation.open(options({ dataDirectory })), hasCode('unlike-anchor'));

  rmSync(dataDirectory, { recursive: true });
  await assert.rejects(Installation.open(options(elsewhere)), hasCode('behind-anchor'));
  assert.equal(existsSync(join(dataDirectory, 'installation.json')), false);

  rmSync(join(directory, 'data/installation.json'));
  rmSync(stateDirectory, { recursive: true });
  await assert.rejects(Installation.open(options({ stateDirectory })), hasCode('damaged'));
  assert.equal(existsSync(stateDirectory), false);
});

test('Installation.open says what is wrong with a file of its own', async () => {
  await using made = await Installation.open(options());
  await made[Symbol.asyncDispose]();
  for (const file of [
    'data/installation.json',
    'state/installation.json',
    'state/signing.json',
    'state/root.json',
  ]) {
    const path = join(directory, file);
    const held = readFileSync(path);
    writeFileSync(path, held.toString().replace('"v":1', '"v":2'));
    await assert.rejects(
      Installation.open(options()),
      (error) => (error as Error).message.includes(path),
      file,
    );
    writeFileSync(path, held);
  }
});
