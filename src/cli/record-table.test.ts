import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordTable } from './record-table.ts';
import { displayWidth } from './terminal.ts';
import { fakeInvocation } from './testing/fake-invocation.ts';

const row = {
  '@timestamp': '2026-11-20T13:50:01.123456789Z',
  'user.name': 'alice',
  'source.ip': '10.0.0.7',
  'source.port': 50122,
  'destination.ip': '::1',
  'destination.port': 8443,
  'tls.version': '1.3',
  'event.outcome': 'success',
  'http.request.method': 'GET',
  'url.path': '/accounts',
  'http.response.status_code': 200,
  'ledger.name': 'access',
  'ledger.index': 4711,
};

async function print(rows: Record<string, unknown>[], columns?: number): Promise<string[]> {
  const invocation = fakeInvocation(columns === undefined ? {} : { columns });
  await new RecordTable(invocation.out).print(rows);
  return invocation.printed.out.split('\n').slice(0, -1);
}

test('RecordTable prints who did what from where to where, and the index to prove it', async () => {
  const [title, line] = await print([row]);
  assert.match(title!, /^TIME \(UTC\) +WHO +FROM +TO +TLS +OUTCOME +WHAT +INDEX$/);
  assert.equal(
    line,
    '2026-11-20 13:50:01.123  alice  10.0.0.7:50122  [::1]:8443  1.3  success  GET /accounts 200  4711',
  );
});

test('RecordTable says what is absent and which other ledger', async () => {
  const [, line] = await print([
    { '@timestamp': 'odd', 'event.action': 'login', 'ledger.name': 'custody', 'ledger.index': 3 },
  ]);
  assert.match(line!, /^odd +- +- +- +- +- +login +custody\/3$/);
});

test('RecordTable fits the window on a terminal and cuts nothing elsewhere', async () => {
  const long = { ...row, 'url.path': `/${'漢x'.repeat(200)}`, 'user.name': 'a'.repeat(100) };
  for (const columns of [80, 100, 160, 1000]) {
    for (const line of await print([long, row], columns)) {
      assert.ok(displayWidth(line) <= Math.max(columns, 93), `${displayWidth(line)} columns of ${columns}`);
      assert.ok(line.endsWith('4711') || line.endsWith('INDEX'));
    }
  }
  const [, whole] = await print([long]);
  assert.ok(whole!.includes(long['url.path']) && whole!.includes(long['user.name']));
});

test('RecordTable shows control characters of senders instead of obeying them', async () => {
  const lines = await print([{ ...row, 'user.name': 'x\x1b[2J\n\u202e' }], 300);
  assert.equal(lines.length, 2);
  assert.ok(lines[1]!.includes('x\\u001b[2J\\u000a\\u202e'));
});
