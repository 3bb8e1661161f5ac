// Goal: records come in durable or not at all, and no body costs more than it may. Method: real HTTPS requests.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { LedgerError } from '../ledger/ledger.ts';
import { BODY_BYTES_MAX } from './request-body.ts';
import { type Call, eventually, recordLine, send, startTestServer } from './testing/test-server.ts';

const post = (body: Buffer | string, headers: Record<string, string> = {}): Call => ({
  method: 'POST',
  role: 'ingest',
  headers: { 'content-type': 'application/x-ndjson', ...headers },
  body,
});

function errorCode(answer: { json(): Record<string, unknown> }): string {
  const { error } = answer.json() as { error: { code: string; message: string } };
  assert.match(error.message, /^Cannot .*\.$/s);
  return error.code;
}

test('records are durable when answered, in every accepted form', async () => {
  await using server = await startTestServer();
  const { call, access } = server;
  let isDurable = false;
  access.beforeAppend = async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    isDurable = true;
  };
  const first = await call('/api/v1/records', post(recordLine() + recordLine({ 'user.name': 'bob' })));
  assert.equal(isDurable, true);
  assert.equal(first.status, 200);
  assert.deepEqual(first.json(), { ranges: [{ ledger: 'access', first: 0, count: 2 }], quarantined: [] });

  access.beforeAppend = () => {};
  const template = {
    timestamp: '2026-11-20T11:00:00Z',
    user: 'eve',
    src_port: '4000',
    dest_port: 8443,
    action: 'login',
  };
  for (const [type, body] of [
    ['application/json', JSON.stringify(template)],
    ['application/json; charset=utf-8', JSON.stringify([template, template])],
    ['application/jsonl', recordLine()],
    ['text/plain', recordLine()],
  ] as const) {
    const answer = await call('/api/v1/records', post(body, { 'content-type': type }));
    assert.equal(answer.status, 200, type);
  }
  const packed = await call('/api/v1/records', post(gzipSync(recordLine()), { 'content-encoding': 'gzip' }));
  assert.deepEqual(packed.json().ranges, [{ ledger: 'access', first: 7, count: 1 }]);
  assert.equal(access.records()[2]?.['destination.port'], 8443);
  assert.equal(access.records()[0]?.['observer.name'], 'the-ingest');
  const empty = await call('/api/v1/records', post('[]', { 'content-type': 'application/json' }));
  assert.deepEqual(empty.json(), { ranges: [], quarantined: [] });
});

test('a chunked body without a length is accepted', async () => {
  await using server = await startTestServer();
  const { access, call } = server;
  const body = recordLine();
  const answer = await call('/api/v1/records', post(body, { 'transfer-encoding': 'chunked' }));
  assert.equal(answer.status, 200);
  assert.equal(access.entries.length, 1);
});

test('an idempotency key makes a retry a replay and another body an error', async () => {
  await using server = await startTestServer();
  const key = { 'idempotency-key': 'batch-1' };
  const first = await server.call('/api/v1/records', post(recordLine(), key));
  const again = await server.call('/api/v1/records', post(recordLine(), key));
  const packed = await server.call(
    '/api/v1/records',
    post(gzipSync(recordLine()), { ...key, 'content-encoding': 'gzip' }),
  );
  assert.equal(first.headers['portledger-replayed'], undefined);
  for (const replay of [again, packed]) {
    assert.equal(replay.headers['portledger-replayed'], 'true');
    assert.deepEqual(replay.json(), first.json());
  }
  const other = await server.call('/api/v1/records', post(recordLine({ 'user.name': 'x' }), key));
  assert.equal(other.status, 422);
  assert.equal(errorCode(other), 'key-reused');
  assert.equal(server.access.entries.length, 1);
  for (const bad of ['a b', 'x'.repeat(257), 'é']) {
    const answer = await server.call('/api/v1/records', post(recordLine(), { 'idempotency-key': bad }));
    assert.equal(errorCode(answer), 'invalid-idempotency-key');
  }
});

test('unusable requests are refused with a reason and nothing is kept', async () => {
  await using server = await startTestServer();
  const half = gzipSync(recordLine()).subarray(0, 20);
  for (const [status, code, call] of [
    [400, 'empty-body', post('')],
    [400, 'empty-body', post(gzipSync(''), { 'content-encoding': 'gzip' })],
    [415, 'unsupported-content-type', post(recordLine(), { 'content-type': 'application/xml' })],
    [415, 'unsupported-content-type', post(recordLine(), { 'content-type': 'text/plain; charset=utf-16' })],
    [415, 'unsupported-content-encoding', post(recordLine(), { 'content-encoding': 'br' })],
    [400, 'bad-gzip', post(recordLine(), { 'content-encoding': 'gzip' })],
    [400, 'bad-gzip', post(half, { 'content-encoding': 'gzip' })],
  ] as const) {
    const answer = await server.call('/api/v1/records', call);
    assert.equal(answer.status, status, code);
    assert.equal(errorCode(answer), code);
  }
  const untyped = await server.call('/api/v1/records', {
    method: 'POST',
    role: 'ingest',
    body: recordLine(),
  });
  assert.equal(untyped.status, 415);
  const misspelt = await server.call('/api/v1/records?ledgr=x', post(recordLine()));
  assert.equal(misspelt.status, 400);
  assert.equal(server.access.entries.length, 0);
});

