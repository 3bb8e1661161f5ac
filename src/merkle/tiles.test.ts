import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeHex } from '../bytes/hex.ts';
import { isProblem } from '../bytes/problem.ts';
import { hashLeaves } from './hashes.ts';
import { naiveRoot, readSample, sampleEntry, sampleLeaves, sampleTiles } from './naive-tree.fixture.ts';
import {
  bundlePath,
  encodeBundle,
  newTiles,
  parseBundle,
  parseTilePath,
  partialTiles,
  rootFromTiles,
  TILE_WIDTH,
  type Tile,
  TileError,
  tileHashReader,
  tilePath,
  tilesOfSize,
} from './tiles.ts';
import { inclusionProof, treeRoot } from './tree.ts';

test('tilePath and bundlePath write the specification’s example', () => {
  assert.equal(tilePath({ level: 0, index: 1234067, width: 256 }), 'tile/0/x001/x234/067');
  assert.equal(tilePath({ level: 0, index: 1234067, width: 112 }), 'tile/0/x001/x234/067.p/112');
  assert.equal(tilePath({ level: 3, index: 0, width: 1 }), 'tile/3/000.p/1');
  assert.equal(bundlePath({ index: 1000, width: 256 }), 'tile/entries/x001/000');
});

test('parseTilePath reverses both', () => {
  const tile = fc.record({
    level: fc.nat({ max: 63 }),
    index: fc.oneof(fc.maxSafeNat(), fc.nat({ max: 2000 })),
    width: fc.integer({ min: 1, max: 256 }),
  });
  fc.assert(
    fc.property(tile, (tile) => {
      assert.deepEqual(parseTilePath(tilePath(tile)), { kind: 'hashes', ...tile });
      assert.deepEqual(parseTilePath(bundlePath(tile)), { kind: 'entries', ...tile, level: 0 });
    }),
  );
});

test('parseTilePath refuses every other spelling', () => {
  const others = `
    tile tile/ tile/0 tile/0/ tile/0/0 tile/0/00 tile/0/0000 tile/00/000 tile/64/000 tile/-1/000 tile/0/000/ /tile/0/000
    tile/0/x000/000 tile/0/000/000 tile/0/x001/x002 tile/0/x001/x000/ tile/0/000.p tile/0/000.p/ tile/0/000.p/0
    tile/0/000.p/01 tile/0/000.p/256 tile/0/000.p/999 tile/0/000.p/1000 tile/0/000.P/1 tile/data/000 tile/entries/x000/001
    tile/0/x999/x999/x999/x999/x999/999 tile/0/x001/x001/x001/x001/x001/x001/001 tile/0/../000 tile/0/٠٠٠ Tile/0/000`;
  for (const path of others.trim().split(/\s+/)) assert.equal(parseTilePath(path), undefined, path);
  assert.equal(parseTilePath('tile/0/000\n'), undefined);
  assert.equal(parseTilePath(''), undefined);
});

test('tilesOfSize 70,000 is the specification’s example', () => {
  const tiles = [...tilesOfSize(70_000)];
  const of = (level: number, full: boolean) =>
    tiles.filter((tile) => tile.level === level && (tile.width === TILE_WIDTH) === full);
  assert.equal(of(0, true).length, 273);
  assert.deepEqual(of(0, false), [{ level: 0, index: 273, width: 112 }]);
  assert.equal(of(1, true).length, 1);
  assert.deepEqual(of(1, false), [{ level: 1, index: 1, width: 17 }]);
  assert.deepEqual(of(2, false), [{ level: 2, index: 0, width: 1 }]);
  assert.equal(tiles.length, 277);
  assert.deepEqual(
    partialTiles(70_000),
    tiles.filter(({ width }) => width < TILE_WIDTH),
  );
  assert.deepEqual(
    [...tilesOfSize(256)],
    [
      { level: 0, index: 0, width: 256 },
      { level: 1, index: 0, width: 1 },
    ],
  );
  assert.deepEqual([...tilesOfSize(0)], []);
});

