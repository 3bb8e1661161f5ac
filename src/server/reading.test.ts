// Goal: everybody reads what they may and nothing else, and no reading is without its custody entries. Method: real HTTPS
// requests against ledgers in memory.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Role } from '../access/principals.ts';
import { eventually, recordLine, send, startTestServer, type TestServer } from './testing/test-server.ts';

async function withRecords(count: number): Promise<TestServer> {
  const server = await startTestServer();
  const lines = Array.from({ length: count }, (_, at) =>
    recordLine({
      'user.name': `user-${at % 3}`,
      'destination.port': 8000 + at,
      'event.original': `user-${at % 3} in`,
    }),
  );
  await send(server, lines.join(''));
  return server;
}

const indexes = (lines: Record<string, unknown>[]) => lines.map((line) => line['ledger.index']);
const errorOf = (answer: { json(): Record<string, unknown> }) =>
  (answer.json() as { error: { code: string; message: string } }).error;

test('each role may do what it is for and nothing else', async () => {
  await using server = await withRecords(1);
  await send(server, 'garbage\n');
  const may: Record<string, readonly (Role | 'nobody')[]> = {
    'GET /api/v1/search?q=*': ['admin', 'auditor', 'viewer'],
    'GET /api/v1/search?ledger=custody': ['admin', 'auditor'],
    'GET /api/v1/tail?ledger=custody': ['admin', 'auditor'],
    'GET /api/v1/records/access/0': ['admin', 'auditor', 'viewer'],
    'GET /api/v1/records/custody/0': ['admin', 'auditor'],
    'GET /api/v1/prove/access/0': ['admin', 'auditor'],
    'GET /api/v1/prove/access/1': ['admin'],
    'GET /api/v1/quarantine': ['admin'],
    'GET /api/v1/ledgers': ['admin', 'auditor', 'viewer'],
    'GET /api/v1/sources': ['admin', 'auditor', 'viewer'],
    'GET /api/v1/status': ['admin', 'auditor', 'viewer'],
    'GET /metrics': ['admin', 'auditor', 'viewer'],
    'GET /api/v1/tokens': ['admin'],
    'POST /api/v1/tokens': ['admin'],
    'DELETE /api/v1/tokens/none': ['admin'],
    'POST /api/v1/publish': ['admin'],
    'POST /api/v1/keys/rotate': ['admin'],
    'POST /api/v1/records': ['admin', 'ingest'],
    'GET /healthz': ['admin', 'auditor', 'viewer', 'ingest', 'nobody'],
    'GET /readyz': ['admin', 'auditor', 'viewer', 'ingest', 'nobody'],
    'GET /api/openapi.json': ['admin', 'auditor', 'viewer', 'ingest', 'nobody'],
    'GET /': ['admin', 'auditor', 'viewer', 'ingest', 'nobody'],
  };
  for (const [what, allowed] of Object.entries(may)) {
    const [method, path] = what.split(' ') as [string, string];
    for (const role of ['admin', 'auditor', 'viewer', 'ingest', 'nobody'] as const) {
      const answer = await server.call(path, {
        method,
        ...(role === 'nobody' ? {} : { role }),
        // A tail has no end of its own.
        ...(path.includes('tail') ? { onData: () => false } : {}),
      });
      const refused = role === 'nobody' ? 401 : 403;
      const status = answer.status === 404 && path.includes('prove') ? 403 : answer.status;
      if (allowed.includes(role)) assert.ok(status !== 401 && status !== 403, `${role} ${what}: ${status}`);
      else assert.equal(status, refused, `${role} ${what}`);
    }
  }
});