test('items that are no records are quarantined with position and reason', async () => {
  await using server = await startTestServer();
  const answer = await send(server, `${recordLine()}garbage\n${recordLine({ 'source.ip': '10.0.0.300' })}`);
  const { ranges, quarantined } = answer.json() as {
    ranges: unknown;
    quarantined: { position: number; reason: string }[];
  };
  assert.deepEqual(ranges, [{ ledger: 'access', first: 0, count: 1 }]);
  assert.deepEqual(
    quarantined.map((item) => item.position),
    [1, 2],
  );
  assert.match(quarantined[1]!.reason, /source\.ip/);
  assert.ok(!quarantined[1]!.reason.includes('10.0.0.300'));
});

test('16 MiB are accepted, one byte more is not, however it is sent', async () => {
  await using server = await startTestServer();
  const record = recordLine();
  // White space between records is free: the body is large, the records are few.
  const full = Buffer.alloc(BODY_BYTES_MAX, ' ');
  full.write(record);
  full.write('\n', full.length - 1);
  assert.equal((await server.call('/api/v1/records', post(full))).status, 200);

  const over = Buffer.concat([full, Buffer.from('\n')]);
  for (const call of [
    post(over),
    post(over, { 'transfer-encoding': 'chunked' }),
    post(gzipSync(over), { 'content-encoding': 'gzip' }),
    post(gzipSync(Buffer.alloc(200 * 1024 * 1024)), { 'content-encoding': 'gzip' }),
  ]) {
    const answer = await server.call('/api/v1/records', call);
    assert.equal(answer.status, 413);
    assert.equal(errorCode(answer), 'body-too-large');
  }
  assert.equal(server.access.entries.length, 1);
});

test('a body that is declared too large is refused before it is sent', async () => {
  await using server = await startTestServer();
  const socket = connect({ host: '127.0.0.1', port: server.server.port, rejectUnauthorized: false });
  socket.write(
    `POST /api/v1/records HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${server.tokens.ingest}\r\n` +
      `content-type: application/x-ndjson\r\ncontent-length: ${BODY_BYTES_MAX + 1}\r\n\r\n`,
  );
  const [answer] = (await new Promise((resolve) => socket.once('data', (data) => resolve([data])))) as [
    Buffer,
  ];
  assert.match(answer.toString(), /^HTTP\/1\.1 413 /);
  socket.destroy();
});

test('a sender that goes away in the middle leaves nothing behind', async () => {
  await using server = await startTestServer();
  for (const encoding of ['', 'content-encoding: gzip\r\n']) {
    const socket = connect({ host: '127.0.0.1', port: server.server.port, rejectUnauthorized: false });
    socket.on('error', () => {});
    socket.write(
      `POST /api/v1/records HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${server.tokens.ingest}\r\n` +
        `content-type: application/x-ndjson\r\n${encoding}content-length: 1000\r\n\r\n`,
    );
    socket.write(encoding === '' ? recordLine() : gzipSync(recordLine()).subarray(0, 30));
    const inFlight = (bytes: number) =>
      eventually(async () => {
        const { text } = await server.call('/metrics', { role: 'viewer' });
        return text.includes(`bytes_in_flight ${bytes}\n`) || undefined;
      });
    await inFlight(1000);
    socket.destroy();
    await inFlight(0);
  }
  assert.equal(server.access.entries.length, 0);
});

test('bodies beyond the budget are refused with Retry-After, and its bytes come back', async () => {
  await using server = await startTestServer({ bytesInFlightMax: 1000 });
  let release = () => {};
  const waiting = new Promise<void>((arrived) => {
    server.access.beforeAppend = () => {
      arrived();
      return new Promise((resolve) => {
        release = resolve;
      });
    };
  });
  const body = recordLine({ 'url.path': 'x'.repeat(500) });
  const first = server.call('/api/v1/records', post(body));
  await waiting;
  const second = await server.call('/api/v1/records', post(body));
  assert.equal(second.status, 503);
  assert.equal(errorCode(second), 'overloaded');
  assert.equal(second.headers['retry-after'], '1');
  release();
  assert.equal((await first).status, 200);
  server.access.beforeAppend = () => {};
  for (const call of [
    post(body + body, { 'transfer-encoding': 'chunked' }),
    post(gzipSync(body + body), { 'content-encoding': 'gzip' }),
  ]) {
    assert.equal(errorCode(await server.call('/api/v1/records', call)), 'overloaded');
  }
  assert.equal((await server.call('/api/v1/records', post(body))).status, 200);
});

test('what the ledger says becomes a status', async () => {
  await using server = await startTestServer();
  for (const [error, status, retryAfter] of [
    [new LedgerError('overloaded', 'Cannot append: busy.', { retryAfterSeconds: 7 }), 503, '7'],
    [new LedgerError('stopped', 'Cannot append: stopped.'), 503, '30'],
    [new LedgerError('disk-full', 'Cannot append: full.'), 503, '30'],
    [new Error('secret detail'), 500, undefined],
  ] as const) {
    server.access.beforeAppend = () => {
      throw error;
    };
    const answer = await send(server, recordLine());
    assert.equal(answer.status, status);
    assert.equal(answer.headers['retry-after'], retryAfter);
    assert.ok(!answer.text.includes('secret detail'));
  }
});
