import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LedgerError } from '../ledger/ledger.ts';
import { ByteBudget } from './byte-budget.ts';
import { RecordsIntake } from './records-intake.ts';
import { MemoryLedger } from './testing/memory-ledger.ts';

function intake() {
  const ledger = new MemoryLedger('access');
  const now = () => Date.parse('2026-11-20T12:00:00Z');
  return { ledger, intake: new RecordsIntake({ ledger, now }) };
}

const line = (user: string) => Buffer.from(`{"@timestamp":"2026-11-20T11:00:00Z","user.name":"${user}"}\n`);
const request = (body: Buffer, idempotencyKey?: string, principal = 'gateway') => ({
  principal,
  format: 'ndjson' as const,
  body,
  ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
});

test('accept stamps records with acceptance time and authenticated observer', async () => {
  const { ledger, intake: door } = intake();
  const accepted = await door.accept(
    request(Buffer.concat([line('alice'), Buffer.from('nonsense\n'), line('bob')])),
  );
  assert.equal(accepted.count, 2);
  assert.deepEqual(
    accepted.quarantined.map((item) => item.position),
    [1],
  );
  const [alice] = ledger.records();
  assert.equal(alice?.['event.ingested'], '2026-11-20T12:00:00.000000000Z');
  assert.equal(alice?.['observer.name'], 'gateway');
  assert.deepEqual(
    door.sources.list().map(({ observer, records, quarantined }) => [observer, records, quarantined]),
    [['gateway', 2, 1]],
  );
});

test('identical bodies without a key are all kept; with a key they count once', async () => {
  const { ledger, intake: door } = intake();
  await door.accept(request(line('alice')));
  await door.accept(request(line('alice')));
  assert.equal(ledger.entries.length, 2);
  const first = await door.accept(request(line('alice'), 'k1'));
  const again = await door.accept(request(line('alice'), 'k1'));
  assert.deepEqual(again, { ...first, replayed: true });
  assert.equal(ledger.entries.length, 3);
  await door.accept(request(line('alice'), 'k1', 'other'));
  assert.equal(ledger.entries.length, 4, 'keys belong to their principal');
  assert.equal(door.sources.list()[0]?.records, 3, 'replays are not counted');
});

test('a body without any item adds nothing', async () => {
  const { ledger, intake: door } = intake();
  const accepted = await door.accept({ ...request(Buffer.from(' [] ')), format: 'json' });
  assert.equal(accepted.count, 0);
  assert.equal(ledger.entries.length, 0);
});

test('concurrent retries join the first request, also in its failure', async () => {
  const { ledger, intake: door } = intake();
  let appends = 0;
  let release = () => {};
  ledger.beforeAppend = () => {
    appends++;
    return new Promise((resolve) => {
      release = resolve;
    });
  };
  const answers = [1, 2, 3].map(() => door.accept(request(line('alice'), 'k')));
  await assert.rejects(door.accept(request(line('bob'), 'k')), { code: 'key-reused' });
  release();
  const [first, ...joined] = await Promise.all(answers);
  assert.equal(appends, 1);
  assert.equal(first?.replayed, false);
  for (const one of joined) assert.deepEqual(one, { ...first, replayed: true });

  ledger.beforeAppend = () => {
    throw new LedgerError('disk-full', 'Cannot append: no space.');
  };
  const failed = [1, 2].map(() => door.accept(request(line('carol'), 'k2')));
  for (const one of failed) await assert.rejects(one, { code: 'disk-full' });
  ledger.beforeAppend = () => {};
  assert.equal(
    (await door.accept(request(line('carol'), 'k2'))).replayed,
    false,
    'a failure is not remembered',
  );
});

test('ByteBudget refuses what does not fit and gets back what leases held', () => {
  const budget = new ByteBudget(100);
  using first = budget.open();
  first.cover(60);
  first.cover(40);
  assert.equal(budget.used, 60, 'covering less gives nothing back');
  {
    using second = budget.open();
    second.cover(40);
    assert.throws(() => second.cover(41), { code: 'overloaded', retryAfterSeconds: 1 });
    assert.throws(() => first.cover(61), { code: 'overloaded' });
  }
  first.cover(100);
  assert.equal(budget.used, 100);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  assert.equal(budget.used, 0);
});
