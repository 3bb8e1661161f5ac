// The writer on a simulated disk. What random faults and crashes do to it is for test/sim; here are the cases with a name.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedCrash } from '../disk/simulated-process.ts';
import type { Outcome } from './append-group.ts';
import { LedgerError, type LedgerErrorCode } from './ledger.ts';
import { segmentPath } from './paths.ts';
import { PATHS, request, SimulatedLedger } from './testing/simulated-ledger.ts';

function hasCode(code: LedgerErrorCode): (error: unknown) => boolean {
  return (error) =>
    error instanceof LedgerError && error.code === code && error.message.startsWith('Cannot ');
}

/** The simulated process ended, or the writer saw that it did. */
function isCrash(error: unknown): boolean {
  if (error instanceof SimulatedCrash) return true;
  return error instanceof LedgerError && error.cause instanceof SimulatedCrash;
}

function accepted(outcome: Outcome | undefined): Extract<Outcome, { kind: 'accepted' }> {
  assert.equal(outcome?.kind, 'accepted');
  return outcome as Extract<Outcome, { kind: 'accepted' }>;
}

test('LedgerWriter opens an epoch with its first record, and the next one after midnight UTC', () => {
  const ledger = new SimulatedLedger();
  ledger.now = new Date('2026-11-20T23:59:59.999Z');
  ledger.open();
  ledger.appendRecords('{"n":1}');
  ledger.now = new Date('2026-11-21T00:00:00.000Z');
  const first = ledger.appendRecords('{"n":2}');
  ledger.appendRecords('{"n":3}');
  ledger.now = new Date('2026-11-23T10:00:00.000Z');
  ledger.appendRecords('{"n":4}');
  const opened = ledger.controls('epoch-opened').map(({ epoch, name }) => [epoch, name]);
  assert.deepEqual(opened, [
    [1, '2026-11-20'],
    [2, '2026-11-21'],
    [3, '2026-11-23'],
  ]);
  const epochs = ledger.controls('epoch-opened');
  assert.equal(new Set(epochs.map(({ keyCheck }) => keyCheck)).size, 3, 'each epoch has a key of its own');
  // Announced in the frame of its first record, right before it.
  assert.match(ledger.entries()[first - 1]!.text, /"epoch-opened"/);
  assert.deepEqual(ledger.records(), ['{"n":1}', '{"n":2}', '{"n":3}', '{"n":4}']);
  ledger.reopenAfterCrash();
  assert.equal(ledger.writer.epoch, 3);
  assert.deepEqual(ledger.records(), ['{"n":1}', '{"n":2}', '{"n":3}', '{"n":4}']);
});

test('LedgerWriter stays in its epoch when the clock is set back', () => {
  const ledger = new SimulatedLedger();
  ledger.open();
  ledger.now = new Date('2026-11-21T00:00:01Z');
  ledger.appendRecords('{"n":1}');
  ledger.now = new Date('2026-11-20T23:59:00Z');
  ledger.appendRecords('{"n":2}');
  assert.equal(ledger.controls('epoch-opened').length, 2);
  ledger.reopenAfterCrash();
  assert.deepEqual(ledger.records(), ['{"n":1}', '{"n":2}']);
});

test('a retry is answered as the first time: in the same group, later, and after a restart', () => {
  const ledger = new SimulatedLedger();
  ledger.open();
  const one = { records: ['{"n":1}', '{"n":2}'], malformed: ['?'], key: 'a' };
  const [first, joined] = ledger.append(request(one), request(one)).map(accepted);
  assert.equal(first!.replayed, false);
  const again = { ...first!, replayed: true };
  assert.deepEqual(joined, again);
  ledger.appendRecords('{"n":3}');
  assert.deepEqual(ledger.append(request(one)), [again]);
  ledger.reopenAfterCrash();
  assert.deepEqual(ledger.append(request(one)), [again]);
  assert.deepEqual(ledger.append(request({ ...one, body: 'other' })), [{ kind: 'key-reused' }]);
  assert.deepEqual(ledger.records(), ['{"n":1}', '{"n":2}', '{"n":3}']);
});

test('a key is forgotten after 24 hours', () => {
  const ledger = new SimulatedLedger();
  ledger.open();
  const one = { records: ['{"n":1}'], key: 'a' };
  const [first] = ledger.append(request(one)).map(accepted);
  ledger.now = new Date(ledger.now.getTime() + 24 * 3600 * 1000);
  assert.equal(accepted(ledger.append(request(one))[0]).replayed, true);
  ledger.now = new Date(ledger.now.getTime() + 1);
  const [later] = ledger.append(request(one)).map(accepted);
  assert.equal(later!.replayed, false);
  assert.notEqual(later!.first, first!.first);
});

