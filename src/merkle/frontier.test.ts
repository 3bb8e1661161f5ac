import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeHex } from '../bytes/hex.ts';
import { TreeFrontier } from './frontier.ts';
import { HASH_BYTES } from './hashes.ts';
import { naiveRoot, sampleLeaves, sampleTile } from './naive-tree.fixture.ts';
import { newTiles, partialTiles, type Tile, tilePath } from './tiles.ts';

test('TreeFrontier has the root of the definition after each leaf', () => {
  const frontier = new TreeFrontier();
  for (let size = 0; size <= 600; size++) {
    assert.equal(frontier.size, size);
    assert.equal(encodeHex(frontier.root()), encodeHex(naiveRoot(0, size)));
    frontier.append(sampleLeaves(size, size + 1));
  }
});

test('TreeFrontier gives the same tiles and roots however its leaves are batched', () => {
  const batches = fc.array(fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: 900 })), { maxLength: 12 });
  fc.assert(
    fc.property(batches, (batches) => {
      const frontier = new TreeFrontier();
      for (const count of batches) {
        const oldSize = frontier.size;
        const size = oldSize + count;
        const full = frontier.append(sampleLeaves(oldSize, size));
        const written = [...full, ...frontier.partialTiles()];
        const bytes = new Map(written.map((tile) => [tilePath(tile), tile.bytes]));
        for (const tile of newTiles(oldSize, size)) {
          assert.deepEqual(bytes.get(tilePath(tile)), sampleTile(tile), tilePath(tile));
        }
        assert.deepEqual(full.map(tilePath).sort(), fullTiles(oldSize, size));
        assert.deepEqual(frontier.partialTiles().map(tilePath), partialTiles(size).map(tilePath));
        assert.equal(encodeHex(frontier.root()), encodeHex(naiveRoot(0, size)));
      }
    }),
    { numRuns: 40 },
  );
});

function fullTiles(oldSize: number, size: number): string[] {
  return [...newTiles(oldSize, size)]
    .filter(({ width }) => width === 256)
    .map(tilePath)
    .sort();
}

test('TreeFrontier.append reports a level’s full tile before the one above it', () => {
  const full = new TreeFrontier().append(sampleLeaves(0, 65_536));
  assert.equal(full.length, 257);
  assert.deepEqual({ level: full[256]!.level, index: full[256]!.index }, { level: 1, index: 0 });
});

test('TreeFrontier.fromTiles goes on where the tiles end', () => {
  for (const size of [0, 1, 255, 256, 257, 511, 512, 600, 65_536, 66_000]) {
    const reads: Tile[] = [];
    const restored = TreeFrontier.fromTiles(size, (tile) => {
      reads.push(tile);
      return sampleTile(tile);
    });
    assert.ok(reads.every(({ width }) => width < 256));
    assert.equal(encodeHex(restored.root()), encodeHex(naiveRoot(0, size)));
    restored.append(sampleLeaves(size, size + 300));
    assert.equal(encodeHex(restored.root()), encodeHex(naiveRoot(0, size + 300)));
  }
});

test('TreeFrontier.fromTiles refuses missing tiles; append refuses parts of hashes', () => {
  assert.throws(() => TreeFrontier.fromTiles(3, () => undefined), { name: 'TileError' });
  assert.throws(() => TreeFrontier.fromTiles(3, () => new Uint8Array(2 * HASH_BYTES)), { name: 'TileError' });
  assert.throws(() => TreeFrontier.fromTiles(-1, () => undefined), RangeError);
  assert.throws(() => new TreeFrontier().append(new Uint8Array(33)), RangeError);
});

test('TreeFrontier.rightEdge has one subtree for each bit of the size', () => {
  const frontier = new TreeFrontier();
  frontier.append(sampleLeaves(0, 0b10_0101_1011));
  const starts = [0, 512, 576, 592, 600, 602, 603];
  assert.deepEqual(
    frontier.rightEdge().map(encodeHex),
    starts.slice(0, -1).map((start, i) => encodeHex(naiveRoot(start, starts[i + 1]!))),
  );
});
