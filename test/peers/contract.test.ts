// Goal: the command line does what README.md promises, with the real program, real files and a real server.
//
// Method: `bin/portledger` as a child process in temporary directories, on a port that the system chooses; what it prints
// with --json, its exit codes and the files that it leaves are looked at, and nothing of its inside. The steps build on each
// other, in the order in which somebody would take them.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

const PROGRAM = join(import.meta.dirname, '../../bin/portledger');
const PATIENCE_MS = 30_000;

const home = mkdtempSync(join(tmpdir(), 'portledger-contract-'));
const data = join(home, 'data');
const state = join(home, 'state');
const here = ['--data', data, '--state', state];
const readyFile = join(home, 'ready.json');
const environment = { PATH: process.env.PATH, HOME: home };

let server: ChildProcess;

before(async () => {
  server = await start();
});
after(async () => {
  if (server.exitCode === null && server.signalCode === null) {
    server.kill('SIGKILL');
    await once(server, 'close');
  }
  rmSync(home, { recursive: true, force: true });
});

interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function launch(words: readonly string[]): { child: ChildProcess; finished: Promise<Finished> } {
  const child = spawn(PROGRAM, words, { cwd: home, env: environment, stdio: ['pipe', 'pipe', 'pipe'] });
  const printed = { out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    printed.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    printed.err += chunk;
  });
  const finished = once(child, 'close').then(([code]) => ({ code: code as number | null, ...printed }));
  return { child, finished };
}

async function run(words: readonly string[], input = ''): Promise<Finished> {
  const { child, finished } = launch(words);
  child.stdin!.end(input);
  return await finished;
}

/** Runs a command that must end with this code, and gives back what it printed. */
async function expectCode(code: number, words: readonly string[], input = ''): Promise<Finished> {
  const finished = await run(words, input);
  assert.equal(finished.code, code, `${words.join(' ')}\n${finished.out}${finished.err}`);
  return finished;
}

async function runJson<Shape>(words: readonly string[], input = '', code = 0): Promise<Shape> {
  return JSON.parse((await expectCode(code, [...words, '--json'], input)).out) as Shape;
}

interface Sent {
  readonly accepted: number;
  readonly ranges: readonly { readonly ledger: string; readonly first: number; readonly count: number }[];
  readonly quarantined: readonly { readonly file: string; readonly line: number }[];
}

interface Verified {
  readonly ok: boolean;
  readonly verdict: string;
  readonly ledgers: readonly {
    readonly name: string;
    readonly problems: readonly { readonly file: string }[];
  }[];
}

interface Proven {
  readonly ok: boolean;
  readonly index: number;
  readonly content: Readonly<Record<string, unknown>>;
}

interface Tokens {
  readonly tokens: readonly { readonly id: string; readonly name: string }[];
}

async function searchJson(words: readonly string[]): Promise<Record<string, unknown>[]> {
  const { out } = await expectCode(0, ['search', ...words, '--json', ...here]);
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

async function until(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    if (await look()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`waited ${PATIENCE_MS} ms for ${what}`);
}

async function start(...more: string[]): Promise<ChildProcess> {
  const words = ['up', ...here, '--listen', '127.0.0.1:0', '--ready-file', readyFile, ...more];
  const { child, finished } = launch(words);
  let ended: Finished | undefined;
  void finished.then((result) => {
    ended = result;
  });
  await until('the ready file', () => {
    if (ended) throw new Error(`up ended with ${ended.code}:\n${ended.err}`);
    return existsSync(readyFile);
  });
  return child;
}

async function stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
  const closed = once(server, 'close');
  server.kill(signal);
  const [code] = await closed;
  return code as number | null;
}

const record = (user: string, port = '8443'): string =>
  JSON.stringify({
    timestamp: '2026-11-20T12:00:00Z',
    user,
    src_port: '50122',
    dest_port: port,
    action: 'login',
  });

const lines = (...records: string[]): string => records.map((one) => `${one}\n`).join('');

