// The lock is between processes, so the tests are: real child processes, one of them killed without warning.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { DirectoryLockedError, lockDirectory } from './directory-lock.ts';

const HOLDER_SCRIPT = `
  import { lockDirectory } from ${JSON.stringify(new URL('./directory-lock.ts', import.meta.url).href)};
  try {
    lockDirectory(process.argv[1], { pid: process.pid, command: 'portledger up', since: '2026-11-20T08:00:00Z' });
    globalThis.gc();
    console.log('held');
    setInterval(() => {}, 60_000);
  } catch (error) {
    console.log(error.name + ': ' + error.message);
  }
`;

interface Contender extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly said: string;
  end(signal: NodeJS.Signals): Promise<void>;
}

/** A process that tries to take the lock and keeps it, with the first line that it printed. */
async function contend(directory: string): Promise<Contender> {
  const child = spawn(
    process.execPath,
    ['--expose-gc', '--input-type=module', '-e', HOLDER_SCRIPT, directory],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const exited = once(child, 'exit');
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await exited;
  };
  const [said] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { process: child, said, end, [Symbol.asyncDispose]: () => end('SIGKILL') };
}

function temporaryDirectory(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'portledger-lock-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

const self = { pid: process.pid, command: 'node --test', since: '2026-11-20T09:00:00Z' };

test('lockDirectory names the process that holds the directory', async () => {
  using directory = temporaryDirectory();
  await using first = await contend(directory.path);
  assert.equal(first.said, 'held');
  await using second = await contend(directory.path);
  assert.equal(
    second.said,
    `DirectoryLockedError: Cannot open data directory "${directory.path}": process ${first.process.pid} ` +
      '(portledger up, since 2026-11-20T08:00:00Z) is using it, expected nobody. ' +
      'Stop it, or talk to it with --server, or choose another directory with --data.',
  );
});

test('lockDirectory is free again after the holder was killed without warning', async () => {
  using directory = temporaryDirectory();
  await using first = await contend(directory.path);
  assert.deepEqual(readdirSync(directory.path).sort(), ['lock', 'lock.json'], 'no journal while it is held');
  await first.end('SIGKILL');
  assert.deepEqual(readdirSync(directory.path).sort(), ['lock', 'lock.json'], 'no journal after the crash');
  await using second = await contend(directory.path);
  assert.equal(second.said, 'held');
  assert.equal(
    JSON.parse(readFileSync(join(directory.path, 'lock.json'), 'utf8')).pid,
    second.process.pid,
    'lock.json names the new holder',
  );
});

test('lockDirectory does not name a process that is no more', async () => {
  using directory = temporaryDirectory();
  await using first = await contend(directory.path);
  // Where a process was killed and the next holder has not yet come to writing its own name:
  const { pid: gone } = await new Promise<ChildProcess>((resolve) => {
    const child = spawn(process.execPath, ['-e', '']);
    child.on('exit', () => resolve(child));
  });
  const holder = { pid: gone, command: 'portledger up', since: '2026-11-19T08:00:00Z' };
  writeFileSync(join(directory.path, 'lock.json'), JSON.stringify(holder));
  await using second = await contend(directory.path);
  assert.match(second.said, /: another process is using it/);
  for (const damaged of ['', '{', 'null', '7', '{"pid":"1","command":2,"since":3}']) {
    writeFileSync(join(directory.path, 'lock.json'), damaged);
    assert.throws(
      () => lockDirectory(directory.path, self),
      (error) => error instanceof DirectoryLockedError && error.holder === undefined,
      `lock.json holds ${JSON.stringify(damaged)}`,
    );
  }
  assert.equal(first.said, 'held');
});

test('lockDirectory refuses the same process too, and a failed attempt does not free the lock', async () => {
  using directory = temporaryDirectory();
  using lock = lockDirectory(directory.path, self);
  for (let attempt = 0; attempt < 2; attempt++) {
    assert.throws(() => lockDirectory(directory.path, self), DirectoryLockedError);
  }
  await using other = await contend(directory.path);
  assert.match(
    other.said,
    new RegExp(`^DirectoryLockedError: .*process ${process.pid} \\(node --test, since`),
  );
  assert.equal(lock.directory, directory.path);
});

test('lockDirectory can be released, more than once, and taken again', () => {
  using directory = temporaryDirectory();
  const lock = lockDirectory(directory.path, self);
  lock.release();
  assert.deepEqual(readdirSync(directory.path), ['lock']);
  const next = lockDirectory(directory.path, self);
  lock.release();
  assert.throws(
    () => lockDirectory(directory.path, self),
    DirectoryLockedError,
    'the old handle frees nothing',
  );
  next.release();
});

test('lockDirectory starts over journals and words that an earlier version or a copy left behind', () => {
  using directory = temporaryDirectory();
  for (const journal of ['', 'x'.repeat(4096)]) {
    writeFileSync(join(directory.path, 'lock-journal'), journal);
    writeFileSync(join(directory.path, 'lock.json'), 'x');
    lockDirectory(directory.path, self).release();
  }
});

test('lockDirectory makes the directory and lets nobody else read its files', () => {
  using parent = temporaryDirectory();
  const path = join(parent.path, 'data');
  using lock = lockDirectory(path, self);
  assert.equal(statSync(lock.directory).mode & 0o777, 0o700);
  for (const name of readdirSync(path)) assert.equal(statSync(join(path, name)).mode & 0o777, 0o600, name);
});

test('lockDirectory says what is wrong with a lock file that is not its own', () => {
  using directory = temporaryDirectory();
  writeFileSync(join(directory.path, 'lock'), 'not a database'.repeat(100));
  assert.throws(() => lockDirectory(directory.path, self), {
    name: 'DiskError',
    message:
      /^Cannot lock data directory ".*": SQLite reports "file is not a database" for the file "lock" in it/,
  });
});
