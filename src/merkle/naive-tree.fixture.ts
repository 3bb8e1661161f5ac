// For tests: an RFC 6962 tree by its definition, in memory, and the tiles that such a tree has.

import { EMPTY_ROOT, HASH_BYTES, leafHash, nodeHash } from './hashes.ts';
import { TILE_WIDTH, type Tile, tilePath, tilesOfSize } from './tiles.ts';
import type { HashReader } from './tree.ts';

/** The entry of an index: some text that no other index has. */
export function sampleEntry(index: number): Uint8Array {
  return Buffer.from(`entry ${index}`);
}

const subtrees: Uint8Array[][] = [];

/** Hashes of the endless tree of sample entries. Kept, because every test walks the same tree. */
export const readSample: HashReader = (level, index) => {
  subtrees[level] ??= [];
  subtrees[level][index] ??=
    level === 0
      ? leafHash(sampleEntry(index))
      : nodeHash(readSample(level - 1, 2 * index), readSample(level - 1, 2 * index + 1));
  return subtrees[level][index];
};

/** MTH(D[start:end]) of RFC 6962, section 2.1. */
export function naiveRoot(start: number, end: number): Uint8Array {
  const count = end - start;
  if (count === 0) return EMPTY_ROOT;
  if (count === 1) return readSample(0, start);
  let split = 1;
  while (split * 2 < count) split *= 2;
  return nodeHash(naiveRoot(start, start + split), naiveRoot(start + split, end));
}

/** Leaf hashes of the sample entries from `start` up to `end`, one after the other. */
export function sampleLeaves(start: number, end: number): Uint8Array {
  const hashes = new Uint8Array((end - start) * HASH_BYTES);
  for (let index = start; index < end; index++)
    hashes.set(readSample(0, index), (index - start) * HASH_BYTES);
  return hashes;
}

export function sampleTile({ level, index, width }: Tile): Uint8Array {
  const bytes = new Uint8Array(width * HASH_BYTES);
  for (let i = 0; i < width; i++) bytes.set(readSample(8 * level, index * TILE_WIDTH + i), i * HASH_BYTES);
  return bytes;
}

/** A published directory of a tree of this size: path → bytes of every tile of hashes. */
export function sampleTiles(size: number): Map<string, Uint8Array> {
  return new Map([...tilesOfSize(size)].map((tile) => [tilePath(tile), sampleTile(tile)]));
}
