import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { REQUEST_BYTES_MAX, RequestSender, send } from './send.ts';
import { summaryLine } from './send-summary.ts';
import { type ApiRequest, ConnectionLost, ServerRefusal } from './server-client.ts';
import { fakeInvocation } from './testing/fake-invocation.ts';

interface Posted {
  readonly key: string | undefined;
  readonly lines: string[];
}

/** A server that numbers what it accepts, quarantines lines that are no JSON, and remembers keys. */
function fakeServer(failures: readonly (Error | 'lose answer')[] = []) {
  const pending = [...failures];
  const posted: Posted[] = [];
  const answers = new Map<string, unknown>();
  let size = 0;
  const post = async (wanted: ApiRequest): Promise<unknown> => {
    const key = wanted.headers?.['idempotency-key'];
    const lines = Buffer.from(wanted.body!).toString().trimEnd().split('\n');
    posted.push({ key, lines });
    const failure = pending.shift();
    if (failure instanceof Error) throw failure;
    let answer = answers.get(key!);
    if (answer === undefined) {
      const bad = lines.flatMap((line, position) =>
        line.startsWith('{') ? [] : [{ position, reason: 'no JSON' }],
      );
      const count = lines.length - bad.length;
      answer = { ranges: [{ ledger: 'access', first: size, count }], quarantined: bad };
      size += count;
      answers.set(key!, answer);
    }
    if (failure === 'lose answer') throw new ConnectionLost('Cannot read the answer');
    return answer;
  };
  return { post, posted, size: () => size };
}

const item = (text: string, line: number) => ({ bytes: Buffer.from(text), line });

test('RequestSender sends an item once although its answer was lost', async () => {
  const server = fakeServer(['lose answer', new ServerRefusal(503, 'Cannot accept: overloaded.', 3)]);
  const invocation = fakeInvocation();
  const sender = new RequestSender(server.post, 'run', true, invocation);
  await sender.add('a.ndjson', [item('{"a":1}', 1), item('{"a":2}', 2)]);
  await sender.flush();
  await sender.add('a.ndjson', [item('{"a":3}', 3)]);
  await sender.flush();
  assert.deepEqual(
    server.posted.map(({ key }) => key),
    ['run-1', 'run-1', 'run-1', 'run-2'],
  );
  assert.equal(server.size(), 3);
  assert.deepEqual(sender.summary.ranges, [{ ledger: 'access', first: 0, count: 3 }]);
  assert.equal(sender.summary.accepted, 3);
  assert.ok(invocation.slept[1]! >= 3000, 'Retry-After is the least to wait');
});

test('RequestSender gives up after a bounded time, and names the line to go on from', async () => {
  const server = fakeServer(Array(1000).fill(new ConnectionLost('Cannot reach it')));
  const invocation = fakeInvocation();
  const sender = new RequestSender(server.post, 'run', true, invocation);
  await sender.add('a.ndjson', [item('{}', 17)]);
  await assert.rejects(
    sender.flush(),
    /^CommandError: Cannot send a\.ndjson from line 17 on: Cannot reach it/,
  );
  const waited = invocation.slept.reduce((sum, ms) => sum + ms, 0);
  assert.ok(waited <= 120_000 && server.posted.length < 100);
});

test('send names the unsettled lines and the command that settles them', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'portledger-send-'));
  try {
    writeFileSync(join(directory, 'a.ndjson'), '{}\n{}\n');
    writeFileSync(join(directory, 'token'), 'secret\n');
    const invocation = fakeInvocation({ workingDirectory: directory });
    // Port 1 of the loopback: nothing listens there.
    const options = { server: 'https://127.0.0.1:1', tokenFile: 'token', idempotencyKey: 'day-1' };
    await assert.rejects(
      send(['a.ndjson'], options, invocation),
      /Whether lines 1 to 2 of a\.ndjson were accepted is not known\. .*: portledger send a\.ndjson --idempotency-key day-1 --server https:\/\/127\.0\.0\.1:1 --token-file token$/,
    );
    assert.equal(invocation.printed.out, '0 records accepted, 0 quarantined; of 2 more it is not known\n');
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('RequestSender knows whether the same input would make the same requests, and which are unsettled', async () => {
  const refused = new ServerRefusal(422, 'Cannot do this.', undefined);
  const settled = new RequestSender(fakeServer([refused]).post, 'run', true, fakeInvocation());
  await settled.add('a', [item('{}', 1)]);
  await assert.rejects(settled.flush());
  assert.deepEqual([settled.summary.unsettled, settled.isCutByInput], [undefined, true]);
  const failed = new ServerRefusal(500, 'Cannot do this.', undefined);
  const live = new RequestSender(fakeServer([failed]).post, 'run', true, fakeInvocation());
  await live.add('-', [item('{}', 3), item('{}', 5)]);
  await assert.rejects(live.flushWhenIdle());
  assert.deepEqual(live.summary.unsettled, { file: '-', firstLine: 3, lastLine: 5, count: 2 });
  assert.equal(live.isCutByInput, false);
});

test('RequestSender does not repeat what would be refused again', async () => {
  for (const status of [400, 401, 403, 413, 422, 500]) {
    const server = fakeServer([new ServerRefusal(status, 'Cannot do this.', undefined)]);
    const sender = new RequestSender(server.post, 'run', true, fakeInvocation());
    await sender.add('a', [item('{}', 1)]);
    await assert.rejects(sender.flush());
    assert.equal(server.posted.length, 1);
  }
});

test('RequestSender keeps requests within 8 MiB, cut between items', async () => {
  const server = fakeServer();
  const sender = new RequestSender(server.post, 'run', true, fakeInvocation());
  const large = `{"a":"${'x'.repeat(3_000_000)}"}`;
  await sender.add(
    'a',
    [1, 2, 3, 4, 5].map((line) => item(large, line)),
  );
  await sender.flush();
  assert.deepEqual(
    server.posted.map(({ lines }) => lines.length),
    [2, 2, 1],
  );
  for (const { lines } of server.posted) assert.ok(lines.join('\n').length + 1 <= REQUEST_BYTES_MAX);
});

test('RequestSender reports quarantined and unsendable items by file and line', async () => {
  const sender = new RequestSender(fakeServer().post, 'run', true, fakeInvocation());
  await sender.add('a', [item('{}', 1), item('nonsense', 4), { bytes: undefined, line: 5 }]);
  await sender.flush();
  assert.deepEqual(sender.summary.quarantined, [{ file: 'a', line: 4, reason: 'no JSON' }]);
  assert.deepEqual(
    sender.summary.skipped.map(({ line }) => line),
    [5],
  );
  assert.equal(summaryLine(sender.summary), '1 record accepted (access 0), 1 quarantined, 1 not sent');
});

test('RequestSender with a given key cuts requests by the input alone', async () => {
  const server = fakeServer();
  const sender = new RequestSender(server.post, 'given', false, fakeInvocation());
  await sender.add('-', [item('{}', 1)]);
  await sender.flushWhenIdle();
  assert.equal(server.posted.length, 0);
});

test('summaryLine names the indexes', () => {
  const summary = { quarantinedCount: 0, quarantined: [], skippedCount: 0, skipped: [] };
  const ranges = [
    { ledger: 'access', first: 0, count: 10 },
    { ledger: 'access', first: 12, count: 1 },
  ];
  assert.equal(
    summaryLine({ ...summary, accepted: 11, ranges }),
    '11 records accepted (access 0–9, access 12), 0 quarantined',
  );
  assert.equal(summaryLine({ ...summary, accepted: 0, ranges: [] }), '0 records accepted, 0 quarantined');
});
