// Tiles: where a tree's hashes and entries lie (C2SP tlog-tiles), and reading them back.
//
//   tile/0/x001/x234/067          hashes of leaves 1234067×256 …       256 hashes of 32 bytes
//   tile/0/x001/x234/067.p/112    the same place, so far 112 wide      a partial tile, at the tree's right edge
//   tile/1/…                      each hash is the root of a full tile of level 0; level 2 of level 1, and so on
//   tile/entries/…                the entries under the level 0 tile of the same index, each uint16 length ‖ entry
//
// Nothing here does I/O: paths are text, and a TileReader hands in the bytes. Bytes from a TileReader may be anything; what is
// checked is their length, and everything else follows when the root computed from them meets a signed one.

import type { ProblemFound } from '../bytes/problem.ts';
import { type EntrySlab, HASH_BYTES, hashNodes } from './hashes.ts';
import { type HashReader, treeRoot } from './tree.ts';

/** Hashes in a full tile, entries in a full bundle; a tile is a subtree of this height. */
export const TILE_WIDTH = 256;
export const TILE_HEIGHT = 8;

/** Seven levels of tiles reach 2^56 leaves; we count to 2^53. The format goes to 63. */
const LEVEL_MAX = 63;
export const ENTRY_BYTES_MAX = 0xffff;

export interface Tile {
  readonly level: number;
  readonly index: number;
  /** 1 to 255 for a partial tile, 256 for a full one. */
  readonly width: number;
}

/** The path of a tile of hashes, relative to the ledger's directory or address. */
export function tilePath(tile: Tile): string {
  return `tile/${tile.level}/${indexPath(tile)}`;
}

/** The path of the entries under the level 0 tile of this index and width. */
export function bundlePath(place: { readonly index: number; readonly width: number }): string {
  return `tile/entries/${indexPath(place)}`;
}

function indexPath({ index, width }: { readonly index: number; readonly width: number }): string {
  let path = String(index % 1000).padStart(3, '0');
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    path = `x${String(rest % 1000).padStart(3, '0')}/${path}`;
  }
  return width === TILE_WIDTH ? path : `${path}.p/${width}`;
}

export interface TilePath extends Tile {
  readonly kind: 'hashes' | 'entries';
}

// Six groups of three digits hold every index below 2^53.
const TILE_PATH =
  /^tile\/(entries|0|[1-9][0-9]?)\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;

/** Undefined for every text that `tilePath` or `bundlePath` would not have written. */
export function parseTilePath(path: string): TilePath | undefined {
  const parts = TILE_PATH.exec(path);
  if (parts === null) return undefined;
  const level = parts[1] === 'entries' ? 0 : Number(parts[1]);
  const digits = parts[2]!.replaceAll(/[x/]/g, '');
  const index = Number(digits);
  const width = parts[3] === undefined ? TILE_WIDTH : Number(parts[3]);
  if (level > LEVEL_MAX || !Number.isSafeInteger(index)) return undefined;
  if (digits.length > 3 && digits.startsWith('000')) return undefined;
  if (parts[3] !== undefined && width >= TILE_WIDTH) return undefined;
  return { kind: parts[1] === 'entries' ? 'entries' : 'hashes', level, index, width };
}

/** All tiles of hashes of a tree, level by level from the leaves, left to right. Each level 0 tile has its bundle of entries. */
export function tilesOfSize(size: number): Generator<Tile> {
  return newTiles(0, size);
}

/** The tiles that a tree of `size` has and the tree of `oldSize` had not: what publishing it has to write. */
export function* newTiles(oldSize: number, size: number): Generator<Tile> {
  for (let level = 0, hashes = size, oldHashes = oldSize; hashes > 0; level++) {
    const full = Math.floor(hashes / TILE_WIDTH);
    const oldFull = Math.floor(oldHashes / TILE_WIDTH);
    for (let index = oldFull; index < full; index++) yield { level, index, width: TILE_WIDTH };
    const width = hashes % TILE_WIDTH;
    if (width > 0 && hashes !== oldHashes) yield { level, index: full, width };
    hashes = full;
    oldHashes = oldFull;
  }
}

/** The partial tiles of a tree, from the leaves up. With the next size's full tiles in place they may be deleted. */
export function partialTiles(size: number): Tile[] {
  const tiles: Tile[] = [];
  for (let level = 0, hashes = size; hashes > 0; level++) {
    const width = hashes % TILE_WIDTH;
    const index = Math.floor(hashes / TILE_WIDTH);
    if (width > 0) tiles.push({ level, index, width });
    hashes = index;
  }
  return tiles;
}

