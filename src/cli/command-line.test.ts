// Goal: what scripts rely on, over the real bin/portledger: exit codes, help, hints, quiet pipes. One process for each
// question, so only what cannot be asked inside one.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { COMMANDS, runCommandLine } from './command-line.ts';
import { fakeInvocation } from './testing/fake-invocation.ts';

const PROGRAM = join(import.meta.dirname, '../../bin/portledger');
const home = mkdtempSync(join(tmpdir(), 'portledger-cli-'));
after(() => rmSync(home, { recursive: true, force: true }));

function run(...words: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(PROGRAM, words, {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: home },
  });
  return { code: status, out: stdout, err: stderr };
}

async function runHere(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const invocation = fakeInvocation({ environment: { HOME: home } });
  const code = await runCommandLine(words, invocation);
  return { code, ...invocation.printed };
}

test('every command explains itself with an example and takes --json', async () => {
  for (const name of Object.keys(COMMANDS)) {
    const { code, out } = await runHere(name, '--help');
    assert.equal(code, 0, name);
    assert.match(out, /\nExamples:\n {2}\$ portledger /, name);
    assert.ok(out.split('\n')[2]!.length > 20, `${name} has a description`);
    if (name !== 'token' && name !== 'keys') assert.match(out, /--json/, name);
  }
  for (const words of [
    ['token', 'create'],
    ['token', 'list'],
    ['token', 'revoke'],
    ['keys', 'rotate'],
  ]) {
    const { code, out } = await runHere(...words, '--help');
    assert.equal(code, 0);
    assert.match(out, /--json[\s\S]*Examples:/);
  }
});

test('no option takes a secret', async () => {
  for (const name of Object.keys(COMMANDS)) {
    const { out } = await runHere(name, '--help');
    assert.doesNotMatch(out, /--(token|passphrase|password|secret)[ =]/, name);
  }
});

test('unknown commands and options end with 2 and a hint', () => {
  const command = run('serch');
  assert.equal(command.code, 2);
  assert.match(command.err, /^portledger: Cannot run: unknown command 'serch'\n\(Did you mean search\?\)/);
  const option = run('search', '--limt', '3');
  assert.equal(option.code, 2);
  assert.match(option.err, /unknown option '--limt'\n\(Did you mean --limit\?\)/);
  assert.equal(option.out, '');
});

test('nothing, or nonsense where a number belongs, is wrong usage', async () => {
  assert.equal((await runHere()).code, 2);
  assert.equal((await runHere('token')).code, 2);
  assert.equal((await runHere('search', '--limit', '0')).code, 2);
  assert.equal((await runHere('prove', '-1', '-o', 'x')).code, 2);
  assert.equal((await runHere('prove', '1')).code, 2);
  assert.equal((await runHere('up', '--listen', '8420')).code, 2);
  assert.equal((await runHere('token', 'create', '--name', 'a', '--role', 'root', '-o', 'x')).code, 2);
});

test('a server that is not running is an operating error that says what to do', () => {
  const { code, err } = run('search', 'port:1');
  assert.equal(code, 2);
  assert.match(err, /^portledger: Cannot find a server: none is running on .*'[^ ]*bin\/portledger up'/);
});

test('--server asks for a token file and for https', async () => {
  assert.match(
    (await runHere('tail', '--server', 'https://localhost:1')).err,
    /Cannot talk to .*--token-file/,
  );
  assert.match(
    (await runHere('tail', '--server', 'http://localhost:1', '--token-file', '/dev/null')).err,
    /expected https:/,
  );
  assert.match(
    (await runHere('tail', '--server', 'https://h', '--data', '/d')).err,
    /both --server and --data/,
  );
});

test('a reader that goes away is no error', async () => {
  const child = spawn(PROGRAM, ['--help'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HOME: home },
  });
  child.stdout.destroy();
  let err = '';
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const [code] = await new Promise<[number | null]>((resolve) =>
    child.on('close', (status) => resolve([status])),
  );
  assert.equal(code, 0);
  assert.equal(err, '');
});

test('help of a command that does not exist is wrong usage', async () => {
  const { code, err } = await runHere('help', 'nope');
  assert.equal(code, 2);
  assert.match(err, /^portledger: Cannot explain "nope": there is no such command, expected one of up, send/);
  assert.equal((await runHere('help', 'send')).code, 0);
});

test('doctor does not call a directory fine that holds no installation', async () => {
  const nowhere = await runHere('doctor', '--data', join(home, 'nowhere'));
  assert.deepEqual([nowhere.code, nowhere.out], [2, '']);
  assert.match(nowhere.err, /^portledger: Cannot examine .*nowhere: there is no/);
  assert.match((await runHere('doctor', '--data', home)).err, /there is no installation/);
  assert.match((await runHere('doctor', '--yes')).err, /--yes or --reason without --adopt/);
});

test('verify has no verdict on a directory that is none of ours', async () => {
  const { code, out, err } = await runHere('verify', home);
  assert.deepEqual([code, out], [2, '']);
  assert.match(err, /^portledger: Cannot verify .*: this is no data directory/);
});