test('up writes a ready file that only its owner can read', () => {
  assert.equal(statSync(readyFile).mode & 0o777, 0o600);
  const ready = JSON.parse(readFileSync(readyFile, 'utf8'));
  assert.match(ready.api, /^https:\/\/127\.0\.0\.1:[1-9]\d*$/);
  assert.equal(statSync(ready.tokenFile).mode & 0o777, 0o600);
  assert.match(readFileSync(ready.caFile, 'utf8'), /^-----BEGIN CERTIFICATE-----/);
  assert.equal(readFileSync(join(state, 'server.json'), 'utf8'), readFileSync(readyFile, 'utf8'));
});

test('nothing under data and state can be read by others', () => {
  for (const directory of [data, state]) {
    for (const name of ['', ...readdirSync(directory, { recursive: true, encoding: 'utf8' })]) {
      const path = join(directory, name);
      assert.equal(statSync(path).mode & 0o077, 0, path);
    }
  }
});

test('send accepts records, quarantines what is none, and says which line', async () => {
  writeFileSync(join(home, 'a.ndjson'), lines(record('alice'), record('bob'), 'nonsense', record('carol')));
  const summary = await runJson<Sent>(['send', 'a.ndjson', ...here], '', 1);
  assert.equal(summary.accepted, 3);
  assert.deepEqual(
    summary.quarantined.map(({ file, line }) => [file, line]),
    [['a.ndjson', 3]],
  );
  assert.equal(summary.ranges[0]?.ledger, 'access');
  const { out } = await expectCode(0, ['send', '-', ...here], `[${record('dora')}]`);
  assert.match(out, /^1 record accepted \(access \d+\), 0 quarantined\n$/);
});

test('send with the same key adds nothing, and says the same', async () => {
  const words = ['send', '-', '--idempotency-key', 'day-1', ...here];
  const input = lines(record('erik', '9001'));
  const first = await runJson<Sent>(words, input);
  assert.deepEqual(await runJson<Sent>(words, input), first);
  assert.equal((await searchJson(['port:9001'])).length, 1);
  const other = await expectCode(2, words, lines(record('other', '9001')));
  assert.match(other.err, /^portledger: Cannot /);
});

test('search finds by what people know, newest first, in a table and as JSON', async () => {
  const found = await searchJson(['port:8443']);
  assert.deepEqual(
    found.map((row) => row['user.name']),
    ['dora', 'carol', 'bob', 'alice'],
  );
  assert.equal(typeof found[0]!['ledger.index'], 'number');
  const { out, err } = await expectCode(0, ['search', 'user:alice', ...here]);
  assert.match(out, /^TIME[^\n]*\n2026-11-20 12:00:00\.000 +alice /);
  assert.match(err, /1 record\.\n/);
  assert.equal((await searchJson(['user:nobody'])).length, 0);
  assert.match((await expectCode(2, ['search', 'port:', ...here])).err, /^portledger: Cannot parse query/);
});

test('tail shows what arrives, and ends with Ctrl-C', async () => {
  const { child, finished } = launch(['tail', 'port:9100', '--json', ...here]);
  let shown = '';
  child.stdout!.on('data', (chunk) => {
    shown += chunk;
  });
  // Sent until seen: the tail may not be connected yet when the first one is.
  await until('the tail', async () => {
    await expectCode(0, ['send', '-', ...here], lines(record('fay', '9100'), record('gus', '9101')));
    return shown !== '';
  });
  for (const line of shown.trimEnd().split('\n')) assert.equal(JSON.parse(line)['user.name'], 'fay');
  child.kill('SIGINT');
  assert.equal((await finished).code, 0);
});

const key = join(data, 'ledgers/access/key.pub');

test('prove discloses one record, and check-proof believes no changed byte and no other key', async () => {
  const [row] = await searchJson(['user:alice']);
  const index = String(row!['ledger.index']);
  await expectCode(0, ['prove', index, '-o', 'alice.proof', ...here]);
  const proven = await runJson<Proven>(['check-proof', 'alice.proof', '--key', key]);
  assert.equal(proven.ok, true);
  assert.equal(proven.index, row!['ledger.index']);
  assert.equal(proven.content['user.name'], 'alice');
  const proof = readFileSync(join(home, 'alice.proof'), 'utf8');
  for (const at of [30, 80, Math.floor(proof.length / 2), proof.length - 20]) {
    const changed = proof[at] === 'A' ? 'B' : 'A';
    writeFileSync(join(home, 'changed.proof'), proof.slice(0, at) + changed + proof.slice(at + 1));
    await expectCode(1, ['check-proof', 'changed.proof', '--key', key]);
  }
  await expectCode(1, ['check-proof', 'alice.proof', '--key', join(data, 'ledgers/custody/key.pub')]);
  await expectCode(2, ['prove', index, '-o', 'alice.proof', ...here]);
  assert.equal(readFileSync(join(home, 'alice.proof'), 'utf8'), proof, 'an existing file is left alone');
  await expectCode(2, ['prove', '999999', '-o', 'none.proof', ...here]);
  assert.equal(existsSync(join(home, 'none.proof')), false);
});