test('newTiles are the tiles of the new size that the old size lacked', () => {
  const paths = (tiles: Iterable<Tile>) => [...tiles].map(tilePath);
  const size = fc.oneof(fc.nat({ max: 2000 }), fc.integer({ min: 65_000, max: 67_000 }));
  fc.assert(
    fc.property(size, size, (a, b) => {
      const [oldSize, size] = [Math.min(a, b), Math.max(a, b)];
      const old = new Set(paths(tilesOfSize(oldSize)));
      assert.deepEqual(
        paths(newTiles(oldSize, size)),
        paths(tilesOfSize(size)).filter((path) => !old.has(path)),
      );
    }),
  );
});

test('tileHashReader serves its own size and every smaller one', () => {
  const tiles = sampleTiles(700);
  const read = tileHashReader(700, (tile) => tiles.get(tilePath(tile)));
  for (let size = 0; size <= 700; size++) {
    assert.equal(encodeHex(treeRoot(size, read)), encodeHex(naiveRoot(0, size)));
  }
  for (const size of [3, 256, 300, 512, 700]) {
    for (let index = 0; index < size; index += 5) {
      const proof = inclusionProof(index, size, read);
      assert.deepEqual(proof.map(encodeHex), inclusionProof(index, size, readSample).map(encodeHex));
    }
  }
});

test('tileHashReader takes a full tile for a partial one that has been deleted', () => {
  const tiles = sampleTiles(512);
  const readTile = (tile: Tile) =>
    tiles.get(tilePath(tile)) ?? tiles.get(tilePath({ ...tile, width: TILE_WIDTH }));
  for (const size of [1, 200, 255]) {
    assert.equal(encodeHex(rootFromTiles(size, readTile)), encodeHex(naiveRoot(0, size)));
  }
});

test('rootFromTiles works where a level 1 tile is full', () => {
  const size = 66_000;
  const tiles = sampleTiles(size);
  const root = rootFromTiles(size, (tile) => tiles.get(tilePath(tile)));
  assert.equal(encodeHex(root), encodeHex(naiveRoot(0, size)));
});

test('tileHashReader names the tile that is missing or has the wrong length', () => {
  const tiles = sampleTiles(300);
  const read = (size: number) => rootFromTiles(size, (tile) => tiles.get(tilePath(tile)));
  tiles.delete('tile/0/001.p/44');
  assert.throws(() => read(300), {
    name: 'TileError',
    message: 'Cannot read tile/0/001.p/44: there is no such tile',
  });
  tiles.set('tile/0/001.p/44', new Uint8Array(43 * 32));
  assert.throws(() => read(300), TileError);
  assert.throws(() => tileHashReader(300, () => undefined)(0, 300), RangeError);
});

test('a bundle is read back as it was written', () => {
  const entries = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 256 });
  fc.assert(
    fc.property(entries, (entries) => {
      const bundle = encodeBundle(entries);
      const slab = parseBundle(bundle, entries.length);
      if (isProblem(slab)) assert.fail(slab.problem);
      assert.deepEqual(
        entries.map((_, i) => bundle.subarray(slab.starts[i], slab.ends[i])),
        entries,
      );
      assert.ok(isProblem(parseBundle(bundle, entries.length + 1)));
      if (entries.length > 0) {
        assert.ok(isProblem(parseBundle(bundle, entries.length - 1)));
        assert.ok(isProblem(parseBundle(bundle.subarray(0, -1), entries.length)));
      }
    }),
  );
  const longest = new Uint8Array(65_535).fill(7);
  assert.ok(!isProblem(parseBundle(encodeBundle([longest]), 1)));
  assert.throws(() => encodeBundle([new Uint8Array(65_536)]), RangeError);
});

test('the hashes of a bundle’s entries are the level 0 tile', () => {
  const entries = Array.from({ length: 256 }, (_, index) => sampleEntry(index));
  const slab = parseBundle(encodeBundle(entries), 256);
  if (isProblem(slab)) assert.fail(slab.problem);
  assert.deepEqual(hashLeaves(slab), sampleLeaves(0, 256));
});