/** Publishes, sees a midnight, retries, quarantines: everything that writes. Refusals for want of room are passed over. */
function workload(ledger: SimulatedLedger, acknowledged: Map<number, string>): void {
  let number = 0;
  const tolerant = (step: () => void): void => {
    try {
      step();
    } catch (error) {
      if (!(error instanceof LedgerError && error.code === 'disk-full')) throw error;
    }
  };
  const append = (count: number): void => {
    const records = Array.from(
      { length: count },
      () => `{"n":${number++},"pad":"${'x'.repeat(number % 300)}"}`,
    );
    tolerant(() => {
      const key = number % 2 === 0 ? { key: `key ${number}` } : {};
      const [outcome] = ledger.append(request({ records, malformed: number % 3 === 0 ? ['?'] : [], ...key }));
      const { first } = accepted(outcome);
      for (const [i, record] of records.entries()) {
        assert.equal(acknowledged.get(first + i), undefined, `index ${first + i} twice`);
        acknowledged.set(first + i, record);
      }
    });
  };
  for (let step = 0; step < 6; step++) {
    append(step === 3 ? 280 : 1 + (step % 3));
    if (step === 4) ledger.now = new Date(ledger.now.getTime() + 24 * 3600 * 1000);
    if (step % 2 === 1) tolerant(() => ledger.writer.publish());
    ledger.disk.drainBackground();
  }
  tolerant(() => ledger.writer.publish());
}

function expectKept(ledger: SimulatedLedger, acknowledged: ReadonlyMap<number, string>, where: string): void {
  const entries = ledger.entries();
  for (const [index, record] of acknowledged) assert.equal(entries[index]?.text, record, where);
  const texts = ledger.records();
  assert.equal(new Set(texts).size, texts.length, `${where}: a record is there twice`);
}

test('a disk that is full at any one operation costs an answer at most, unless that is a sync', () => {
  const whole = new SimulatedLedger();
  whole.open();
  const from = whole.disk.operations;
  workload(whole, new Map());
  const to = whole.disk.operations;
  let stopped = 0;
  for (let operation = from + 1; operation <= to; operation++) {
    const ledger = new SimulatedLedger();
    const acknowledged = new Map<number, string>();
    ledger.open();
    ledger.disk.failAt(operation, 'full');
    let where = '';
    try {
      workload(ledger, acknowledged);
    } catch (error) {
      where = `full at operation ${operation}, ${ledger.disk.history[operation - 1]}`;
      // After a sync that failed nobody knows what is on the disk: nothing may be built on it.
      assert.match(where, /, sync (file|directory) /, `${where}: ${(error as Error).stack}`);
      assert.ok(hasCode('stopped')(error), `${where}: ${(error as Error).stack}`);
      stopped++;
    }
    where = `full at operation ${operation}, ${ledger.disk.history[operation - 1]}`;
    if (ledger.writer.stopped === undefined) {
      ledger.appendRecords('{"last":"words"}');
      ledger.writer.publish();
    }
    ledger.reopenAfterCrash();
    expectKept(ledger, acknowledged, where);
    ledger.appendRecords('{"after":"it"}');
    ledger.writer.close();
  }
  assert.ok(stopped < (to - from) / 2, `${stopped} of ${to - from} stopped the writer`);
});

test('a disk that fills up and is given room again loses nothing and needs no restart', () => {
  for (let room = 0; room < 40_000; room += 2500) {
    const ledger = new SimulatedLedger(room + 1);
    const acknowledged = new Map<number, string>();
    ledger.open();
    ledger.disk.capacityBytes = ledger.disk.usedBytes + room;
    workload(ledger, acknowledged);
    ledger.disk.capacityBytes = Number.POSITIVE_INFINITY;
    assert.equal(ledger.writer.stopped, undefined);
    ledger.appendRecords('{"room":"again"}');
    ledger.writer.publish();
    expectKept(ledger, acknowledged, `room for ${room} bytes`);
    ledger.reopenAfterCrash();
    expectKept(ledger, acknowledged, `room for ${room} bytes`);
  }
});

test('an epoch that could not be opened for want of room leaves the present one in use when the clock is set back', () => {
  const whole = new SimulatedLedger();
  whole.open();
  whole.appendRecords('{"n":1}');
  whole.writer.publish();
  const from = whole.disk.operations;
  whole.now = new Date('2026-11-21T00:00:01Z');
  whole.appendRecords('{"n":2}');
  for (let operation = from + 1; operation <= whole.disk.operations; operation++) {
    const ledger = new SimulatedLedger();
    ledger.open();
    ledger.appendRecords('{"n":1}');
    ledger.writer.publish();
    ledger.disk.failAt(operation, 'full');
    ledger.now = new Date('2026-11-21T00:00:01Z');
    const kept = ['{"n":1}'];
    try {
      ledger.appendRecords('{"n":2}');
      kept.push('{"n":2}');
    } catch (error) {
      assert.ok(error instanceof LedgerError);
      if (error.code === 'disk-full') {
        ledger.now = new Date('2026-11-20T23:59:00Z');
        ledger.appendRecords('{"n":3}');
        kept.push('{"n":3}');
      }
    }
    ledger.reopenAfterCrash();
    // What was cut off from its acknowledgement may be there as well.
    const found = ledger.records().filter((record) => kept.includes(record));
    assert.deepEqual(found, kept, `full at operation ${operation}: ${ledger.disk.history[operation - 1]}`);
  }
});

