// Goal: a log that is not the newest one is never signed or written to without somebody having decided so; nothing is silently
// wrong, and nothing that is refused is changed.
//
// Method: one installation is made with the real program, in two states, and copied for each test: `early`, then `late` with
// more records. Files are then put back, removed or changed as a restored backup or an attacker would leave them, and the
// program is started on the result.

import assert from 'node:assert/strict';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ENTRY_KIND } from '../../src/merkle/entry.ts';
import { Home } from './program.ts';

const EARLY_RECORDS = 300;
const LATE_RECORDS = 600;

interface DoctorAnswer {
  readonly ok: boolean;
  readonly findings: readonly { readonly id: string; readonly what: string; readonly fix: string }[];
}

const original = new Home('rollback');
const early = join(original.path, 'early');

before(async () => {
  await addRecords(original, 0, EARLY_RECORDS);
  for (const part of ['data', 'state'])
    cpSync(join(original.path, part), join(early, part), { recursive: true });
  await addRecords(original, EARLY_RECORDS, LATE_RECORDS);
});
after(() => original[Symbol.asyncDispose]());

/** An orderly run: everything is published and settled at its end. */
async function addRecords(home: Home, from: number, to: number): Promise<void> {
  const server = await home.start();
  for (let at = from; at < to; at += 50) await server.sendAccepted(recordLines(at, at + 50));
  assert.equal((await server.stop()).code, 0);
}

function recordLines(from: number, to: number): string {
  const line = (id: number): string =>
    `{"@timestamp":"2026-11-20T12:00:00Z","event.id":"${id}","user.name":"alice"}\n`;
  return Array.from({ length: to - from }, (_, i) => line(from + i)).join('');
}

function copyOf(name: string, parts: { readonly data?: string; readonly state?: string } = {}): Home {
  const home = new Home(name);
  const { data = original.data, state = original.state } = parts;
  cpSync(data, home.data, { recursive: true, filter: (path) => !isReserve(path) });
  cpSync(state, home.state, { recursive: true });
  return home;
}

/** Room that is kept for later: large, zero, and made again. */
function isReserve(path: string): boolean {
  return path.endsWith('/reserve');
}

/** Every file but the lock's, by path. */
function filesBelow(directory: string): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const path = join(directory, name);
    if (/^lock(\.json)?$/.test(name) || isReserve(name) || !statSync(path).isFile()) continue;
    files.set(name, readFileSync(path));
  }
  return files;
}

/** `up` must refuse with these words and leave every byte of the data directory, and the anchors, as they are. */
async function expectRefused(home: Home, words: RegExp): Promise<void> {
  const look = () => {
    const anchors = join(home.state, 'anchors');
    return [filesBelow(home.data), existsSync(anchors) ? filesBelow(anchors) : new Map()];
  };
  const found = look();
  assert.match(await home.refusal(), words);
  assert.deepEqual(look(), found, 'a refused start changed something');
}

async function findingsOf(home: Home): Promise<readonly string[]> {
  const { findings } = await home.json<DoctorAnswer>(['doctor'], 1);
  return findings.map(({ id, what }) => `${id}: ${what}`);
}

/** The control entries of a ledger, as anybody reads them off the published half. */
function controlEntries(home: Home, ledger: string): Record<string, unknown>[] {
  const directory = join(home.data, 'ledgers', ledger);
  const size = Number(readFileSync(join(directory, 'checkpoint'), 'utf8').split('\n')[1]);
  const bodies: Record<string, unknown>[] = [];
  for (let bundle = 0; 256 * bundle < size; bundle++) {
    const width = Math.min(256, size - 256 * bundle);
    const name = String(bundle).padStart(3, '0') + (width < 256 ? `.p/${width}` : '');
    const bytes = readFileSync(join(directory, 'tile/entries', name));
    for (let at = 0; at < bytes.length; ) {
      const length = bytes.readUInt16BE(at);
      const entry = bytes.subarray(at + 2, at + 2 + length);
      if (entry[0] === ENTRY_KIND.control) bodies.push(JSON.parse(entry.subarray(1).toString()));
      at += 2 + length;
    }
  }
  return bodies;
}

async function expectRuns(home: Home, records: number): Promise<void> {
  const server = await home.start();
  const ids = new Set<unknown>();
  for await (const row of server.records()) ids.add(row['event.id']);
  assert.equal(ids.size, records);
  await server.sendAccepted(recordLines(100_000, 100_010));
  assert.equal((await server.stop()).code, 0);
  await home.expectVerified();
}

