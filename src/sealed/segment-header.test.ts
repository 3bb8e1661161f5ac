import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { isProblem } from '../bytes/problem.ts';
import {
  EMPTY_CHAIN,
  encodeSegmentHeader,
  extendChain,
  originHash,
  parseSegmentHeader,
  SEGMENT_HEADER_BYTES,
  segmentFileName,
} from './segment-header.ts';

const good = encodeSegmentHeader({
  segment: 2,
  epoch: 1,
  first: 77,
  previousChain: Buffer.alloc(32, 7),
  previousLength: 4711,
  originHash: originHash('example.org/audit/access'),
});

describe('parseSegmentHeader', () => {
  it('reads what encodeSegmentHeader wrote', () => {
    const digest = () => fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(
        fc.record(
          {
            segment: fc.maxSafeNat(),
            epoch: fc.maxSafeNat(),
            first: fc.maxSafeNat(),
            previousChain: digest(),
            previousLength: fc.maxSafeNat(),
            originHash: digest(),
          },
          { noNullPrototype: true },
        ),
        (header) => assert.deepEqual(parseSegmentHeader(encodeSegmentHeader(header)), header),
      ),
    );
  });

  it('finds every flipped bit', () => {
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bytes = Buffer.from(good);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      assert.ok(isProblem(parseSegmentHeader(bytes)), `bit ${bit}`);
    }
  });

  it('rejects a header cut anywhere, reserved bytes and impossible numbers', () => {
    for (let end = 0; end < SEGMENT_HEADER_BYTES; end++) {
      assert.ok(isProblem(parseSegmentHeader(good.subarray(0, end))));
    }
    for (const at of [8, 16, 24, 64, 104, 123]) {
      const bytes = Buffer.from(good);
      bytes[at] = 0x80;
      bytes.writeUInt32BE(crc32(bytes.subarray(0, 124)), 124);
      assert.ok(isProblem(parseSegmentHeader(bytes)), `byte ${at}`);
    }
  });

  it('never throws on arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        assert.ok(isProblem(parseSegmentHeader(Buffer.from(bytes))));
      }),
    );
  });
});

describe('extendChain', () => {
  it('is SHA-256(chain ‖ SHA-256(bytes)), from 32 zero bytes', () => {
    const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
    const bytes = Buffer.from('a frame');
    assert.deepEqual([...EMPTY_CHAIN], new Array(32).fill(0));
    assert.deepEqual(extendChain(EMPTY_CHAIN, bytes), sha256(EMPTY_CHAIN, sha256(bytes)));
  });
});

describe('segmentFileName', () => {
  it('has ten digits', () => assert.equal(segmentFileName(12), '0000000012.seg'));
});