test('LedgerWriter.close that crashes at any operation loses nothing', () => {
  const whole = new SimulatedLedger();
  whole.open();
  workload(whole, new Map());
  const from = whole.disk.operations;
  whole.appendRecords('{"not":"published"}');
  whole.writer.close();
  for (let operation = from + 1; operation <= whole.disk.operations; operation++) {
    const ledger = new SimulatedLedger(operation);
    const acknowledged = new Map<number, string>();
    ledger.open();
    workload(ledger, acknowledged);
    ledger.disk.failAt(operation, 'crash');
    assert.throws(() => {
      acknowledged.set(ledger.appendRecords('{"not":"published"}'), '{"not":"published"}');
      ledger.writer.close();
      // The number of operations depends on when background syncs take place.
      throw new SimulatedCrash('it ended before');
    }, isCrash);
    ledger.reopenAfterCrash();
    expectKept(ledger, acknowledged, `crash at operation ${operation}`);
  }
});

test('the cache can be deleted: the log, its answers and its root are the same', () => {
  const ledger = new SimulatedLedger();
  const acknowledged = new Map<number, string>();
  ledger.open();
  const one = { records: ['{"of":"a key"}'], malformed: ['?'], key: 'a' };
  const [first] = ledger.append(request(one)).map(accepted);
  workload(ledger, acknowledged);
  ledger.writer.close();
  const { size, root } = ledger.writer;
  const { records, quarantined } = ledger.writer.counters;
  assert.ok(ledger.disk.list(PATHS.cache).length > 0, 'nothing is cached: the test does not test anything');
  ledger.disk = ledger.disk.crash();
  for (const name of ledger.disk.list(PATHS.cache)) ledger.disk.remove(`${PATHS.cache}/${name}`);
  ledger.open();
  assert.equal(ledger.writer.size, size);
  assert.deepEqual(ledger.writer.root, root);
  assert.deepEqual({ ...ledger.writer.counters }, { records, quarantined });
  expectKept(ledger, acknowledged, 'without a cache');
  ledger.now = new Date(ledger.now.getTime() - 12 * 3600 * 1000);
  assert.deepEqual(ledger.append(request(one)), [{ ...first!, replayed: true }]);
});

test('a damaged cache is not believed', () => {
  const made = new SimulatedLedger();
  const acknowledged = new Map<number, string>();
  made.open();
  workload(made, acknowledged);
  made.writer.close();
  const { size, root } = made.writer;
  for (const name of made.disk.list(PATHS.cache)) {
    const path = `${PATHS.cache}/${name}`;
    const bytes = made.disk.readFile(path)!;
    for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 6)) {
      for (const change of ['flip', 'cut'] as const) {
        const ledger = new SimulatedLedger();
        ledger.disk = made.disk.clone();
        ledger.now = made.now;
        const changed = change === 'cut' ? bytes.slice(0, at) : bytes.slice();
        if (change === 'flip') changed[at]! ^= 4;
        ledger.disk.writeFile(path, changed);
        ledger.open();
        const where = `${change} ${name} at ${at}`;
        assert.equal(ledger.writer.size, size, where);
        assert.deepEqual(ledger.writer.root, root, where);
        expectKept(ledger, acknowledged, where);
      }
    }
  }
});

test('content is never begun anew where checkpoint and anchor are gone', () => {
  const ledger = new SimulatedLedger();
  ledger.open();
  ledger.appendRecords('{"n":1}');
  ledger.writer.close();
  ledger.disk.remove(PATHS.anchor);
  ledger.disk.remove(PATHS.checkpoint);
  const held = ledger.disk.readFile(segmentPath(PATHS, 1));
  assert.throws(() => ledger.open(), hasCode('damaged'));
  assert.deepEqual(ledger.disk.readFile(segmentPath(PATHS, 1)), held);
});

test('a first start that crashed at any operation is begun anew', () => {
  const whole = new SimulatedLedger();
  whole.open();
  for (let operation = 1; operation <= whole.disk.operations; operation++) {
    for (const end of ['crash', 'kill'] as const) {
      const ledger = new SimulatedLedger(operation);
      ledger.disk.failAt(operation, 'crash');
      assert.throws(() => ledger.open(), isCrash);
      ledger.disk = ledger.disk[end]();
      ledger.open();
      ledger.appendRecords('{"n":1}');
      ledger.reopenAfterCrash();
      assert.deepEqual(ledger.records(), ['{"n":1}']);
    }
  }
});