test('an old copy of the data directory is refused, named by doctor, and runs again once adopted', async () => {
  await using home = copyOf('old-data', { data: join(early, 'data') });
  await expectRefused(
    home,
    /^portledger: Cannot open ledger ".*": it holds \d+ entries, its anchor says \d+ were signed/,
  );
  assert.ok(
    (await findingsOf(home)).some((finding) => /^behind-anchor: Ledger access .* were signed/.test(finding)),
  );
  const newest = join(original.data, 'ledgers/access/checkpoint');
  const { size: signed } = noteOf(newest);

  const unconfirmed = await home.expectCode(2, ['doctor', '--adopt', ...home.here]);
  assert.match(unconfirmed.err, /^portledger: Cannot adopt .* without --yes/);
  await expectRefused(home, /were signed/);

  await home.expectCode(0, ['doctor', '--adopt', '--yes', '--reason', 'the disk died', ...home.here]);
  const [adopted, ...others] = controlEntries(home, 'access').filter(({ type }) => type === 'adopted');
  assert.equal(adopted!.reason, 'the disk died');
  assert.equal(adopted!.previousSize, signed);
  assert.deepEqual(others, []);
  // The custody ledger still fits its anchor: there was nothing to adopt.
  assert.ok(controlEntries(home, 'custody').every(({ type }) => type !== 'adopted'));
  await home.expectVerified();
  await expectRuns(home, EARLY_RECORDS);
  // Whoever remembers what was signed before still sees that it is gone.
  const since = await home.run(['verify', '--since', newest, ...home.here]);
  assert.equal(since.code, 1, since.out);
});

function noteOf(path: string): { origin: string; size: number } {
  const [origin, size] = readFileSync(path, 'utf8').split('\n');
  return { origin: origin!, size: Number(size) };
}

test('an old copy of the state directory is refused, and runs again once adopted', async () => {
  await using home = copyOf('old-state', { state: join(early, 'state') });
  await expectRefused(home, /^portledger: Cannot open ledger .*the state directory is older than the data/);
  assert.ok((await findingsOf(home)).some((finding) => finding.startsWith('unlike-anchor: Ledger access')));
  await home.expectCode(0, ['doctor', '--adopt', '--yes', ...home.here]);
  await expectRuns(home, LATE_RECORDS);
});

test('old copies of both look like an installation that was never used since', async () => {
  // What only a witness or a checkpoint that is kept elsewhere can notice; `verify --since` is how.
  await using home = copyOf('old-both', { data: join(early, 'data'), state: join(early, 'state') });
  const since = await home.run([
    'verify',
    '--since',
    join(original.data, 'ledgers/access/checkpoint'),
    ...home.here,
  ]);
  assert.equal(since.code, 1, since.out);
  await expectRuns(home, EARLY_RECORDS);
});

test('a data directory that is gone is not mistaken for a first start', async () => {
  await using home = copyOf('no-data');
  rmSync(home.data, { recursive: true });
  assert.match(
    await home.refusal(),
    /^portledger: Cannot open the installation .*there is none, but .* remembers/,
  );
  assert.equal(existsSync(join(home.data, 'installation.json')), false);
  assert.equal(existsSync(join(home.data, 'ledgers')), false);
});

test('a ledger that is gone is not begun anew', async () => {
  await using home = copyOf('no-ledger');
  rmSync(join(home.data, 'ledgers/access'), { recursive: true });
  await expectRefused(home, /^portledger: Cannot open ledger /);
});

test('a state directory that is gone is refused: without its keys nothing can be read or signed', async () => {
  await using home = copyOf('no-state');
  rmSync(home.state, { recursive: true });
  assert.match(await home.refusal(), /^portledger: Cannot open the installation: .*expected its root key/);
});

test('the state directory of another installation is refused', async () => {
  await using other = new Home('other');
  await addRecords(other, 0, 50);
  await using home = copyOf('other-state', { state: other.state });
  await expectRefused(home, /^portledger: Cannot open the installation .* belongs to /);
});

test('a missing anchor is refused, and made again once adopted', async () => {
  await using home = copyOf('no-anchor');
  rmSync(join(home.state, 'anchors/access'));
  await expectRefused(
    home,
    /^portledger: Cannot open ledger .*anchors\/access" does not exist, expected the anchor/,
  );
  assert.ok((await findingsOf(home)).some((finding) => finding.startsWith('anchor-missing: Ledger access')));
  await home.expectCode(0, ['doctor', '--adopt', '--yes', ...home.here]);
  await expectRuns(home, LATE_RECORDS);
});

