// The round trip of a frame, with its keys: what was sealed is what is opened, and nothing else opens.

import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { isProblem } from '../bytes/problem.ts';
import { encodeControls, FRAME_HEADER_BYTES, parseFrame } from './frame-layout.ts';
import { openDictionary, openFrame, openRequests } from './open-frame.ts';
import { type FrameInput, type SlabItems, sealFrame } from './seal-frame.ts';

const secrets = { origin: 'example.org/audit/access', epoch: 3, epochKey: Buffer.alloc(32, 0x4b) };
const noDictionary = () => ({ problem: 'no dictionary expected' });

function slabOf(items: readonly Uint8Array[]): SlabItems {
  const slab = new Uint8Array(items.reduce((size, item) => size + 32 + item.length, 0));
  const starts = new Uint32Array(items.length);
  const ends = new Uint32Array(items.length);
  let at = 0;
  for (const [i, item] of items.entries()) {
    at += 32;
    slab.set(item, at);
    starts[i] = at;
    at += item.length;
    ends[i] = at;
  }
  return { slab, starts, ends };
}

function input(change: Partial<FrameInput>): FrameInput {
  return {
    ...secrets,
    first: 100,
    blockId: Buffer.alloc(32, 0xb1),
    controls: [],
    records: [],
    quarantined: [],
    ...change,
  };
}

function opened(frame: Buffer, dictionary: Parameters<typeof openFrame>[2] = noDictionary) {
  const result = openFrame(frame, secrets, dictionary);
  assert.ok(!isProblem(result), JSON.stringify(result));
  return result;
}

const texts = (items: readonly Uint8Array[]) => items.map((item) => Buffer.from(item).toString('latin1'));

const lines = Array.from({ length: 40 }, (_, i) => Buffer.from(`{"user.name":"u${i % 7}","n":${i}}`));
const full = sealFrame(
  input({
    controls: [Buffer.from('\x10{"type":"gap","v":1}', 'latin1')],
    records: [slabOf(lines)],
    quarantined: [slabOf([Buffer.from('{"raw":""}')])],
    requests: Buffer.from('[]'),
    newDictionary: Buffer.from('an earlier record'),
  }),
);

