// Commands against the real API with ledgers in memory: do both sides mean the same? What needs a ledger on a disk is in
// test/peers/contract.test.ts.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startTestServer, type TestServer } from '../server/testing/test-server.ts';
import { runCommandLine } from './command-line.ts';
import { type FakeInvocation, fakeInvocation } from './testing/fake-invocation.ts';

const home = mkdtempSync(join(tmpdir(), 'portledger-api-'));
let server: TestServer;

before(async () => {
  server = await startTestServer({ rotateKeys: async () => ({ root: 'new', rewrapped: 2 }) });
  writeFileSync(join(home, 'ca.pem'), String(server.agent.options.ca));
  for (const [role, token] of Object.entries(server.tokens)) writeFileSync(join(home, role), `${token}\n`);
});
after(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(home, { recursive: true });
});

function invocationAs(role: string, input = ''): FakeInvocation {
  return fakeInvocation({
    workingDirectory: home,
    environment: {
      HOME: home,
      PORTLEDGER_SERVER: server.server.url,
      PORTLEDGER_TOKEN_FILE: role,
      PORTLEDGER_CA_FILE: 'ca.pem',
    },
    now: Date.now,
    input: (async function* () {
      if (input !== '') yield Buffer.from(input);
    })(),
    randomBytes,
    // Nobody waits here.
    sleep: () => new Promise((resolve) => setImmediate(resolve)),
  });
}

async function run(role: string, words: readonly string[], input = '') {
  const invocation = invocationAs(role, input);
  const code = await runCommandLine(words, invocation);
  return { code, ...invocation.printed };
}

const record = (user: string) =>
  `${JSON.stringify({ timestamp: '2026-11-20T12:00:00Z', user, src_port: '50122', dest_port: '8443', action: 'login' })}\n`;

test('send, search: what was sent is found, and what is no record is named', async () => {
  writeFileSync(join(home, 'a.ndjson'), `${record('alice')}nonsense\n\n${record('bob')}`);
  const sent = await run('ingest', ['send', 'a.ndjson', '--json']);
  assert.equal(sent.code, 1, sent.err);
  const summary = JSON.parse(sent.out);
  assert.equal(summary.accepted, 2);
  assert.deepEqual([summary.quarantined.length, summary.quarantined[0].line], [1, 2]);
  const found = await run('auditor', ['search', 'user:alice']);
  assert.equal(found.code, 0, found.err);
  assert.match(found.out, /alice .*:50122 .*:8443 .*login +\d+\n$/);
});

test('send reads standard input', async () => {
  const sent = await run('ingest', ['send', '-'], `[${record('carol').trim()}, ${record('dora').trim()}]`);
  assert.equal(sent.code, 0, sent.err);
  assert.match(sent.out, /^2 records accepted \(access \d+–\d+\), 0 quarantined\n$/);
});

test('the same --idempotency-key with another input is refused', async () => {
  const words = ['send', '-', '--idempotency-key', 'k'];
  const first = await run('ingest', words, record('erik'));
  assert.deepEqual(await run('ingest', words, record('erik')), first);
  const other = await run('ingest', words, record('other'));
  assert.equal(other.code, 2);
  assert.match(other.err, /^portledger: Cannot send - from line 1 on: /);
});

test("roles and bad queries are refused with the server's words and exit code 2", async () => {
  for (const [role, words, message] of [
    ['ingest', ['search', 'port:1'], /your role is ingest/],
    ['viewer', ['token', 'list'], /your role is viewer/],
    ['auditor', ['search', 'port:'], /^portledger: Cannot parse query at column/],
    ['auditor', ['search', '--ledger', 'nowhere'], /expected one of access, custody/],
  ] as const) {
    const refused = await run(role, words);
    assert.equal(refused.code, 2);
    assert.match(refused.err, message);
    assert.equal(refused.out, '');
  }
});