test('a token is accepted as Bearer, Basic password and ApiKey, and its errors never repeat it', async () => {
  await using server = await startTestServer();
  const { auditor } = server.tokens;
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const wrong = `${auditor.slice(0, -1)}${auditor.endsWith('A') ? 'B' : 'A'}`;
  for (const [authorization, status] of [
    [`Bearer ${auditor}`, 200],
    [`bearer ${auditor}`, 200],
    [`Basic ${base64(`anybody:${auditor}`)}`, 200],
    [`ApiKey ${auditor}`, 200],
    [`ApiKey ${base64(`id:${auditor}`)}`, 200],
    [`Bearer ${wrong}`, 401],
    [`Basic ${base64(auditor)}`, 401],
    [`Splunk ${auditor}`, 401],
    [auditor, 401],
    ['Bearer', 401],
    [`Bearer ${'x'.repeat(5000)}`, 401],
  ] as const) {
    const answer = await server.call('/api/v1/ledgers', { headers: { authorization } });
    assert.equal(answer.status, status, authorization.slice(0, 20));
    assert.ok(!answer.text.includes('plt_'));
    if (status === 401) assert.equal(answer.headers['www-authenticate'], 'Bearer realm="portledger"');
  }
  assert.ok(!server.log.join('').includes(auditor.slice(15)));
});

test('search is newest first, limited, and continues below its cursor', async () => {
  await using server = await withRecords(40);
  const search = (query: string) => server.call(`/api/v1/search?${query}`, { role: 'auditor' });
  const first = await search('limit=3');
  assert.deepEqual(indexes(first.lines), [39, 38, 37]);
  assert.equal(first.lines[0]?.['ledger.name'], 'access');
  assert.equal(first.headers['content-type'], 'application/x-ndjson; charset=utf-8');
  assert.equal(first.trailers['portledger-cursor'], '37');
  const rest = await search('limit=100&cursor=37');
  assert.deepEqual(
    indexes(rest.lines),
    Array.from({ length: 37 }, (_, at) => 36 - at),
  );
  assert.equal(rest.trailers['portledger-cursor'], '');
  const filtered = await search(`q=${encodeURIComponent('user:user-1 port>=8030')}`);
  assert.deepEqual(indexes(filtered.lines), [37, 34, 31]);
  for (const line of filtered.lines) assert.equal(line['user.name'], 'user-1');
  assert.equal((await search('q=nothing')).text, '');
});

test('malformed questions are refused before anything is recorded or read', async () => {
  await using server = await withRecords(1);
  for (const [path, status, code] of [
    ['search?q=usr:x', 400, 'invalid-query'],
    [`search?q=${'a+'.repeat(2100)}`, 400, 'invalid-query'],
    [`search?q=${'a+'.repeat(800)}`, 400, 'invalid-query'],
    ['search?limit=0', 400, 'invalid-parameter'],
    ['search?limit=10001', 400, 'invalid-parameter'],
    ['search?limit=1&limit=2', 400, 'invalid-parameter'],
    ['search?cursor=-1', 400, 'invalid-parameter'],
    ['search?ledgr=custody', 400, 'invalid-parameter'],
    ['search?ledger=__proto__', 404, 'no-such-ledger'],
    ['search?ledger=..%2f..', 404, 'no-such-ledger'],
    ['tail?from=x', 400, 'invalid-parameter'],
    ['records/access/-1', 400, 'invalid-parameter'],
    ['records/access/1e3', 400, 'invalid-parameter'],
    ['records/access/99', 404, 'not-found'],
    ['records/none/0', 404, 'no-such-ledger'],
    ['prove/access/99', 404, 'not-found'],
    ['nothing', 404, 'not-found'],
    ['%zz', 400, 'bad-url'],
  ] as const) {
    const answer = await server.call(`/api/v1/${path}`, { role: 'auditor' });
    assert.equal(answer.status, status, path);
    assert.equal(errorOf(answer).code, code, path);
    assert.match(errorOf(answer).message, /^Cannot /);
  }
  assert.equal(server.custodyOf('search').length, 0);
});