describe('openFrame', () => {
  it('returns what sealFrame was given, for any batches', () => {
    const item = fc.uint8Array({ maxLength: 300 });
    const batches = fc.array(fc.array(item, { minLength: 1, maxLength: 20 }), { maxLength: 4 });
    const optional = fc.option(fc.uint8Array({ maxLength: 100 }), { nil: undefined });
    fc.assert(
      fc.property(batches, batches, optional, optional, (records, quarantined, requests, newDictionary) => {
        fc.pre(records.length + quarantined.length > 0);
        const sealed = sealFrame(
          input({
            records: records.map(slabOf),
            quarantined: quarantined.map(slabOf),
            requests,
            newDictionary,
          }),
        );
        const frame = opened(sealed.frame);
        assert.deepEqual(texts(frame.records), texts(records.flat()));
        assert.deepEqual(texts(frame.quarantined), texts(quarantined.flat()));
        assert.deepEqual(
          frame.requests === undefined ? undefined : [...frame.requests],
          requests === undefined ? undefined : [...requests],
        );
        if (newDictionary !== undefined) {
          assert.deepEqual(openDictionary(sealed.frame, secrets), Buffer.from(newDictionary));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('gives salts that make the commitments', () => {
    const { records, quarantined, salts } = opened(full.frame);
    for (const [i, item] of [...records, ...quarantined].entries()) {
      const salt = salts.subarray(32 * i, 32 * (i + 1));
      const commitment = full.commitments.subarray(32 * i, 32 * (i + 1));
      assert.deepEqual(hash('sha256', Buffer.concat([salt, item]), 'buffer'), commitment);
    }
    assert.equal(
      new Set(Array.from({ length: 41 }, (_, i) => salts.toString('hex', 32 * i, 32 * i + 32))).size,
      41,
    );
  });

  it('asks for the dictionary of the frame that was named, and needs the right one', () => {
    const dictionary = Buffer.concat(lines);
    const sealed = sealFrame(
      input({ records: [slabOf(lines)], dictionary: { bytes: dictionary, frame: 77 } }),
    );
    const plain = sealFrame(input({ records: [slabOf(lines)] }));
    assert.ok(sealed.frame.length < plain.frame.length);
    const asked: number[] = [];
    const frame = opened(sealed.frame, (first) => {
      asked.push(first);
      return dictionary;
    });
    assert.deepEqual(asked, [77]);
    assert.deepEqual(texts(frame.records), texts(lines));
    assert.deepEqual(openFrame(sealed.frame, secrets, noDictionary), noDictionary());
    const other = openFrame(sealed.frame, secrets, () => Buffer.from('something else'));
    assert.ok(isProblem(other) || texts(other.records).join() !== texts(lines).join());
  });

  it('does not open under another key, origin or epoch', () => {
    for (const change of [
      { epochKey: Buffer.alloc(32, 1) },
      { origin: 'example.org/audit/custody' },
      { epoch: 4 },
    ]) {
      assert.ok(isProblem(openFrame(full.frame, { ...secrets, ...change }, noDictionary)));
      assert.ok(isProblem(openDictionary(full.frame, { ...secrets, ...change })));
      const requests = openRequests(full.frame, { ...secrets, ...change });
      assert.ok(requests !== undefined && isProblem(requests));
    }
  });

  it('finds every flipped bit', () => {
    for (let bit = 0; bit < full.frame.length * 8; bit++) {
      const frame = Buffer.from(full.frame);
      frame[bit >> 3]! ^= 1 << (bit & 7);
      assert.ok(isProblem(openFrame(frame, secrets, noDictionary)), `bit ${bit}`);
    }
  });

  it('finds a flipped bit behind a checksum that was made right again', () => {
    const parsed = parseFrame(full.frame);
    assert.ok(!isProblem(parsed));
    const plainEnd =
      FRAME_HEADER_BYTES + 4 + encodeControls([Buffer.from('\x10{"type":"gap","v":1}', 'latin1')]).length;
    // The first dictionary byte to the last are covered when that section is opened; openFrame itself leaves it alone.
    const dictionary = parsed.sections.dictionary!;
    const dictionaryStart = dictionary.byteOffset - full.frame.byteOffset;
    for (let at = 8; at < full.frame.length - 8; at++) {
      if (at >= FRAME_HEADER_BYTES && at < plainEnd) continue;
      const frame = Buffer.from(full.frame);
      frame[at]! ^= 0x10;
      frame.writeUInt32BE(crc32(frame.subarray(0, frame.length - 8)), frame.length - 8);
      const inDictionary = at >= dictionaryStart && at < dictionaryStart + dictionary.length;
      const result = inDictionary ? openDictionary(frame, secrets) : openFrame(frame, secrets, noDictionary);
      assert.ok(isProblem(result), `byte ${at}`);
    }
  });

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(full.frame.length - 1), fc.nat(255)), { maxLength: 12 }),
        fc.nat(full.frame.length),
        (changes, end) => {
          const frame = Buffer.from(full.frame.subarray(0, end));
          for (const [at, byte] of changes) if (at < frame.length) frame[at] = byte;
          if (frame.length >= 76) {
            frame.writeUInt32BE(frame.length, 4);
            frame.writeUInt32BE(frame.length, frame.length - 4);
            frame.writeUInt32BE(crc32(frame.subarray(0, frame.length - 8)), frame.length - 8);
          }
          openFrame(frame, secrets, noDictionary);
          openDictionary(frame, secrets);
          openRequests(frame, secrets);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('opens a frame of records that compress to almost nothing', () => {
    const sealed = sealFrame(input({ records: [slabOf(new Array(200_000).fill(Buffer.from('{"a":1}')))] }));
    assert.equal(opened(sealed.frame).records.length, 200_000);
  });
});
