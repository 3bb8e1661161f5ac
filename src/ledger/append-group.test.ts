import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppendGroup, type EarlierRequests, type Outcome, requestDigest } from './append-group.ts';
import type { RememberedRequest } from './request-memory.ts';
import { request } from './testing/simulated-ledger.ts';

const NOW = new Date('2026-11-20T12:00:00Z');
const NOTHING_EARLIER: EarlierRequests = { find: () => undefined, quarantinedOf: () => [] };
const FIRST = 1000;

function outcomesOf(earlier: EarlierRequests, ...requests: ReturnType<typeof request>[]) {
  const group = new AppendGroup();
  const pending = requests.map((one) => group.add(one, earlier, NOW));
  return { group, outcomes: pending.map((outcome) => outcome(FIRST)) };
}

test('AppendGroup gives each request the indexes of its own records, without holes', () => {
  const { group, outcomes } = outcomesOf(
    NOTHING_EARLIER,
    request({ records: ['a', 'b'] }),
    request({ malformed: ['?', '!'] }),
    request({ records: ['c'], malformed: ['?'] }),
    request({ records: ['d', 'e'], key: 'k' }),
  );
  const ranges = outcomes.map((outcome) => outcome.kind === 'accepted' && [outcome.first, outcome.count]);
  assert.deepEqual(ranges, [
    [FIRST, 2],
    [FIRST + 2, 0],
    [FIRST + 2, 1],
    [FIRST + 3, 2],
  ]);
  assert.equal(group.recordCount, 5);
  assert.equal(group.quarantinedCount, 3);
  assert.deepEqual(
    group.notes.map(({ offset, count }) => [offset, count]),
    [[3, 2]],
  );
});

test('AppendGroup keeps identical requests without a key, and joins those with one', () => {
  const plain = { records: ['a'] };
  const keyed = { records: ['b'], malformed: ['?'], key: 'k' };
  const { group, outcomes } = outcomesOf(
    NOTHING_EARLIER,
    ...[plain, plain, keyed, keyed, keyed].map((parts) => request(parts)),
  );
  assert.equal(group.recordCount, 3);
  assert.equal(group.quarantinedCount, 1);
  assert.equal(group.notes.length, 1);
  const [, , one, two, three] = outcomes as Extract<Outcome, { kind: 'accepted' }>[];
  assert.equal(one!.replayed, false);
  assert.deepEqual(two, { ...one!, replayed: true });
  assert.deepEqual(three, two);
  assert.deepEqual(one!.quarantined, [{ position: 0, reason: 'malformed' }]);
});

test('AppendGroup refuses a key that comes with another body, in the group and from before it', () => {
  const { group, outcomes } = outcomesOf(
    NOTHING_EARLIER,
    request({ records: ['a'], key: 'k' }),
    request({ records: ['b'], key: 'k' }),
  );
  assert.equal(outcomes[1]!.kind, 'key-reused');
  assert.equal(group.recordCount, 1);
  const earlier: EarlierRequests = { ...NOTHING_EARLIER, find: () => remembered(requestDigest('other')) };
  const later = outcomesOf(earlier, request({ records: ['a'], key: 'k' }));
  assert.deepEqual(later.outcomes, [{ kind: 'key-reused' }]);
  assert.equal(later.group.isEmpty, true);
});

function remembered(body: Uint8Array): RememberedRequest {
  return { key: new Uint8Array(16), body, first: 5, count: 1, frame: 4, hasQuarantined: true, timeMs: 0 };
}

test('AppendGroup repeats the answer of a request from before it, and adds nothing', () => {
  const one = request({ records: ['a'], malformed: ['?'], key: 'k' });
  const earlier: EarlierRequests = {
    find: (key, nowMs) => {
      assert.deepEqual(key, one.idempotency!.key);
      assert.equal(nowMs, NOW.getTime());
      return remembered(one.idempotency!.body);
    },
    quarantinedOf: ({ frame }) => [{ position: frame, reason: 'as it was said' }],
  };
  const { group, outcomes } = outcomesOf(earlier, one);
  const quarantined = [{ position: 4, reason: 'as it was said' }];
  assert.deepEqual(outcomes, [{ kind: 'accepted', first: 5, count: 1, quarantined, replayed: true }]);
  assert.equal(group.isEmpty, true);
  assert.deepEqual(group.notes, []);
});

test('requestDigest tells where one part ends and the next begins', () => {
  const digests = [['ab', 'c'], ['a', 'bc'], ['abc'], ['abc', ''], ['', 'abc']].map((parts) =>
    requestDigest(...parts).toString('hex'),
  );
  assert.equal(new Set(digests).size, digests.length);
  assert.deepEqual(requestDigest('a', Buffer.from('b')), requestDigest(Buffer.from('a'), 'b'));
});
