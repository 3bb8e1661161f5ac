// Against a real TLS server on a free port, with certificates as an installation makes them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ApiRequest, parseRetryAfter, refusalMessage, ServerClient } from './server-client.ts';
import { type Answer, startTlsServer, type TlsServer } from './testing/tls-server.ts';

let server: TlsServer;
let url: URL;
let ca: string;
let answer: Answer;

before(async () => {
  server = await startTlsServer((request, response) => answer(request, response));
  ({ url, ca } = server);
});
after(() => server.close());

async function lines(wanted: ApiRequest = { path: 'x' }): Promise<string[]> {
  using client = new ServerClient({ url, token: 't', ca });
  const found = [];
  for await (const line of client.lines(wanted)) found.push(line.toString());
  return found;
}

test('ServerClient sends the token, the query and the body', async () => {
  answer = (request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () =>
      response.end(JSON.stringify({ url: request.url, body, auth: request.headers.authorization })),
    );
  };
  using client = new ServerClient({ url, token: 'secret', ca });
  const got = await client.json({
    method: 'POST',
    path: 'api/v1/x',
    query: { q: 'a b&c', none: undefined },
    body: Buffer.from('hello'),
  });
  assert.deepEqual(got, { url: '/api/v1/x?q=a+b%26c', body: 'hello', auth: 'Bearer secret' });
});

test('ServerClient does not talk to a server whose certificate it cannot trust', async () => {
  let asked = false;
  answer = (_request, response) => {
    asked = true;
    response.end('{}');
  };
  using client = new ServerClient({ url, token: 't', ca: undefined });
  await assert.rejects(client.json({ path: 'x' }), /^CommandError: Cannot trust .*--ca/);
  assert.equal(asked, false);
});

test('ServerClient.lines puts lines together again and leaves out blank ones', async () => {
  answer = (_request, response) => {
    response.write('{"a":1}\n\n{"b"');
    setImmediate(() => response.end(':2}\n'));
  };
  assert.deepEqual(await lines(), ['{"a":1}', '{"b":2}']);
});

test('ServerClient.lines never takes a cut answer for a whole one', async () => {
  answer = (_request, response) => {
    response.write('{"a":1}\n');
    setImmediate(() => response.destroy());
  };
  await assert.rejects(lines(), /^ConnectionLost: Cannot read the answer/);
  answer = (_request, response) => response.end('{"a":1}\n{"b');
  await assert.rejects(lines(), /the last line is incomplete/);
});

test('ServerClient.lines bounds the length of a line', async () => {
  answer = (_request, response) => response.end('x'.repeat(5 * 1024 * 1024));
  await assert.rejects(lines(), /longer than 4194304 bytes/);
});

test('ServerClient.lines stops at its signal', async () => {
  answer = (_request, response) => response.write('{"a":1}\n');
  const stop = new AbortController();
  using client = new ServerClient({ url, token: 't', ca });
  const found = [];
  await assert.rejects(async () => {
    for await (const line of client.lines({ path: 'x', signal: stop.signal })) {
      found.push(line);
      stop.abort();
    }
  });
  assert.equal(found.length, 1);
});

test('ServerClient passes on what the server says, and how long to wait', async () => {
  answer = (_request, response) => {
    response.writeHead(503, { 'retry-after': '7' });
    response.end('{"error":{"code":"overloaded","message":"Cannot accept records: too much is waiting."}}');
  };
  using client = new ServerClient({ url, token: 't', ca });
  await assert.rejects(client.json({ path: 'x' }), {
    name: 'ServerRefusal',
    status: 503,
    retryAfterSeconds: 7,
    message: 'Cannot accept records: too much is waiting.',
  });
});

test('ServerClient tells a server that is not there from one that refuses', async () => {
  using client = new ServerClient({ url: new URL('https://127.0.0.1:1/'), token: 't', ca });
  await assert.rejects(
    client.json({ path: 'x' }),
    /^ConnectionLost: Cannot reach https:\/\/127\.0\.0\.1:1: nothing listens/,
  );
});

test('refusalMessage and parseRetryAfter survive answers that are not ours', () => {
  assert.match(refusalMessage(502, '<html>', url), /status 502, expected Portledger's API/);
  assert.match(refusalMessage(401, '{"error":{"message":"x"}}', url), /does not accept the token/);
  assert.match(refusalMessage(500, 'null', url), /status 500/);
  assert.equal(parseRetryAfter('Wed, 21 Oct 2026 07:28:00 GMT'), undefined);
  assert.equal(parseRetryAfter('-1'), undefined);
  assert.equal(parseRetryAfter('3'), 3);
});
