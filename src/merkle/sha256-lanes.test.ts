import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeHex } from '../bytes/hex.ts';
import { hashLeaves, hashNodes, leafHash, nodeHash } from './hashes.ts';
import { LANE_ENTRY_BYTES_MAX, loadSha256Lanes } from './sha256-lanes.ts';

const lanes = loadSha256Lanes();
assert.ok(lanes, 'the pinned runtime has WebAssembly vectors');

const byNode = (prefix: number, message: Uint8Array) =>
  hash('sha256', Buffer.concat([Buffer.of(prefix), message]), 'hex');
const other = (entry: Uint8Array) => Buffer.from(byNode(0x00, entry), 'hex');

function hexes(hashes: Uint8Array): string[] {
  return Array.from({ length: hashes.length / 32 }, (_, i) =>
    encodeHex(hashes.subarray(32 * i, 32 * i + 32)),
  );
}

/** Entries with gaps between them, in one slab. */
function slabOf(entries: readonly Uint8Array[], gap: number) {
  const bytes = new Uint8Array(entries.reduce((length, entry) => length + gap + entry.length, 0)).fill(0xee);
  const starts = new Uint32Array(entries.length);
  const ends = new Uint32Array(entries.length);
  let at = 0;
  for (const [i, entry] of entries.entries()) {
    bytes.set(entry, at + gap);
    starts[i] = at + gap;
    at = ends[i] = at + gap + entry.length;
  }
  return { bytes, starts, ends };
}

test('hashLeaves agrees with node:crypto for every length and content', () => {
  const entry = fc.oneof(
    fc.uint8Array({ maxLength: LANE_ENTRY_BYTES_MAX }),
    fc.uint8Array({ minLength: 33, maxLength: 33 }),
    fc.uint8Array({ maxLength: 200 }),
  );
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 30 }), fc.nat({ max: 40 }), (entries, gap) => {
      const { bytes, starts, ends } = slabOf(entries, gap);
      const leaves = hexes(lanes.hashLeaves(bytes, starts, ends, other));
      assert.deepEqual(
        leaves,
        entries.map((entry) => byNode(0x00, entry)),
      );
    }),
    { numRuns: 300 },
  );
});

test('hashNodes agrees with node:crypto for every count and content', () => {
  fc.assert(
    fc.property(fc.nat({ max: 20 }), fc.infiniteStream(fc.nat({ max: 255 })), (count, stream) => {
      const pairs = Uint8Array.from(stream.take(64 * count));
      const expected = Array.from({ length: count }, (_, i) =>
        byNode(0x01, pairs.subarray(64 * i, 64 * i + 64)),
      );
      assert.deepEqual(hexes(lanes.hashNodes(pairs)), expected);
    }),
    { numRuns: 200 },
  );
});

test('batches beyond one call are hashed whole and in order', () => {
  for (const count of [1023, 1024, 1025, 3001]) {
    const entries = Array.from({ length: count }, (_, i) => Buffer.from(`entry ${i}`.repeat(1 + (i % 3))));
    const { bytes, starts, ends } = slabOf(entries, 2);
    assert.deepEqual(
      hexes(lanes.hashLeaves(bytes, starts, ends, other)),
      entries.map((entry) => byNode(0x00, entry)),
    );
    const pairs = Uint8Array.from({ length: 64 * count }, (_, i) => (i * 31 + (i >> 6)) & 0xff);
    assert.deepEqual(
      hexes(lanes.hashNodes(pairs)),
      Array.from({ length: count }, (_, i) => byNode(0x01, pairs.subarray(64 * i, 64 * i + 64))),
    );
  }
});

test('long entries among short ones, and entries out of order, are hashed all the same', () => {
  const long = (length: number) => new Uint8Array(length).fill(length);
  const entries = [1, 65_535, 2, 200_000, 3, 70_000, 70_000, 54, 55, 0].map(long);
  const { bytes, starts, ends } = slabOf(entries, 0);
  const expected = entries.map((entry) => byNode(0x00, entry));
  assert.deepEqual(hexes(lanes.hashLeaves(bytes, starts, ends, other)), expected);
  assert.deepEqual(
    hexes(lanes.hashLeaves(bytes, starts.toReversed(), ends.toReversed(), other)),
    expected.toReversed(),
  );
});

test('hashLeaves and hashNodes give the same before and after they change over to lanes', () => {
  const entries = Array.from({ length: 5000 }, (_, i) => Buffer.from(`entry ${i}`));
  const slab = slabOf(entries, 2);
  const leaves = Buffer.concat(entries.map(leafHash));
  const nodes = Array.from({ length: 2500 }, (_, i) =>
    nodeHash(leaves.subarray(64 * i, 64 * i + 32), leaves.subarray(64 * i + 32, 64 * i + 64)),
  );
  for (let round = 0; round < 8; round++) {
    assert.deepEqual(hexes(hashLeaves(slab)), hexes(leaves));
    assert.deepEqual(hexes(hashNodes(leaves)), nodes.map(encodeHex));
  }
  assert.throws(() => hashNodes(new Uint8Array(63)), RangeError);
});
