import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedDisk } from '../disk/simulated-disk.ts';
import {
  encodeRequestNotes,
  parseRequestNotes,
  RequestJournal,
  type RequestNote,
} from './request-journal.ts';
import { SLOT_BYTES } from './request-memory.ts';

const CACHE = '/cache';
const NOW = Date.UTC(2026, 10, 20);

function noteOf(number: number): RequestNote {
  const hex = number.toString(16).padStart(32, '0');
  const quarantined = number % 5 === 0 ? [{ position: 0, reason: 'it is "none"' }] : [];
  return { key: hex, body: hex.replaceAll('0', 'a'), offset: number % 3, count: 2, quarantined, time: NOW };
}

function diskWithCache(): SimulatedDisk {
  const disk = new SimulatedDisk({ seed: 1 });
  disk.makeDirectory(CACHE);
  return disk;
}

function sync(disk: SimulatedDisk, paths: readonly string[]): void {
  disk.syncInBackground(paths, (error) => assert.equal(error, undefined));
  disk.drainBackground();
}

function find(journal: RequestJournal, number: number): { first: number; frame: number } | undefined {
  const found = journal.find(Buffer.from(noteOf(number).key, 'hex'), NOW);
  return found && { first: found.first, frame: found.frame };
}

test('encodeRequestNotes and parseRequestNotes agree', () => {
  const notes = [1, 2, 5].map(noteOf);
  assert.deepEqual(parseRequestNotes(encodeRequestNotes(notes)), notes);
});

test('RequestJournal gives back after a power cut what was synced, and appends to it', () => {
  let disk = diskWithCache();
  let journal = new RequestJournal(disk, CACHE);
  for (let life = 0; life < 4; life++) {
    for (let number = 100 * life; number < 100 * (life + 1); number++) {
      journal.remember(1000 + number, 1, [noteOf(number)]);
    }
    const { paths, marks } = journal.write();
    assert.deepEqual(paths, [`${CACHE}/requests-0`]);
    sync(disk, paths);
    assert.deepEqual(journal.write(), { paths: [], marks }, 'nothing is new');
    assert.equal(marks[0]?.bytes, 100 * (life + 1) * SLOT_BYTES);
    // Written after the mark, and lost or not: it does not count.
    journal.remember(99, 0, [noteOf(9999)]);
    journal.write();
    disk = disk.crash();
    journal = new RequestJournal(disk, CACHE);
    assert.equal(journal.restore(marks), true);
    assert.equal(find(journal, 9999), undefined);
    for (let number = 0; number < 100 * (life + 1); number++) {
      assert.deepEqual(find(journal, number), { first: 1001 + number + (number % 3), frame: 1000 + number });
    }
  }
});

test('RequestJournal.restore does not believe a file that was changed, cut, or is gone', () => {
  const disk = diskWithCache();
  const journal = new RequestJournal(disk, CACHE);
  journal.remember(7, 0, [noteOf(1), noteOf(2)]);
  const { marks } = journal.write();
  const path = `${CACHE}/requests-0`;
  const stored = disk.readFile(path)!;
  const cases: [string, Uint8Array | undefined][] = [
    ['gone', undefined],
    ['empty', new Uint8Array(0)],
    ['cut', stored.slice(0, stored.length - 1)],
  ];
  for (let at = 0; at < stored.length; at++) {
    const changed = stored.slice();
    changed[at]! ^= 1;
    cases.push([`flipped at ${at}`, changed]);
  }
  for (const [what, bytes] of cases) {
    if (bytes === undefined) disk.remove(path);
    else disk.writeFile(path, bytes);
    assert.equal(new RequestJournal(disk, CACHE).restore(marks), false, what);
  }
  disk.writeFile(path, stored);
  assert.equal(new RequestJournal(disk, CACHE).restore(marks), true);
});

test('RequestJournal.clear begins anew over files that were not believed', () => {
  const disk = diskWithCache();
  const journal = new RequestJournal(disk, CACHE);
  journal.remember(7, 0, [noteOf(1), noteOf(2), noteOf(3)]);
  const { marks } = journal.write();
  disk.writeFile(`${CACHE}/requests-0`, Buffer.from('nonsense'));
  const next = new RequestJournal(disk, CACHE);
  assert.equal(next.restore(marks), false);
  next.clear();
  assert.equal(find(next, 1), undefined);
  next.remember(8, 0, [noteOf(4)]);
  const written = next.write();
  const last = new RequestJournal(disk, CACHE);
  assert.equal(last.restore(written.marks), true);
  assert.deepEqual(find(last, 4), { first: 9, frame: 8 });
  assert.equal(find(last, 1), undefined);
});

test('RequestJournal.write that finds no room is made good by the next one', () => {
  const disk = diskWithCache();
  const journal = new RequestJournal(disk, CACHE);
  journal.remember(7, 0, [noteOf(1)]);
  for (const room of [0, 512]) {
    disk.capacityBytes = room;
    for (let number = 2; number < 40; number++) journal.remember(number, 0, [noteOf(number)]);
    assert.throws(() => journal.write(), { name: 'DiskError', code: 'full' });
  }
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  const { marks } = journal.write();
  const restored = new RequestJournal(disk, CACHE);
  assert.equal(restored.restore(marks), true);
  assert.deepEqual(find(restored, 1), { first: 8, frame: 7 });
});
