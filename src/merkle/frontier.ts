// The growing right edge of a tree: one unfinished tile for each level, from which every later tile and root follows.
//
//   level 2   [h]                        ⎫
//   level 1   [h h h … h]                ⎬  never more than 255 hashes a level: 8 KiB, whatever the size of the tree
//   level 0   [h h h h h h … h]          ⎭
//
// What a TreeFrontier holds is what the partial tiles on disk hold, byte by byte, so it is restored from them and needs no
// format of its own. Whoever appends gets each tile that thereby became full, once; the partial ones are asked for when
// a checkpoint is about to be published.

import { EMPTY_ROOT, HASH_BYTES, hashNodes, nodeHash } from './hashes.ts';
import { partialTiles, readWholeTile, TILE_WIDTH, type Tile, type TileReader } from './tiles.ts';

const TILE_BYTES = TILE_WIDTH * HASH_BYTES;

export interface TileBytes extends Tile {
  readonly bytes: Uint8Array;
}

/** The unfinished tile of one level. */
interface Edge {
  readonly tile: Uint8Array;
  width: number;
  /** Full tiles to the left of it. */
  index: number;
}

export class TreeFrontier {
  readonly #edges: Edge[] = [];
  #size = 0;

  /** The frontier of a tree of `size` leaves, from its partial tiles. Throws a TileError where one is missing or too short. */
  static fromTiles(size: number, readTile: TileReader): TreeFrontier {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new RangeError(
        `Cannot restore frontier: size is ${size}, expected a whole number from 0 to 2^53 - 1`,
      );
    }
    const frontier = new TreeFrontier();
    frontier.#size = size;
    for (let hashes = size; hashes > 0; hashes = Math.floor(hashes / TILE_WIDTH)) {
      const index = Math.floor(hashes / TILE_WIDTH);
      frontier.#edges.push({ tile: new Uint8Array(TILE_BYTES), width: hashes % TILE_WIDTH, index });
    }
    for (const tile of partialTiles(size)) {
      frontier.#edges[tile.level]!.tile.set(readWholeTile(tile, readTile));
    }
    return frontier;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds n × 32 bytes of leaf hashes; returns the tiles that became full, each before those above it. */
  append(leafHashes: Uint8Array): TileBytes[] {
    if (leafHashes.length % HASH_BYTES !== 0) {
      throw new RangeError(`Cannot append leaves: ${leafHashes.length} bytes, expected hashes of 32 bytes`);
    }
    const full: TileBytes[] = [];
    this.#add(0, leafHashes, full);
    this.#size += leafHashes.length / HASH_BYTES;
    return full;
  }

  #add(level: number, hashes: Uint8Array, full: TileBytes[]): void {
    if (level === this.#edges.length) {
      this.#edges.push({ tile: new Uint8Array(TILE_BYTES), width: 0, index: 0 });
    }
    const edge = this.#edges[level]!;
    for (let at = 0; at < hashes.length; ) {
      const from = edge.width * HASH_BYTES;
      const part = hashes.subarray(at, at + TILE_BYTES - from);
      edge.tile.set(part, from);
      edge.width += part.length / HASH_BYTES;
      at += part.length;
      if (edge.width === TILE_WIDTH) {
        const bytes = edge.tile.slice();
        full.push({ level, index: edge.index, width: TILE_WIDTH, bytes });
        edge.width = 0;
        edge.index++;
        this.#add(level + 1, subtreeRoot(bytes), full);
      }
    }
  }

  /** The partial tiles of this size, from the leaves up. */
  partialTiles(): TileBytes[] {
    const tiles: TileBytes[] = [];
    for (const [level, { tile, width, index }] of this.#edges.entries()) {
      if (width > 0) tiles.push({ level, index, width, bytes: tile.slice(0, width * HASH_BYTES) });
    }
    return tiles;
  }

  /** The roots of the complete subtrees that the tree consists of, the largest first. */
  rightEdge(): Uint8Array[] {
    const peaks: Uint8Array[] = [];
    for (const { tile, width } of this.#edges) {
      let row = tile.subarray(0, width * HASH_BYTES);
      while (row.length > 0) {
        const pairs = row.length - (row.length % (2 * HASH_BYTES));
        if (pairs < row.length) peaks.push(row.slice(pairs));
        row = hashNodes(row.subarray(0, pairs));
      }
    }
    return peaks.reverse();
  }

  root(): Uint8Array {
    return (
      this.rightEdge().reduceRight<Uint8Array | undefined>(
        (right, left) => (right === undefined ? left : nodeHash(left, right)),
        undefined,
      ) ?? EMPTY_ROOT
    );
  }
}

function subtreeRoot(row: Uint8Array): Uint8Array {
  let hashes = row;
  while (hashes.length > HASH_BYTES) hashes = hashNodes(hashes);
  return hashes;
}
