import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isProblem } from '../bytes/problem.ts';
import { SimulatedDisk } from '../disk/simulated-disk.ts';
import { FRAME_HEADER_BYTES } from '../sealed/frame-layout.ts';
import { SEGMENT_HEADER_BYTES } from '../sealed/segment-header.ts';
import { segmentPath } from './paths.ts';
import { listSegments, SegmentReader } from './segment-reader.ts';
import { PATHS, SimulatedLedger } from './testing/simulated-ledger.ts';

function smallLedger(): SimulatedLedger {
  const ledger = new SimulatedLedger();
  ledger.open();
  for (let n = 0; n < 12; n++)
    ledger.appendRecords(...Array.from({ length: 1 + n }, (_, i) => `{"n":${n},"i":${i}}`));
  ledger.writer.close();
  return ledger;
}

function openReader(disk: SimulatedDisk, segment = 1): SegmentReader {
  const reader = SegmentReader.open(disk, PATHS, segment);
  assert.ok(!isProblem(reader));
  return reader;
}

test('SegmentReader walks the same frames forwards, backwards and by index', () => {
  const ledger = smallLedger();
  const reader = openReader(ledger.disk);
  const end = reader.size();
  const forwards: { offset: number; first: number; entries: number }[] = [];
  for (let offset = SEGMENT_HEADER_BYTES; offset < end; ) {
    const header = reader.frameHeaderAt(offset);
    assert.ok(!isProblem(header));
    forwards.push({ offset, first: header.first, entries: header.controls + header.records });
    const frame = reader.frameAt(offset, end);
    assert.ok(!isProblem(frame));
    offset += frame.length;
  }
  assert.ok(forwards.length > 12);
  const backwards: number[] = [];
  for (let offset = end; offset > SEGMENT_HEADER_BYTES; ) {
    const start = reader.frameStartBefore(offset);
    assert.ok(typeof start === 'number');
    backwards.unshift(start);
    offset = start;
  }
  assert.deepEqual(
    backwards,
    forwards.map(({ offset }) => offset),
  );
  for (const { offset, first, entries } of forwards) {
    for (let index = first; index < first + entries; index++) {
      assert.equal(
        reader.findFrame(index, SEGMENT_HEADER_BYTES, end, () => {}),
        offset,
      );
    }
  }
  assert.notEqual(typeof reader.findFrame(ledger.writer.size, SEGMENT_HEADER_BYTES, end, () => {}), 'number');
  assert.notEqual(typeof reader.frameStartBefore(SEGMENT_HEADER_BYTES), 'number');
  assert.ok(isProblem(reader.frameAt(forwards.at(-1)!.offset, end - 1)));
});

test('SegmentReader says what is wrong with garbage, in bounded time, and never throws', () => {
  const whole = smallLedger().disk.readFile(segmentPath(PATHS, 1))!;
  const disk = new SimulatedDisk({ seed: 1 });
  disk.makeDirectory(PATHS.content);
  const tail = fc.oneof(
    fc.uint8Array({ maxLength: 4 * FRAME_HEADER_BYTES }),
    // What looks like a frame and is none.
    fc
      .uint8Array({ maxLength: 200 })
      .map((bytes) => Buffer.concat([Buffer.from('PLF\x01', 'latin1'), bytes])),
    fc.tuple(fc.nat(), fc.nat(255)).map(([at, value]) => {
      const changed = whole.slice(SEGMENT_HEADER_BYTES);
      changed[at % changed.length] = value;
      return changed;
    }),
  );
  fc.assert(
    fc.property(tail, fc.nat(), (bytes, place) => {
      disk.writeFile(segmentPath(PATHS, 1), Buffer.concat([whole.subarray(0, SEGMENT_HEADER_BYTES), bytes]));
      const reader = openReader(disk);
      const end = reader.size();
      const offset = place % (end + 10);
      reader.frameHeaderAt(offset);
      const frame = reader.frameAt(offset, end);
      if (!isProblem(frame)) assert.ok(frame.length <= end - offset);
      const start = reader.frameStartBefore(offset);
      if (typeof start === 'number') assert.ok(start >= SEGMENT_HEADER_BYTES && start <= offset);
      let steps = 0;
      reader.findFrame(place, SEGMENT_HEADER_BYTES, end, () => steps++);
      assert.ok(steps <= end / FRAME_HEADER_BYTES + 1);
      reader.close();
    }),
  );
});

test('SegmentReader.open refuses a header that is damaged, cut short, or of another segment', () => {
  const { disk } = smallLedger();
  const path = segmentPath(PATHS, 1);
  const whole = disk.readFile(path)!;
  for (let at = 0; at < SEGMENT_HEADER_BYTES; at++) {
    const changed = whole.slice();
    changed[at]! ^= 1;
    disk.writeFile(path, changed);
    assert.ok(isProblem(SegmentReader.open(disk, PATHS, 1)), `byte ${at}`);
    disk.writeFile(path, whole.subarray(0, at));
    assert.ok(isProblem(SegmentReader.open(disk, PATHS, 1)), `${at} bytes`);
  }
  disk.writeFile(segmentPath(PATHS, 2), whole);
  const other = SegmentReader.open(disk, PATHS, 2);
  assert.ok(isProblem(other));
  assert.match(other.problem, /says segment 1/);
});

test('listSegments counts whole segments only', () => {
  const { disk } = smallLedger();
  for (const name of ['0000000002.seg.tmp', '3.seg', 'x', '0000000004.segment']) {
    disk.writeFile(`${PATHS.content}/${name}`, new Uint8Array(1));
  }
  disk.writeFile(segmentPath(PATHS, 12), new Uint8Array(1));
  assert.deepEqual(listSegments(disk, PATHS), [1, 12]);
});
