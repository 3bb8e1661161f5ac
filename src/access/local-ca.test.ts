import assert from 'node:assert/strict';
import { randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { openLocalTls } from './local-ca.ts';
import { MemoryDisk } from './testing/memory-disk.ts';

const DAY_MS = 86_400_000;

function installation() {
  const disk = new MemoryDisk();
  const clock = { ms: Date.now() };
  const open = (names: string[] = ['build-7.example.test', '192.0.2.7']) =>
    openLocalTls({ disk, directory: '/state/tls', names, now: () => clock.ms, random: randomBytes });
  return { disk, clock, open };
}

test('openLocalTls makes a chain that TLS clients accept under every name', async () => {
  const { open } = installation();
  const tls = await open();
  assert.deepEqual(tls.made, ['authority', 'server']);
  const server = createServer({ cert: tls.serverPem, key: tls.serverPem, minVersion: 'TLSv1.2' });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    for (const name of ['localhost', '127.0.0.1', '::1', 'build-7.example.test', '192.0.2.7']) {
      const socket: TLSSocket = connect({
        host: '127.0.0.1',
        port: (server.address() as AddressInfo).port,
        ca: tls.caPem,
        checkServerIdentity: (_, peer) =>
          new X509Certificate(peer.raw)[/[:.]\d+$|^::/.test(name) ? 'checkIP' : 'checkHost'](name) ===
          undefined
            ? new Error(name)
            : undefined,
      });
      await once(socket, 'secureConnect');
      assert.equal(socket.authorized, true, name);
      socket.destroy();
    }
  } finally {
    server.close();
  }
});

test('the certificates have the lives and uses they should', async () => {
  const { open } = installation();
  const tls = await open();
  const authority = new X509Certificate(tls.caPem);
  const server = new X509Certificate(tls.serverPem);
  const days = (certificate: X509Certificate) =>
    (certificate.validToDate.getTime() - certificate.validFromDate.getTime()) / DAY_MS;
  assert.equal(authority.ca, true);
  assert.equal(days(authority), 3652);
  assert.equal(server.ca, false);
  assert.ok(days(server) <= 397);
  assert.deepEqual(server.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  assert.equal(server.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  assert.ok(server.verify(authority.publicKey));
});

test('the authority stays and the server certificate is renewed in its last third', async () => {
  const { open, clock } = installation();
  const first = await open();
  clock.ms += 260 * DAY_MS;
  assert.deepEqual((await open()).made, []);
  clock.ms += 10 * DAY_MS;
  const renewed = await open();
  assert.deepEqual(renewed.made, ['server']);
  assert.equal(renewed.caPem, first.caPem);
  assert.ok(renewed.notAfter > first.notAfter);
});

test('a new listen address is certified, and "all addresses" is not', async () => {
  const { open } = installation();
  await open();
  assert.deepEqual((await open(['0.0.0.0', '::', 'not a name'])).made, []);
  assert.deepEqual((await open(['198.51.100.4'])).made, ['server']);
});

test('an authority that cannot cover a server certificate any more is replaced with its certificate', async () => {
  const { open, clock } = installation();
  const first = await open();
  clock.ms += 3300 * DAY_MS;
  const next = await open();
  assert.deepEqual(next.made, ['authority', 'server']);
  assert.notEqual(next.caPem, first.caPem);
  assert.ok(new X509Certificate(next.serverPem).verify(new X509Certificate(next.caPem).publicKey));
});

test('files that are damaged or do not belong together are made anew', async () => {
  for (const file of ['authority.pem', 'server.pem', 'ca.pem']) {
    const { open, disk } = installation();
    await open();
    disk.writeFile(`/state/tls/${file}`, Buffer.from('-----BEGIN CERTIFICATE-----\nAAAA'));
    const tls = await open();
    assert.ok(new X509Certificate(tls.serverPem).verify(new X509Certificate(tls.caPem).publicKey), file);
    assert.equal(Buffer.from(disk.readFile('/state/tls/ca.pem')!).toString(), tls.caPem);
  }
});

test('a crash at any replacement leaves files from which the next start makes a whole chain', async () => {
  for (const crashAt of ['authority.pem', 'server.pem', 'ca.pem']) {
    const { open, disk } = installation();
    disk.beforeReplace = (path) => {
      if (path.endsWith(crashAt)) throw new Error('power cut');
    };
    await assert.rejects(open(), /power cut/);
    disk.beforeReplace = () => {};
    const tls = await open();
    assert.ok(new X509Certificate(tls.serverPem).verify(new X509Certificate(tls.caPem).publicKey));
    assert.deepEqual((await open()).made, []);
  }
});