/**
 * A tile's bytes. For a partial tile the full tile of the same place will do too, as partial ones may be deleted once the
 * full one exists. Undefined where there is neither.
 */
export type TileReader = (tile: Tile) => Uint8Array | undefined;

/** A tile was missing or had the wrong length. */
export class TileError extends Error {
  override readonly name = 'TileError';
  readonly tile: Tile;
  constructor(tile: Tile, problem: string) {
    super(`Cannot read ${tilePath(tile)}: ${problem}`);
    this.tile = tile;
  }
}

/**
 * Hashes of complete subtrees within a tree of `size` leaves, and so of every smaller tree too: give the size whose tiles
 * exist. The last few tiles are kept, as proofs ask for neighbours.
 */
export function tileHashReader(size: number, readTile: TileReader): HashReader {
  const recent: { readonly tile: Tile; readonly bytes: Uint8Array }[] = [];
  return (level, index) => {
    const tileLevel = Math.floor(level / TILE_HEIGHT);
    // The subtree's root lies `height` rows above the tile's hashes, over `span` of them.
    const height = level % TILE_HEIGHT;
    const span = 2 ** height;
    const first = index * span;
    const tileIndex = Math.floor(first / TILE_WIDTH);
    const at = first % TILE_WIDTH;
    const hashesInLevel = Math.floor(size / TILE_WIDTH ** tileLevel);
    if (first + span > hashesInLevel) {
      throw new RangeError(`Cannot read subtree ${index} of level ${level}: not in a tree of ${size} leaves`);
    }
    const width = Math.min(TILE_WIDTH, hashesInLevel - tileIndex * TILE_WIDTH);
    let bytes = recent.find(({ tile }) => tile.level === tileLevel && tile.index === tileIndex)?.bytes;
    if (bytes === undefined) {
      const tile = { level: tileLevel, index: tileIndex, width };
      bytes = readWholeTile(tile, readTile);
      recent.unshift({ tile, bytes });
      if (recent.length > RECENT_TILES_MAX) recent.pop();
    }
    let hashes = bytes.subarray(at * HASH_BYTES, (at + span) * HASH_BYTES);
    for (let row = 0; row < height; row++) hashes = hashNodes(hashes);
    return hashes;
  };
}

/** Two tiles a level are alive at a time; 8 KiB each. */
const RECENT_TILES_MAX = 16;

/** The tile's bytes, exactly as long as its width asks for. */
export function readWholeTile(tile: Tile, readTile: TileReader): Uint8Array {
  const bytes = readTile(tile);
  if (bytes === undefined) throw new TileError(tile, 'there is no such tile');
  const expected = tile.width * HASH_BYTES;
  if (bytes.length !== expected && bytes.length !== TILE_WIDTH * HASH_BYTES) {
    throw new TileError(tile, `it has ${bytes.length} bytes, expected ${expected}`);
  }
  return bytes.subarray(0, expected);
}

/** The root of the tree of `size` leaves, from O(log size) tiles. */
export function rootFromTiles(size: number, readTile: TileReader): Uint8Array {
  return treeRoot(size, tileHashReader(size, readTile));
}

/** Up to 256 entries as a bundle. Bundles may be joined: the bundle of ten entries begins with that of the first three. */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const entry of entries) {
    if (entry.length > ENTRY_BYTES_MAX) {
      throw new RangeError(`Cannot encode entry: ${entry.length} bytes, expected at most ${ENTRY_BYTES_MAX}`);
    }
    length += 2 + entry.length;
  }
  const bundle = new Uint8Array(length);
  let at = 0;
  for (const entry of entries) {
    bundle[at] = entry.length >> 8;
    bundle[at + 1] = entry.length;
    bundle.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return bundle;
}

/** Where the `width` entries lie in a bundle; nothing is copied. */
export function parseBundle(bytes: Uint8Array, width: number): EntrySlab | ProblemFound {
  // Also a bound on what we allocate: an entry takes at least its two length bytes.
  if (2 * width > bytes.length) {
    return { problem: `the bundle has ${bytes.length} bytes, which is too few for ${width} entries` };
  }
  const starts = new Uint32Array(width);
  const ends = new Uint32Array(width);
  let at = 0;
  for (let i = 0; i < width; i++) {
    const start = at + 2;
    if (start > bytes.length) return { problem: `the bundle ends before entry ${i} of ${width}` };
    at = start + ((bytes[at]! << 8) | bytes[at + 1]!);
    if (at > bytes.length) return { problem: `the bundle ends within entry ${i} of ${width}` };
    starts[i] = start;
    ends[i] = at;
  }
  if (at !== bytes.length)
    return { problem: `${bytes.length - at} bytes follow the bundle's ${width} entries` };
  return { bytes, starts, ends };
}
