// Goal: operators and other people's verifiers get what the specifications say. Method: real HTTPS requests.

import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import { test } from 'node:test';
import { connect } from 'node:tls';
import fc from 'fast-check';
import type { ServerContext } from './context.ts';
import { OPENAPI } from './openapi.ts';
import { canonicalTilePath } from './routes/public-log.ts';
import { createApp, createContext, type ServerOptions } from './server.ts';
import { eventually, recordLine, send, startTestServer, type TestServer } from './testing/test-server.ts';

test('tokens are created, listed without their text, used and revoked', async () => {
  await using server = await startTestServer();
  const create = (body: object) =>
    server.call('/api/v1/tokens', {
      method: 'POST',
      role: 'admin',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const created = await create({ name: 'gateway', role: 'ingest', expires: '2100-01-01T00:00:00Z' });
  assert.equal(created.status, 201);
  const { token, id, expires } = created.json() as Record<string, string>;
  assert.equal(expires, '2100-01-01T00:00:00.000Z');
  const use = () =>
    server.call('/api/v1/records', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson' },
      body: recordLine(),
    });
  assert.equal((await use()).status, 200);
  const listed = await server.call('/api/v1/tokens', { role: 'admin' });
  assert.ok(!listed.text.includes(token!.slice(15)));
  assert.equal((listed.json().tokens as { name: string }[]).at(-1)?.name, 'gateway');
  const revoked = await server.call(`/api/v1/tokens/${id}`, { method: 'DELETE', role: 'admin' });
  assert.equal(typeof revoked.json().revoked, 'string');
  assert.equal((await use()).status, 401, 'from the next request on');

  const adminId = server.tokens.admin.split('_')[1]!;
  const last = await server.call(`/api/v1/tokens/${adminId}`, { method: 'DELETE', role: 'admin' });
  assert.equal(last.status, 409);
  for (const [body, status] of [
    [{ name: 'x' }, 400],
    [{ name: 'x', role: 'root' }, 400],
    [{ name: 'x y', role: 'viewer' }, 400],
    [{ name: 'x', role: 'viewer', expires: '2000-01-01T00:00:00Z' }, 400],
    [{ name: 'x', role: 'viewer', expires: 'soon' }, 400],
    [{ name: 'x', role: 'viewer', scope: 'all' }, 400],
    [{ name: 'the-admin', role: 'viewer' }, 409],
    [['x'], 400],
  ] as const) {
    assert.equal((await create(body)).status, status, JSON.stringify(body));
  }
  const custody = JSON.stringify(server.custody.records());
  assert.ok(!custody.includes(token!.slice(15)), 'the custody ledger does not hold its text either');
  assert.equal(server.custodyOf('token-revoke')[0]?.['labels.token_id'], id);
});

test('the public log is served as C2SP tlog-tiles says', async () => {
  await using server = await startTestServer();
  const { disk, call } = server;
  const root = '/data/ledgers/access';
  disk.writeFile(`${root}/checkpoint`, Buffer.from('origin\n1\nroot\n'));
  disk.writeFile(`${root}/key.pub`, Buffer.from('origin+00000000+AAAA\n'));
  disk.writeFile(`${root}/tile/0/x001/x234/067`, Buffer.alloc(8192, 7));
  disk.writeFile(`${root}/tile/0/000.p/5`, Buffer.alloc(160));
  disk.writeFile(`${root}/tile/entries/000.p/5`, Buffer.from('entries'));
  const checkpoint = await call('/ledgers/access/checkpoint');
  assert.equal(checkpoint.text, 'origin\n1\nroot\n');
  assert.equal(checkpoint.headers['content-type'], 'text/plain; charset=utf-8');
  assert.equal(checkpoint.headers['cache-control'], 'no-cache');
  assert.equal((await call('/ledgers/access/key.pub')).text, 'origin+00000000+AAAA\n');
  const tile = await call('/ledgers/access/tile/0/x001/x234/067');
  assert.deepEqual(tile.body, Buffer.alloc(8192, 7));
  assert.equal(tile.headers['content-type'], 'application/octet-stream');
  assert.match(String(tile.headers['cache-control']), /immutable/);
  assert.equal((await call('/ledgers/access/tile/0/000.p/5')).status, 200);
  assert.equal((await call('/ledgers/access/tile/entries/000.p/5')).text, 'entries');
  for (const path of [
    'access/tile/0/001',
    'custody/checkpoint',
    'none/checkpoint',
    'access/tile/0/000.p/6',
  ]) {
    const missing = await call(`/ledgers/${path}`);
    assert.equal(missing.status, 404, path);
    assert.equal(missing.headers['cache-control'], 'no-store');
  }
});

test('no path but a tile reaches the disk', async () => {
  await using server = await startTestServer();
  const asked: string[] = [];
  server.disk.readFile = (path) => {
    asked.push(path);
    return Buffer.from('secret');
  };
  for (const path of [
    'access/tile/../../../state/admin.token',
    'access/tile/%2e%2e/%2e%2e/keys/root.json',
    'access/tile/..%2f..%2fkeys',
    'access/tile/0/..',
    'access/tile/0/000/../../../content/0000000001.seg',
    'access/tile/0/000%00',
    'access/tile/0/000%0a',
    'access/tile/0//000',
    'access/tile/00/000',
    'access/tile/64/000',
    'access/tile/0/x000/000',
    'access/tile/0/000.p/0',
    'access/tile/0/000.p/05',
    'access/tile/0/000.p/256',
    'access/tile/0/0000',
    'access/tile/entries',
    'access/tile/',
    'access/content/0000000001.seg',
    '../state/checkpoint',
    '%2e%2e/checkpoint',
    'access%2f..%2faccess/checkpoint',
    '__proto__/checkpoint',
    'access/checkpoint/..',
  ]) {
    const { status } = await server.call(`/ledgers/${path}`);
    assert.ok(status === 404 || status === 400, `${path}: ${status}`);
  }
  assert.deepEqual(asked, []);
});

test('canonicalTilePath accepts each tile in one spelling', () => {
  const level = fc.oneof(fc.constant('entries'), fc.nat(63).map(String));
  const width = fc.option(fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(level, fc.nat(2 ** 31 - 1), width, (l, index, w) => {
      const groups = String(index)
        .padStart(Math.ceil(String(index).length / 3) * 3, '0')
        .match(/.{3}/g)!;
      const number = groups.map((group, at) => (at === groups.length - 1 ? group : `x${group}`)).join('/');
      const path = `${l}/${number}${w === null ? '' : `.p/${w}`}`;
      assert.equal(canonicalTilePath(path), `tile/${path}`);
      assert.equal(canonicalTilePath(`${l}/x000/${number}`), undefined);
    }),
  );
});

test('health, readiness and status tell a stopped ledger', async () => {
  await using server = await startTestServer({ statusDetails: () => ({ listen: '127.0.0.1' }) });
  assert.deepEqual((await server.call('/readyz')).json(), { ready: true, reasons: [] });
  await send(server, recordLine());
  server.access.stopped = 'a failed fsync';
  const ready = await server.call('/readyz');
  assert.equal(ready.status, 503);
  assert.deepEqual(ready.json(), { ready: false, reasons: [{ ledger: 'access', reason: 'a failed fsync' }] });
  assert.equal((await server.call('/healthz')).status, 200);
  const status = (await server.call('/api/v1/status', { role: 'viewer' })).json();
  assert.equal(status.ready, false);
  assert.equal(status.listen, '127.0.0.1');
  assert.deepEqual(status.problems, [{ ledger: 'access', reason: 'a failed fsync' }]);
  const { ledgers } = (await server.call('/api/v1/ledgers', { role: 'viewer' })).json();
  assert.deepEqual(
    (ledgers as { name: string; size: number }[]).map(({ name, size }) => [name, size]),
    [
      ['access', 1],
      ['custody', 0],
    ],
  );
  const { sources } = (await server.call('/api/v1/sources', { role: 'viewer' })).json();
  assert.equal((sources as { observer: string; records: number }[])[0]?.observer, 'the-ingest');
});

test('publishing acts on one ledger or all, key rotation on the one root key', async () => {
  let rotations = 0;
  await using server = await startTestServer({ rotateKeys: async () => ({ rotations: ++rotations }) });
  await send(server, recordLine());
  const post = (path: string, body?: string) =>
    server.call(path, {
      method: 'POST',
      role: 'admin',
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body }),
    });
  assert.deepEqual((await post('/api/v1/publish', '{"ledger":"access"}')).json(), {
    published: { access: 1 },
  });
  const all = (await post('/api/v1/publish')).json().published as Record<string, number>;
  assert.deepEqual(Object.keys(all), ['access', 'custody']);
  assert.deepEqual((await post('/api/v1/keys/rotate')).json(), { rotated: { rotations: 1 } });
  for (const body of ['{"ledger":"none"}', '{"ledger":1}']) {
    assert.equal((await post('/api/v1/publish', body)).status, 404);
  }
  for (const body of ['[]', '{"x":1}', '{', '"access"']) {
    assert.equal((await post('/api/v1/publish', body)).status, 400, body);
  }
});

