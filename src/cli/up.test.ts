import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { StartInstallation, StartOptions } from './installation.ts';
import { listenOnFreePort } from './listen-port.ts';
import { fakeInvocation } from './testing/fake-invocation.ts';
import { up } from './up.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'portledger-up-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function fakeStart(events: string[] = []): { start: StartInstallation; started: StartOptions[] } {
  const started: StartOptions[] = [];
  const start: StartInstallation = async (options, invocation) => {
    started.push(options);
    invocation.disk.makeDirectory(options.directories.state);
    options.onLocked();
    return {
      api: 'https://127.0.0.1:8420',
      caFile: '/s/tls/ca.pem',
      tokenFile: '/s/admin.token',
      ledgers: [{ name: 'access', size: 12 }],
      notices: [],
      stop: async () => void events.push('stopped'),
    };
  };
  return { start, started };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

test('up writes the ready files when every door is open, removes them before the drain, and ends with 0', async () => {
  const events: string[] = [];
  const invocation = fakeInvocation({ workingDirectory: directory });
  const options = { data: 'd', state: 's', readyFile: 'ready.json' };
  const running = up(options, invocation, fakeStart(events).start);
  await settle();
  const ready = join(directory, 'ready.json');
  assert.equal(statSync(ready).mode & 0o777, 0o600);
  const written = readFileSync(ready, 'utf8');
  assert.equal(readFileSync(join(directory, 's/server.json'), 'utf8'), written);
  assert.deepEqual(JSON.parse(written), {
    api: 'https://127.0.0.1:8420',
    caFile: '/s/tls/ca.pem',
    tokenFile: '/s/admin.token',
    data: join(directory, 'd'),
    state: join(directory, 's'),
    pid: 4711,
    version: '0.0.0',
  });
  assert.deepEqual(events, []);
  invocation.interrupt();
  assert.equal(await running, 0);
  assert.deepEqual(events, ['stopped']);
  assert.equal(existsSync(ready) || existsSync(join(directory, 's/server.json')), false);
});

test('up prints three lines that can be copied', async () => {
  const invocation = fakeInvocation({ workingDirectory: directory });
  invocation.interrupt();
  await up({ data: 'my data' }, invocation, fakeStart().start).catch(() => undefined);
  const lines = invocation.printed.out.trimEnd().split('\n');
  assert.equal(lines.length, 3);
  assert.match(lines[0]!, /^Portledger is running at https:\/\/127\.0\.0\.1:8420; .*entries: access 12$/);
  assert.ok(lines[1]!.endsWith(`portledger send - --data '${join(directory, 'my data')}'`));
  const record = JSON.parse(/'(.*?)'/.exec(lines[1]!)![1]!);
  assert.equal(record.dest_port, '8443');
  assert.match(lines[2]!, /search port:8443 --data .* && portledger verify --data /);
});

test('up lets the command line win over the configuration', async () => {
  writeFileSync(join(directory, 'c.yaml'), 'data: from-file\nlisten: 127.0.0.1:1\nautoPorts: true\n');
  const { start, started } = fakeStart();
  const invocation = fakeInvocation({ workingDirectory: directory });
  invocation.interrupt();
  const options = { config: 'c.yaml', state: 's', listen: { host: '127.0.0.1', port: 2 }, json: true };
  assert.equal(await up(options, invocation, start), 0);
  assert.equal(started[0]!.directories.data, join(directory, 'from-file'));
  assert.deepEqual(started[0]!.listen, { host: '127.0.0.1', port: 2 });
  assert.equal(started[0]!.autoPorts, true);
  assert.equal(JSON.parse(invocation.printed.out).api, 'https://127.0.0.1:8420');
});

test('up leaves the ready file of another server alone when it does not get the lock', async () => {
  const ready = join(directory, 'ready.json');
  writeFileSync(ready, 'of the first');
  const refuse: StartInstallation = async () => {
    throw new Error('Cannot open data directory: another process is using it.');
  };
  const invocation = fakeInvocation({ workingDirectory: directory });
  await assert.rejects(up({ data: 'd', state: 's', readyFile: ready }, invocation, refuse));
  assert.equal(readFileSync(ready, 'utf8'), 'of the first');
});

test('up refuses to replace a device by the ready file', async () => {
  const invocation = fakeInvocation({ workingDirectory: directory });
  await assert.rejects(up({ readyFile: '/dev/stdout' }, invocation, fakeStart().start), /no regular file/);
});

test('listenOnFreePort takes the next free port only when asked to', async () => {
  const taken = Object.assign(new Error('taken'), { code: 'EADDRINUSE' });
  const listen = async (port: number): Promise<number> => {
    if (port < 8423) throw taken;
    return port;
  };
  const address = { host: '127.0.0.1', port: 8420 };
  assert.equal(await listenOnFreePort(address, true, listen), 8423);
  await assert.rejects(
    listenOnFreePort(address, false, listen),
    /127\.0\.0\.1:8420: the port is taken.*--auto-ports/,
  );
  const never = () => Promise.reject(taken);
  await assert.rejects(
    listenOnFreePort({ host: '::1', port: 65_530 }, true, never),
    /\[::1\]:65530.*None of the 6 ports/,
  );
});

test('up makes nothing where the port is taken', async () => {
  const other = createServer();
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  try {
    const { port } = other.address() as AddressInfo;
    const invocation = fakeInvocation({ workingDirectory: directory });
    const options = { data: 'd', state: 's', listen: { host: '127.0.0.1', port } };
    await assert.rejects(up(options, invocation), /the port is taken/);
    assert.deepEqual(readdirSync(directory), []);
  } finally {
    other.close();
  }
});