test('a viewer sees tokens for personal values, can search them exactly, and cannot narrow them down', async () => {
  await using server = await withRecords(6);
  const search = (q: string, role: Role = 'viewer') =>
    server.call(`/api/v1/search?q=${encodeURIComponent(q)}`, { role });
  const seen = await search('user:user-1');
  assert.deepEqual(indexes(seen.lines), [4, 1]);
  const token = String(seen.lines[0]?.['user.name']);
  assert.match(token, /^\[user\.name:[0-9a-f]{16}\]$/);
  assert.equal(seen.lines[1]?.['user.name'], token, 'the same value has the same token');
  assert.ok(!seen.text.includes('user-1'), 'not in the original line either');
  assert.notEqual((await search('user:user-2')).lines[0]?.['user.name'], token);
  for (const q of ['user:user-*', 'user:*1', '-user:u*', 'original:*user*']) {
    assert.equal(errorOf(await search(q)).code, 'pattern-on-masked-field', q);
  }
  assert.equal((await search('user-1')).text, '', 'bare words do not look into masked fields');
  assert.equal((await search('user-1', 'auditor')).lines.length, 2);
  const view = await server.call('/api/v1/records/access/1', { role: 'viewer' });
  assert.equal((view.json().record as Record<string, unknown>)['user.name'], token);
});

test('the begin entry is durable before the first byte, and the answer ends after its end entry', async () => {
  await using server = await withRecords(3);
  let release = () => {};
  let begun = () => {};
  const waiting = new Promise<void>((resolve) => {
    begun = resolve;
  });
  server.custody.beforeAppend = () => {
    begun();
    return new Promise((resolve) => {
      release = resolve;
    });
  };
  let bytes = 0;
  const answer = server.call('/api/v1/search?q=port:8001', {
    role: 'auditor',
    onData: (chunk) => {
      bytes += chunk.length;
      return true;
    },
  });
  await waiting;
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(bytes, 0, 'nothing is sent while the begin entry is not durable');
  server.custody.beforeAppend = () => {};
  release();
  const { body, lines } = await answer;
  assert.equal(lines.length, 1);

  const [begin, end] = server.custodyOf('search');
  assert.equal(begin?.['record.kind'], 'custody');
  assert.equal(begin?.['user.name'], 'the-auditor');
  assert.equal(begin?.['labels.query'], 'port:8001');
  assert.equal(begin?.['source.ip'], '127.0.0.1');
  assert.equal(begin?.['labels.phase'], 'begin');
  assert.equal(end?.['labels.begin'], '0');
  assert.equal(end?.['event.outcome'], 'success');
  assert.equal(end?.['labels.rows'], '1');
  assert.equal(end?.['labels.digest'], createHash('sha256').update(body).digest('hex'));
});

test('every reading makes exactly one pair', async () => {
  await using server = await withRecords(1);
  await send(server, 'garbage\n');
  for (const [path, action, method] of [
    ['/api/v1/search', 'search', 'GET'],
    ['/api/v1/records/access/0', 'view', 'GET'],
    ['/api/v1/prove/access/0', 'prove', 'GET'],
    ['/api/v1/quarantine', 'quarantine', 'GET'],
    ['/api/v1/tokens', 'token-list', 'GET'],
    ['/api/v1/publish', 'publish', 'POST'],
    ['/api/v1/keys/rotate', 'keys-rotate', 'POST'],
  ] as const) {
    const answer = await server.call(path, { method, role: 'admin' });
    assert.equal(answer.status, 200, path);
    const [begin, end, ...more] = server.custodyOf(action);
    assert.equal(begin?.['labels.phase'], 'begin', action);
    assert.equal(end?.['labels.phase'], 'end', action);
    assert.equal(end?.['labels.digest'], createHash('sha256').update(answer.body).digest('hex'));
    assert.deepEqual(more, []);
  }
});