test('metrics count what came in and what was refused', async () => {
  await using server = await startTestServer();
  await send(server, `${recordLine()}garbage\n`);
  await send(server, '');
  await server.call('/api/v1/search');
  const { text } = await server.call('/metrics', { role: 'viewer' });
  for (const line of [
    'portledger_records_accepted_total 1',
    'portledger_items_quarantined_total 1',
    'portledger_requests_refused_total{reason="empty-body"} 1',
    'portledger_denials_total{status="401"} 1',
    'portledger_ledger_size{ledger="access"} 2',
    'portledger_ledger_lag{ledger="access"} 2',
    'portledger_intake_bytes_in_flight 0',
    'portledger_append_seconds_count 1',
  ]) {
    assert.ok(text.includes(`${line}\n`), line);
  }
  assert.match(text, /process_cpu_seconds_total/);
});

test('every answer has the strict headers, and the front page holds nothing of the installation', async () => {
  await using server = await startTestServer();
  for (const path of ['/', '/nothing', '/api/v1/search', '/healthz']) {
    const { headers } = await server.call(path);
    assert.match(String(headers['content-security-policy']), /^default-src 'none'/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['x-powered-by'] ?? headers.server, undefined);
  }
  const page = await server.call('/');
  assert.equal(page.headers['content-type'], 'text/html; charset=utf-8');
  assert.ok(!/<script|style=/.test(page.text));
});