test('verify accepts the running log, and is inconclusive where everything comes from one place', async () => {
  const report = await runJson<Verified>(['verify', ...here]);
  assert.equal(report.ok, true);
  assert.deepEqual(report.ledgers.map(({ name }) => name).sort(), ['access', 'custody']);
  const copy = join(home, 'copy');
  cpSync(data, copy, { recursive: true });
  const alone = await runJson<Verified>(['verify', copy], '', 1);
  assert.equal(alone.verdict, 'inconclusive');
  const keys = ['access', 'custody'].flatMap((name) => ['--key', join(data, `ledgers/${name}/key.pub`)]);
  assert.equal((await runJson<Verified>(['verify', copy, ...keys])).ok, true);
  const segment = join(copy, 'ledgers/access/content/0000000001.seg');
  const bytes = readFileSync(segment);
  bytes[200]! ^= 1;
  writeFileSync(segment, bytes);
  const tampered = await runJson<Verified>(['verify', copy, ...keys], '', 1);
  assert.equal(tampered.verdict, 'problems');
  const [problem] = tampered.ledgers.find(({ name }) => name === 'access')!.problems;
  assert.match(problem!.file, /0000000001\.seg$/);
  rmSync(copy, { recursive: true });
});

test('tokens do what their role says, until they are revoked', async () => {
  for (const role of ['ingest', 'viewer', 'auditor']) {
    await expectCode(0, ['token', 'create', '--name', role, '--role', role, '-o', `${role}.token`, ...here]);
    assert.equal(statSync(join(home, `${role}.token`)).mode & 0o777, 0o600);
  }
  const as = (role: string): string[] => [...here, '--token-file', `${role}.token`];
  await expectCode(0, ['send', '-', ...as('ingest')], lines(record('hal')));
  assert.match((await expectCode(2, ['search', 'port:8443', ...as('ingest')])).err, /your role is ingest/);
  await expectCode(2, ['send', '-', ...as('viewer')], lines(record('hal')));
  const seen = await expectCode(0, ['search', 'port:8443', '--json', ...as('viewer')]);
  assert.doesNotMatch(seen.out, /alice/);
  assert.match((await expectCode(0, ['search', 'port:8443', '--json', ...as('auditor')])).out, /alice/);
  await expectCode(2, ['token', 'list', ...as('auditor')]);

  const { tokens } = await runJson<Tokens>(['token', 'list', ...here]);
  const secret = readFileSync(join(home, 'ingest.token'), 'utf8').trim();
  assert.ok(!JSON.stringify(tokens).includes(secret.split('_')[2]!));
  const idOf = (name: string): string => tokens.find((token) => token.name === name)!.id;
  await expectCode(0, ['token', 'revoke', idOf('ingest'), ...here]);
  assert.match(
    (await expectCode(2, ['send', '-', ...as('ingest')], lines(record('hal')))).err,
    /does not accept the token/,
  );
  await expectCode(2, ['token', 'revoke', idOf('admin'), ...here]);
});

test('what was done with the data is in the custody ledger', async () => {
  const acts = await searchJson(['--ledger', 'custody', '--limit', '10000']);
  const actions = new Set(acts.map((act) => act['event.action']));
  for (const action of ['search', 'prove']) assert.ok(actions.has(action), `${action} in ${[...actions]}`);
});

test('keys rotate changes the root key under a running server', async () => {
  const before = JSON.parse(readFileSync(join(state, 'root.json'), 'utf8')).id;
  const rotated = await runJson<{ rewrapped: number }>(['keys', 'rotate', ...here]);
  assert.ok(rotated.rewrapped >= 2);
  assert.notEqual(JSON.parse(readFileSync(join(state, 'root.json'), 'utf8')).id, before);
  await expectCode(0, ['send', '-', ...here], lines(record('ida')));
  assert.equal((await runJson<Verified>(['verify', ...here])).ok, true);
});