test('queries are recorded with the values of masked fields as tokens', async () => {
  await using server = await withRecords(3);
  const seen = await server.call('/api/v1/search?q=user:user-1', { role: 'viewer' });
  await server.call('/api/v1/search?q=user:user-1+port:1', { role: 'admin' });
  const queries = server.custodyOf('search').map((record) => record['labels.query']);
  assert.equal(queries[0], `user:${seen.lines[0]?.['user.name']}`);
  assert.equal(queries[2], `user:${seen.lines[0]?.['user.name']} port:1`);
  assert.ok(!JSON.stringify(server.custody.records()).includes('user-1'));
  assert.ok(!server.log.join('').includes('user-1'), 'not in the server log either');
});

test('what cannot be recorded is not read', async () => {
  await using server = await withRecords(1);
  await send(server, 'garbage\n');
  server.custody.stopped = 'a failed fsync';
  for (const path of ['search', 'tail', 'records/access/0', 'prove/access/0', 'quarantine', 'tokens']) {
    const answer = await server.call(`/api/v1/${path}`, { role: 'admin' });
    assert.equal(answer.status, 503, path);
    assert.equal(errorOf(answer).code, 'custody-unavailable');
    assert.ok(!answer.text.includes('alice'));
  }
  const created = await server.call('/api/v1/tokens', {
    method: 'POST',
    role: 'admin',
    headers: { 'content-type': 'application/json' },
    body: '{"name":"x","role":"admin"}',
  });
  assert.equal(created.status, 503);
  assert.equal(
    server.store.list().some((row) => row.name === 'x'),
    false,
    'nothing is changed either',
  );
});

test('an answer whose end cannot be recorded is cut off', async () => {
  await using server = await withRecords(1);
  server.custody.beforeAppend = () => {
    server.custody.beforeAppend = () => {
      throw new Error('disk gone');
    };
  };
  const search = server.call('/api/v1/search', { role: 'auditor' }).then(
    (answer) => (answer.trailers['portledger-cursor'] === undefined ? 'cut off' : 'complete'),
    () => 'cut off',
  );
  assert.equal(await search, 'cut off');
});

test('tail shows what becomes durable, once, with heartbeats, until the reader leaves', async () => {
  await using server = await startTestServer({ heartbeatMs: 30 });
  await send(server, recordLine({ 'destination.port': 1 }));
  let text = '';
  let beats = 0;
  const answer = server.call('/api/v1/tail?q=port>1', {
    role: 'auditor',
    onData: (chunk) => {
      if (chunk.toString() === '\n') beats++;
      if (beats === 2 && text === '') {
        text = 'sent';
        void send(server, [1, 2, 3].map((port) => recordLine({ 'destination.port': port })).join(''));
      }
      return !chunk.toString().includes('"destination.port":3');
    },
  });
  const { lines } = await answer;
  assert.deepEqual(indexes(lines), [2, 3]);
  const end = await eventually(() => server.custodyOf('tail')[1]);
  assert.equal(end['event.outcome'], 'success');
  assert.equal(end['labels.rows'], '2');
});

test('tail from an index begins with what is there', async () => {
  await using server = await withRecords(5);
  let seen = 0;
  const { lines } = await server.call('/api/v1/tail?from=2', {
    role: 'auditor',
    onData: (chunk) => {
      seen += chunk.toString().split('ledger.index').length - 1;
      return seen < 3;
    },
  });
  assert.deepEqual(indexes(lines), [2, 3, 4]);
});

test('reading custody writes one pair and does not feed itself', async () => {
  await using server = await startTestServer({ heartbeatMs: 20 });
  const first = await server.call('/api/v1/search?ledger=custody', { role: 'auditor' });
  assert.equal(first.text, '');
  const second = await server.call('/api/v1/search?ledger=custody', { role: 'auditor' });
  assert.deepEqual(indexes(second.lines), [1, 0]);
  assert.equal(server.custody.entries.length, 4);
  let beats = 0;
  const tail = await server.call('/api/v1/tail?ledger=custody&from=0', {
    role: 'auditor',
    onData: (chunk) => {
      if (chunk.toString() === '\n') beats++;
      return beats < 5;
    },
  });
  assert.deepEqual(indexes(tail.lines), [0, 1, 2, 3], 'its own begin entry is left out');
  await eventually(() => server.custodyOf('tail')[1]);
  assert.equal(server.custody.entries.length, 6);
});