test('an anchor or a checkpoint that nobody signed is refused', async () => {
  for (const file of ['state/anchors/access', 'data/ledgers/access/checkpoint']) {
    await using home = copyOf('unsigned');
    const path = join(home.path, file);
    const note = readFileSync(path, 'utf8').split('\n');
    note[1] = String(Number(note[1]) - 1);
    writeFileSync(path, note.join('\n'));
    await expectRefused(home, /^portledger: Cannot open ledger .* is not a checkpoint signed by its key/);
  }
});

test('without anchor and checkpoint, content is never begun anew', async () => {
  await using home = copyOf('no-checkpoint-no-anchor');
  rmSync(join(home.state, 'anchors/access'));
  rmSync(join(home.data, 'ledgers/access/checkpoint'));
  await expectRefused(home, /^portledger: Cannot open ledger .*neither a checkpoint nor an anchor/);
});

test('key.pub and checkpoint are written again as they were', async () => {
  for (const names of [['key.pub'], ['checkpoint'], ['key.pub', 'checkpoint']]) {
    await using home = copyOf('public-files');
    const paths = names.map((name) => join(home.data, 'ledgers/access', name));
    const held = paths.map((path) => readFileSync(path));
    for (const path of paths) rmSync(path);
    const server = await home.start();
    const { text } = await server.call(`/ledgers/access/${names[0]}`);
    assert.equal(text, held[0]!.toString());
    await server.kill();
    for (const [i, path] of paths.entries()) assert.deepEqual(readFileSync(path), held[i], path);
    await expectRuns(home, LATE_RECORDS);
  }
});

test('an older checkpoint in place of the newest one is put right from the anchor', async () => {
  await using home = copyOf('old-checkpoint');
  cpSync(join(early, 'data/ledgers/access/checkpoint'), join(home.data, 'ledgers/access/checkpoint'));
  await expectRuns(home, LATE_RECORDS);
});

test('a second server on the same data is refused and names the first; a killed one leaves nothing in the way', async () => {
  await using home = copyOf('second');
  const first = await home.start();
  const refusal = await home.refusal();
  assert.match(refusal, new RegExp(`process ${first.processId} \\(portledger up.*using it`));
  await first.sendAccepted(recordLines(9000, 9001));
  await first.kill();
  const next = await home.start();
  assert.match(await home.refusal(), new RegExp(`process ${next.processId} `));
  assert.equal((await next.stop()).code, 0);
});

const CONTENT = 'ledgers/access/content';

function lastSegment(home: Home): string {
  const name = readdirSync(join(home.data, CONTENT))
    .filter((one) => one.endsWith('.seg'))
    .sort()
    .at(-1)!;
  return join(home.data, CONTENT, name);
}

test('a changed byte below the anchor is refused or found, and never cut away', async () => {
  const { size } = statSync(lastSegment(original));
  for (const offset of [3, 20, 126, Math.floor(size / 2), size - 200, size - 1]) {
    for (const isReplayed of [true, false]) {
      await using home = copyOf('flipped');
      const segment = lastSegment(home);
      const bytes = readFileSync(segment);
      bytes[offset]! ^= 0x10;
      writeFileSync(segment, bytes);
      // Without the cache everything is replayed; with it only what came after the last orderly end.
      if (isReplayed) rmSync(join(home.data, 'cache'), { recursive: true });
      const where = `byte ${offset} of ${size}, ${isReplayed ? 'replayed' : 'settled'}`;
      const { code, err } = await startAndStop(home);
      if (code === 0) {
        assert.equal(isReplayed, false, `${where}: nobody noticed`);
      } else {
        assert.equal(code, 2, where);
        assert.match(err, /^portledger: Cannot open ledger/, where);
      }
      const found = readFileSync(segment);
      assert.ok(found.subarray(0, bytes.length).equals(bytes), `${where}: the segment was changed`);
      if (code !== 0) assert.equal(found.length, bytes.length, where);
      const { ok } = await home.verify();
      assert.equal(ok, false, `${where}: verify found nothing`);
    }
  }
});

/** A server that ends by itself when it refuses, and by SIGTERM when it does not. */
async function startAndStop(home: Home): Promise<{ code: number | null; err: string }> {
  const launched = home.launchServer();
  try {
    await launched.ready();
  } catch {
    return await launched.stop();
  }
  return await launched.stop();
}