test('a second server on the same data is refused, and leaves the first alone', async () => {
  const { err } = await expectCode(2, ['up', ...here, '--listen', '127.0.0.1:0', '--ready-file', readyFile]);
  assert.match(err, /^portledger: Cannot .*using it/);
  assert.ok(existsSync(readyFile));
  await expectCode(0, ['search', 'user:alice', ...here]);
});

test('a port that is taken is said, and the next one used only when asked for', async () => {
  const { host } = new URL(JSON.parse(readFileSync(readyFile, 'utf8')).api);
  const elsewhere = ['--data', join(home, 'other'), '--state', join(home, 'other-state'), '--listen', host];
  assert.match((await expectCode(2, ['up', ...elsewhere])).err, /the port is taken.*--auto-ports/);
  const { child, finished } = launch([
    'up',
    ...elsewhere,
    '--auto-ports',
    '--ready-file',
    join(home, 'other.json'),
  ]);
  await until('the other ready file', () => existsSync(join(home, 'other.json')));
  assert.notEqual(new URL(JSON.parse(readFileSync(join(home, 'other.json'), 'utf8')).api).host, host);
  child.kill('SIGTERM');
  assert.equal((await finished).code, 0);
});

test('doctor finds nothing wrong with it', async () => {
  const { ok, findings } = await runJson<{ ok: boolean; findings: unknown }>(['doctor', ...here]);
  assert.equal(ok, true, JSON.stringify(findings));
});

test('SIGTERM ends it with 0, and takes the ready files away', async () => {
  assert.equal(await stop('SIGTERM'), 0);
  assert.ok(!existsSync(readyFile) && !existsSync(join(state, 'server.json')));
  assert.match((await expectCode(2, ['tail', ...here])).err, /none is running.*portledger up/);
});

test('search and prove read a stopped installation directly, and leave a custody entry', async () => {
  const found = await searchJson(['user:alice']);
  assert.equal(found.length, 1);
  await expectCode(0, ['prove', String(found[0]!['ledger.index']), '-o', 'direct.proof', ...here]);
  await expectCode(0, ['check-proof', 'direct.proof', '--key', key]);
  const acts = await searchJson(['--ledger', 'custody', '--limit', '10000']);
  assert.ok(acts.some((act) => act['user.proof'] === 'kernel'));
});

test('keys rotate protects a stopped installation with a passphrase', async () => {
  writeFileSync(join(home, 'passphrase'), 'correct horse\n', { mode: 0o600 });
  writeFileSync(join(home, 'wrong'), 'battery staple\n', { mode: 0o600 });
  await expectCode(0, ['keys', 'rotate', '--new-passphrase-file', 'passphrase', ...here]);
  const up = ['up', ...here, '--listen', '127.0.0.1:0'];
  assert.match((await expectCode(2, up)).err, /--passphrase-file/);
  assert.match(
    (await expectCode(2, [...up, '--passphrase-file', 'wrong'])).err,
    /^portledger: Cannot open the root key/,
  );
});

test('a new start has every record, and still knows what was sent', async () => {
  server = await start('--passphrase-file', 'passphrase');
  const everything = await searchJson(['--limit', '10000']);
  assert.equal(new Set(everything.map((row) => row['ledger.index'])).size, everything.length);
  await runJson<Sent>(['send', '-', '--idempotency-key', 'day-1', ...here], lines(record('erik', '9001')));
  assert.equal((await searchJson(['--limit', '10000'])).length, everything.length);
});

test('kill -9 loses nothing that was acknowledged', async () => {
  const sent = await runJson<Sent>(
    ['send', '-', ...here],
    lines(record('joe', '9200'), record('kim', '9200')),
  );
  assert.equal(sent.accepted, 2);
  await stop('SIGKILL');
  assert.match((await expectCode(2, ['tail', ...here])).err, /none is running/);
  rmSync(readyFile, { force: true });
  server = await start('--passphrase-file', 'passphrase');
  assert.equal((await searchJson(['port:9200'])).length, 2);
  assert.equal((await runJson<Verified>(['verify', ...here])).verdict, 'ok');
});