test('TLS 1.2 and 1.3 are spoken, older versions and plaintext are not', async () => {
  await using server = await startTestServer();
  const { port } = server.server;
  const version = (maxVersion: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') =>
    new Promise<string>((resolve) => {
      const minVersion = maxVersion === 'TLSv1.1' ? 'TLSv1' : maxVersion;
      const ciphers = 'DEFAULT@SECLEVEL=0';
      const socket = connect({
        port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        minVersion,
        maxVersion,
        ciphers,
      });
      socket.once('secureConnect', () => {
        resolve(String(socket.getProtocol()));
        socket.destroy();
      });
      socket.once('error', () => resolve('refused'));
    });
  assert.equal(await version('TLSv1.3'), 'TLSv1.3');
  assert.equal(await version('TLSv1.2'), 'TLSv1.2');
  assert.equal(await version('TLSv1.1'), 'refused');
  await assert.rejects(fetch(`http://127.0.0.1:${port}/healthz`));
  const { text } = await server.call('/metrics', { role: 'viewer' });
  assert.match(text, /portledger_tls_failures_total [2-9]/);
});

test('slow and silent clients are not waited for', async () => {
  await using server = await startTestServer();
  const app = createApp(...appOptions(server));
  await app.ready();
  assert.equal(app.server.timeout, 60_000);
  assert.equal(app.server.requestTimeout, 120_000);
  assert.equal(app.server.headersTimeout, 15_000);
  await app.close();
});

test('drain finishes what is under way, ends tails, and takes nothing new', async () => {
  const server = await startTestServer();
  let release = () => {};
  const appending = new Promise<void>((arrived) => {
    server.access.beforeAppend = () => {
      arrived();
      return new Promise((resolve) => {
        release = resolve;
      });
    };
  });
  let tailBegun = () => {};
  const tailing = new Promise<void>((resolve) => {
    tailBegun = resolve;
  });
  const tail = server.call('/api/v1/tail', {
    role: 'auditor',
    onData: () => {
      tailBegun();
      return true;
    },
  });
  await tailing;
  const sending = send(server, recordLine());
  await appending;
  const drained = server.server.drain();
  await tail;
  const { port } = server.server;
  let outcome = '';
  while (outcome !== 'ECONNREFUSED') {
    // Nothing new is taken while the last request is still under way.
    outcome = await new Promise((resolve) => {
      const socket = connectTcp({ host: '127.0.0.1', port }, () => socket.destroy());
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
      socket.once('close', () => resolve('closed'));
    });
  }
  release();
  assert.equal((await sending).status, 200);
  await drained;
  assert.equal((await eventually(() => server.custodyOf('tail')[1]))['event.outcome'], 'success');
  assert.equal(server.server.drain(), server.server.drain(), 'draining twice is draining once');
  await server[Symbol.asyncDispose]();
});

test('openapi.json describes exactly the routes that exist, and the parameters in their paths', async () => {
  await using server = await startTestServer();
  const served = (await server.call('/api/openapi.json')).json();
  assert.deepEqual(served.paths, JSON.parse(JSON.stringify(OPENAPI.paths)));
  const documented = Object.entries(OPENAPI.paths).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, { parameters?: { in: string; name: string }[] }>).map(
      ([method, operation]) => {
        const named = (operation.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name);
        assert.deepEqual(path.match(/(?<=\{)[^}]+/g) ?? [], named, path);
        return `${method.toUpperCase()} ${path}`;
      },
    ),
  );
  assert.deepEqual(documented.sort(), (await registeredRoutes(server)).sort());
});

