import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { isProblem } from '../bytes/problem.ts';
import {
  encodeControls,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  FRAME_TRAILER_BYTES,
  type FrameHeader,
  parseControls,
  parseFrame,
  parseFrameHeader,
  writeFrameHeader,
  writeSections,
} from './frame-layout.ts';

const header: FrameHeader = {
  length: FRAME_HEADER_BYTES + FRAME_TRAILER_BYTES + 4 + 10 + 4 + 20,
  first: 2 ** 40 + 7,
  controls: 1,
  records: 300,
  quarantined: 0,
  hasRequests: false,
  hasDictionary: false,
  dictionaryFrame: 4096,
  blockId: Buffer.alloc(32, 0xb1),
};

function frameOf(sections: { control: Buffer; records: Buffer }): Buffer {
  const frame = Buffer.alloc(header.length);
  writeFrameHeader(header, frame);
  writeSections(frame, sections);
  return frame;
}

const good = frameOf({ control: Buffer.alloc(10, 1), records: Buffer.alloc(20, 2) });

/** Damage that keeps the checksum right, so that what is tested is the check behind it. */
function resealed(change: (frame: Buffer) => void): Buffer {
  const frame = Buffer.from(good);
  change(frame);
  frame.writeUInt32BE(crc32(frame.subarray(0, frame.length - 8)), frame.length - 8);
  return frame;
}

describe('parseFrameHeader', () => {
  it('reads what writeFrameHeader wrote', () => {
    const number = (max: number) => fc.integer({ min: 0, max });
    fc.assert(
      fc.property(
        fc.record(
          {
            length: fc.integer({ min: 76, max: FRAME_BYTES_MAX }),
            first: fc.integer({ min: 2 ** 32, max: Number.MAX_SAFE_INTEGER }),
            controls: fc.integer({ min: 1, max: 0xffff }),
            records: number(1000),
            quarantined: number(1000),
            hasRequests: fc.boolean(),
            hasDictionary: fc.boolean(),
            dictionaryFrame: number(2 ** 32),
            blockId: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes)),
          },
          { noNullPrototype: true },
        ),
        fc.nat(100),
        (written, offset) => {
          fc.pre(written.controls + written.records + written.quarantined <= written.length * 1024);
          const bytes = Buffer.alloc(offset + FRAME_HEADER_BYTES);
          writeFrameHeader(written, bytes.subarray(offset));
          assert.deepEqual(parseFrameHeader(bytes, offset), written);
        },
      ),
    );
  });

  for (const [name, change] of [
    ['another magic', (h: Buffer) => h.writeUInt8(2, 3)],
    ['a length that holds no frame', (h: Buffer) => h.writeUInt32BE(75, 4)],
    ['a length beyond the bound', (h: Buffer) => h.writeUInt32BE(FRAME_BYTES_MAX + 1, 4)],
    ['an index that no number holds', (h: Buffer) => h.writeBigUInt64BE(2n ** 53n, 8)],
    ['a dictionary in a later frame', (h: Buffer) => h.writeBigUInt64BE(2n ** 40n + 8n, 28)],
    ['an unknown flag', (h: Buffer) => h.writeUInt16BE(4, 16)],
    ['no entries', (h: Buffer) => h.fill(0, 18, 28)],
    ['more entries than its bytes could hold', (h: Buffer) => h.writeUInt32BE(0xffffffff, 20)],
  ] as const) {
    it(`rejects ${name}`, () => {
      const bytes = Buffer.from(good.subarray(0, FRAME_HEADER_BYTES));
      change(bytes);
      assert.ok(isProblem(parseFrameHeader(bytes)));
    });
  }

  it('rejects a header that is cut short', () => {
    assert.ok(isProblem(parseFrameHeader(good.subarray(0, FRAME_HEADER_BYTES - 1))));
  });
});

describe('parseFrame', () => {
  it('returns the sections that were written', () => {
    const parsed = parseFrame(good);
    assert.ok(!isProblem(parsed));
    assert.deepEqual(parsed.header, header);
    assert.deepEqual(parsed.sections, { control: Buffer.alloc(10, 1), records: Buffer.alloc(20, 2) });
  });

  for (const [name, frame] of [
    ['a section longer than the frame', resealed((f) => f.writeUInt32BE(1000, FRAME_HEADER_BYTES))],
    ['a section that leaves bytes over', resealed((f) => f.writeUInt32BE(9, FRAME_HEADER_BYTES))],
    ['a missing section', resealed((f) => f.writeUInt16BE(3, 16))],
    ['a section without its count', resealed((f) => f.writeUInt16BE(0, 18))],
    ['a frame one byte short', good.subarray(0, -1)],
    ['a frame one byte long', Buffer.concat([good, Buffer.alloc(1)])],
  ] as const) {
    it(`rejects ${name}`, () => assert.ok(isProblem(parseFrame(Buffer.from(frame)))));
  }

  it('finds every flipped bit', () => {
    for (let bit = 0; bit < good.length * 8; bit++) {
      const frame = Buffer.from(good);
      frame[bit >> 3]! ^= 1 << (bit & 7);
      assert.ok(isProblem(parseFrame(frame)), `bit ${bit}`);
    }
  });

  it('never throws on arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, plausible) => {
        const frame = Buffer.from(bytes);
        if (plausible && frame.length >= 76) {
          good.copy(frame, 0, 0, 16);
          frame.writeUInt32BE(frame.length, 4);
          frame.writeUInt32BE(frame.length, frame.length - 4);
          frame.writeUInt32BE(crc32(frame.subarray(0, frame.length - 8)), frame.length - 8);
        }
        const parsed = parseFrame(frame);
        if (isProblem(parsed)) assert.equal(typeof parsed.problem, 'string');
      }),
      { numRuns: 2000 },
    );
  });
});

describe('parseControls', () => {
  it('returns what encodeControls was given', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 }), (entries) => {
        const parsed = parseControls(encodeControls(entries), entries.length);
        assert.ok(!isProblem(parsed));
        assert.deepEqual(
          parsed.map((entry) => [...entry]),
          entries.map((entry) => [...entry]),
        );
      }),
    );
  });

  it('rejects another count and a section cut anywhere', () => {
    const section = encodeControls([Buffer.from('ab'), Buffer.from('cde')]);
    assert.ok(isProblem(parseControls(section, 1)));
    assert.ok(isProblem(parseControls(section, 3)));
    for (let end = 0; end < section.length; end++) {
      assert.ok(isProblem(parseControls(section.subarray(0, end), 2)), `cut at ${end}`);
    }
  });
});