test('tail shows what arrives after it has begun', async () => {
  const invocation = invocationAs('auditor');
  const tailing = runCommandLine(['tail', 'user:fay', '--json', '--from', '0'], invocation);
  assert.equal((await run('ingest', ['send', '-'], record('fay') + record('gus'))).code, 0);
  for (let looks = 0; looks < 2000 && !invocation.printed.out.includes('fay'); looks += 1) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  invocation.interrupt();
  assert.equal(await tailing, 0);
  assert.equal(invocation.printed.out.trimEnd().split('\n').length, 1);
});

test('prove writes a new file, and none where there is nothing to prove', async () => {
  const missing = await run('auditor', ['prove', '999999', '-o', 'none.proof']);
  assert.equal(missing.code, 2);
  assert.match(missing.err, /^portledger: Cannot read entry 999999/);
  assert.equal(existsSync(join(home, 'none.proof')), false);
  const proven = await run('auditor', ['prove', '0', '-o', 'a.proof']);
  assert.equal(proven.code, 0, proven.err);
  assert.ok(statSync(join(home, 'a.proof')).size > 0);
  assert.match((await run('auditor', ['prove', '0', '-o', 'a.proof'])).err, /the file is there already/);
});

test('token create puts the secret into a private file and nowhere else', async () => {
  const words = [
    'token',
    'create',
    '--name',
    'gateway',
    '--role',
    'ingest',
    '--expires',
    '90d',
    '-o',
    'gateway',
  ];
  const created = await run('admin', words);
  assert.equal(created.code, 0, created.err);
  const secret = readFileSync(join(home, 'gateway'), 'utf8').trim();
  assert.equal(statSync(join(home, 'gateway')).mode & 0o777, 0o600);
  assert.ok(!created.out.includes(secret));
  assert.equal((await run('gateway', ['send', '-'], record('hal'))).code, 0);

  const before = (await run('admin', ['token', 'list', '--json'])).out;
  assert.match((await run('admin', words)).err, /the file is there already/);
  assert.equal(
    (await run('admin', ['token', 'list', '--json'])).out,
    before,
    'no token without a place for it',
  );

  const { id } = JSON.parse(before).tokens.find((token: { name: string }) => token.name === 'gateway');
  assert.match((await run('admin', ['token', 'list'])).out, new RegExp(`${id} +gateway +ingest +until 20`));
  assert.equal((await run('admin', ['token', 'revoke', id])).code, 0);
  assert.match((await run('gateway', ['send', '-'], record('hal'))).err, /does not accept the token/);
  assert.match((await run('admin', ['token', 'list'])).out, new RegExp(`${id} +gateway +ingest +revoked 20`));
});

test('token create with a name that is taken leaves no file', async () => {
  const taken = await run('admin', ['token', 'create', '--name', 'the-viewer', '--role', 'admin', '-o', 'x']);
  assert.equal(taken.code, 2);
  assert.match(taken.err, /^portledger: Cannot create token "the-viewer"/);
  assert.equal(existsSync(join(home, 'x')), false);
});

test('keys rotate asks the server, and keeps passphrases away from it', async () => {
  const rotated = await run('admin', ['keys', 'rotate', '--json']);
  assert.deepEqual(JSON.parse(rotated.out), { root: 'new', rewrapped: 2 });
  writeFileSync(join(home, 'passphrase'), 'correct horse\n');
  const refused = await run('admin', ['keys', 'rotate', '--new-passphrase-file', 'passphrase']);
  assert.equal(refused.code, 2);
  assert.match(refused.err, /while the server runs/);
});

test('verify reports on an address without a token, and says what is missing', async () => {
  const report = await run('nobody', ['verify', server.server.url, '--ca', 'ca.pem', '--json']);
  assert.equal(report.code, 1, report.err);
  const { verdict, ledgers } = JSON.parse(report.out);
  assert.equal(verdict, 'problems');
  assert.deepEqual(
    ledgers.map(({ name }: { name: string }) => name),
    ['access', 'custody'],
  );
});