test('openapi.json says for each route whether it is open', async () => {
  await using server = await startTestServer();
  for (const [path, methods] of Object.entries(OPENAPI.paths)) {
    for (const [method, operation] of Object.entries(methods as Record<string, { security?: unknown[] }>)) {
      const concrete = path.replace('{path}', '0/000').replace(/\{[^}]+\}/g, '0');
      const { status } = await server.call(concrete, { method: method.toUpperCase() });
      assert.equal(status === 401, operation.security === undefined, `${method} ${path}: ${status}`);
    }
  }
});

function appOptions(server: TestServer): [ServerOptions, ServerContext] {
  const options = {
    ledgers: new Map([['access', server.access]]),
    defaultLedger: server.access,
    custodyLedger: server.custody,
    access: server.store,
    tls: {},
    now: Date.now,
  } as unknown as ServerOptions;
  return [options, createContext(options, new AbortController().signal)];
}

async function registeredRoutes(server: TestServer): Promise<string[]> {
  const routes: string[] = [];
  const app = createApp(...appOptions(server), ({ method, url }) => {
    const path = url.replace('/*', '/{path}').replace(/:([a-z]+)/g, '{$1}');
    routes.push(`${String(method)} ${path}`);
  });
  await app.ready();
  await app.close();
  return routes;
}

test('a method that an address does not have is refused with those that it has', async () => {
  await using server = await startTestServer();
  for (const [path, method, allow] of [
    ['/api/v1/search?q=x', 'DELETE', 'GET'],
    ['/api/v1/tokens', 'DELETE', 'GET, POST'],
    ['/api/v1/tokens/k3j5', 'GET', 'DELETE'],
    ['/ledgers/access/tile/0/000', 'DELETE', 'GET'],
  ] as const) {
    const { status, headers } = await server.call(path, { method, role: 'admin' });
    assert.deepEqual([status, headers.allow], [405, allow], path);
  }
  assert.equal((await server.call('/api/v1/nothing', { method: 'DELETE', role: 'admin' })).status, 404);
});