test('a search that its reader leaves is recorded as incomplete', async () => {
  await using server = await startTestServer();
  const big = recordLine({ 'user_agent.original': 'x'.repeat(30_000) });
  for (let times = 0; times < 4; times++) await send(server, big.repeat(500));
  await server.call('/api/v1/search?limit=10000', { role: 'auditor', onData: () => false });
  const end = await eventually(() => server.custodyOf('search')[1]);
  assert.equal(end['event.outcome'], 'failure');
  assert.match(String(end['event.reason']), /went away/);
  assert.ok(Number(end['labels.rows']) < 2000, 'the rest is not read for nobody');
});

test('a search that its reader leaves while nothing is found is recorded as incomplete too', async () => {
  await using server = await withRecords(1);
  const { access } = server;
  const scan = access.scan.bind(access);
  access.scan = async function* (options) {
    yield* scan(options);
    await new Promise((resolve) => options?.signal?.addEventListener('abort', resolve));
  };
  await server.call('/api/v1/search', { role: 'auditor', onData: () => false });
  const end = await eventually(() => server.custodyOf('search')[1]);
  assert.equal(end['event.outcome'], 'failure');
});

test('denials become one custody record per principal or address', async () => {
  const server = await startTestServer();
  for (let times = 0; times < 30; times++) {
    await server.call('/api/v1/tokens', { role: 'viewer' });
    await server.call('/api/v1/search');
  }
  await server.call('/api/v1/search?ledger=custody', { role: 'viewer' });
  assert.equal(server.custodyOf('denied').length, 0, 'not one by one');
  await server[Symbol.asyncDispose]();
  const denied = server.custodyOf('denied');
  assert.deepEqual(
    denied.map((record) => [record['user.name'], record['source.ip'], record['labels.count']]),
    [
      ['the-viewer', '127.0.0.1', '31'],
      [undefined, '127.0.0.1', '30'],
    ],
  );
  assert.equal(denied[0]?.['labels.routes'], 'GET /api/v1/tokens GET /api/v1/search');
});

test('quarantine shows items as they were received, newest first', async () => {
  await using server = await startTestServer();
  await send(server, `${recordLine()}first\n`);
  const binary = Buffer.concat([Buffer.from('{"\xff', 'latin1'), Buffer.from('\n')]);
  await server.call('/api/v1/records', {
    method: 'POST',
    role: 'ingest',
    headers: { 'content-type': 'application/x-ndjson' },
    body: binary,
  });
  const { items, cursor } = (await server.call('/api/v1/quarantine', { role: 'admin' })).json() as {
    items: Record<string, unknown>[];
    cursor?: number;
  };
  assert.deepEqual(
    items.map(({ index, position, encoding, content }) => [index, position, encoding, content]),
    [
      [2, 0, 'base64', Buffer.from('{"\xff', 'latin1').toString('base64')],
      [1, 1, 'utf-8', 'first'],
    ],
  );
  assert.equal(cursor, undefined);
  const one = (await server.call('/api/v1/quarantine?limit=1', { role: 'admin' })).json();
  assert.equal(one.cursor, 2);
  const next = (await server.call('/api/v1/quarantine?cursor=2', { role: 'admin' })).json();
  assert.equal((next.items as unknown[]).length, 1);
  const seen = await server.call('/api/v1/records/access/1', { role: 'auditor' });
  assert.ok(!seen.text.includes('first'), 'others see that it exists, not what it is');
  assert.equal((seen.json().item as Record<string, unknown>).position, 1);
});
