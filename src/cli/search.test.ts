// Commands that read over the API, against a server that answers as the API does.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseQuery } from '../query/parse.ts';
import { QUERY_HELP, search } from './search.ts';
import { tail } from './tail.ts';
import { fakeInvocation } from './testing/fake-invocation.ts';
import { type Answer, startTlsServer, type TlsServer } from './testing/tls-server.ts';

const home = mkdtempSync(join(tmpdir(), 'portledger-search-'));
let server: TlsServer;
let answer: Answer;
let options: { server: string; tokenFile: string; ca: string };

before(async () => {
  server = await startTlsServer((request, response) => answer(request, response));
  writeFileSync(join(home, 'token'), 'plt_x\n');
  writeFileSync(join(home, 'ca.pem'), server.ca);
  options = { server: server.url.href, tokenFile: join(home, 'token'), ca: join(home, 'ca.pem') };
});
after(() => {
  server.close();
  rmSync(home, { recursive: true });
});

const line = (index: number): string => `${JSON.stringify({ 'ledger.index': index })}\n`;

test('every query in the help of search can be parsed', () => {
  const [first, , ...rest] = QUERY_HELP.trim().split('\n');
  const terms = first!.replace('Queries: ', '').split(/ {2,}/);
  assert.ok(terms.length >= 7);
  const example = /-- (\S+)$/.exec(rest.join('\n'))![1]!;
  for (const query of [...terms, terms.join(' '), example]) {
    const parsed = parseQuery(query);
    assert.ok(parsed.ok, `${query}: ${parsed.ok ? '' : parsed.problem.message}`);
  }
});

test('search asks for page after page until the limit, and for no more', async () => {
  const asked: string[] = [];
  answer = (request, response) => {
    const { searchParams } = new URL(request.url!, server.url);
    asked.push(`${searchParams.get('limit')} below ${searchParams.get('cursor')}`);
    const below = Number(searchParams.get('cursor') ?? 30_000);
    const limit = Number(searchParams.get('limit'));
    response.end(Array.from({ length: limit }, (_, at) => line(below - 1 - at)).join(''));
  };
  const invocation = fakeInvocation();
  assert.equal(await search('', { ...options, limit: 25_000, json: true }, invocation), 0);
  assert.deepEqual(asked, ['10000 below null', '10000 below 20000', '5000 below 10000']);
  const indexes = invocation.printed.out
    .trimEnd()
    .split('\n')
    .map((one) => JSON.parse(one)['ledger.index']);
  assert.equal(new Set(indexes).size, 25_000);
});

test('search stops asking when there is nothing more, and says how many there were', async () => {
  let asked = 0;
  answer = (_request, response) => {
    asked += 1;
    response.end(line(7) + line(3));
  };
  const invocation = fakeInvocation();
  await search('user:x', { ...options, limit: 50_000 }, invocation);
  assert.equal(asked, 1);
  assert.equal(invocation.printed.err, '2 records.\n');
});

test('tail goes on behind the last record after a lost connection', async () => {
  const asked: (string | null)[] = [];
  const invocation = fakeInvocation();
  answer = (request, response) => {
    const from = new URL(request.url!, server.url).searchParams.get('from');
    asked.push(from);
    response.write('\n');
    if (asked.length === 1) {
      response.write(line(41));
      setTimeout(() => response.destroy(), 20);
    } else {
      response.write(line(42));
      setTimeout(() => invocation.interrupt(), 20);
    }
  };
  assert.equal(await tail('', { ...options, json: true }, invocation), 0);
  assert.deepEqual(asked, [null, '42']);
  assert.equal(invocation.printed.out, line(41) + line(42));
  assert.equal(invocation.printed.err, 'portledger: connection lost, trying again.\n');
});

test('tail does not go on asking a server that refuses', async () => {
  answer = (_request, response) => {
    response.writeHead(403);
    response.end('{"error":{"code":"forbidden","message":"Cannot answer request: your role is ingest."}}');
  };
  await assert.rejects(tail('', options, fakeInvocation()), /your role is ingest/);
});
