// The growing right edge of the log: the tree's (merkle/frontier.ts) and, beside it, the bundle of entries that is being
// filled. Tiles and bundles that became full wait here until the next publication writes them.

import { isProblem } from '../bytes/problem.ts';
import { COMMITMENT_BYTES, type CommittedKind, encodeCommittedEntries } from '../merkle/entry.ts';
import { TreeFrontier } from '../merkle/frontier.ts';
import { type EntrySlab, hashLeaves } from '../merkle/hashes.ts';
import {
  bundlePath,
  encodeBundle,
  parseBundle,
  partialTiles,
  TILE_WIDTH,
  type TileReader,
  tilePath,
} from '../merkle/tiles.ts';

export interface TileFile {
  /** Relative to the ledger's directory, as published. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

const BUNDLE_BYTES_AT_FIRST = 16_384;

export class TreeEdge {
  readonly #frontier: TreeFrontier;
  #full: TileFile[] = [];
  /** The bundle being filled: entries since the last multiple of 256. */
  #bundle = new Uint8Array(BUNDLE_BYTES_AT_FIRST);
  #bundleBytes = 0;

  private constructor(frontier: TreeFrontier) {
    this.#frontier = frontier;
  }

  static empty(): TreeEdge {
    return new TreeEdge(new TreeFrontier());
  }

  /** The edge of a log of `size` entries as it stands on disk. Throws a TileError where something is missing or malformed. */
  static fromTiles(size: number, readTile: TileReader, bundle: EntrySlab | undefined): TreeEdge {
    const edge = new TreeEdge(TreeFrontier.fromTiles(size, readTile));
    const width = size % TILE_WIDTH;
    if (bundle !== undefined) edge.#addToBundle(bundle.bytes.subarray(0, bundle.ends[width - 1]));
    return edge;
  }

  get size(): number {
    return this.#frontier.size;
  }

  root(): Uint8Array {
    return this.#frontier.root();
  }

  appendCommitments(kind: CommittedKind, commitments: Uint8Array): void {
    if (commitments.length === 0) return;
    this.#append(encodeCommittedEntries(kind, commitments), commitments.length / COMMITMENT_BYTES);
  }

  appendControls(entries: readonly Uint8Array[]): void {
    if (entries.length > 0) this.#append(encodeBundle(entries), entries.length);
  }

  /**
   * What a checkpoint of the present size needs on disk beyond what one of size `since` needed: full tiles first, then the
   * partial ones. A partial tile that both need is left alone: it may be durable already, and writing it again could lose it.
   */
  takeTiles(since: number): TileFile[] {
    const tiles = this.#full;
    this.#full = [];
    const present = new Set(partialTiles(since).map(tilePath));
    for (const tile of this.#frontier.partialTiles()) {
      const path = tilePath(tile);
      if (!present.has(path)) tiles.push({ path, bytes: tile.bytes });
    }
    const width = this.size % TILE_WIDTH;
    if (width > 0 && this.size !== since) {
      const index = Math.floor(this.size / TILE_WIDTH);
      tiles.push({ path: bundlePath({ index, width }), bytes: this.#bundle.slice(0, this.#bundleBytes) });
    }
    return tiles;
  }

  #append(bytes: Uint8Array, count: number): void {
    const entries = parseBundle(bytes, count);
    if (isProblem(entries)) throw new Error(`Our own entries do not parse: ${entries.problem}`);
    let from = 0;
    for (let i = 0, size = this.size; i < count; ) {
      const taken = Math.min(TILE_WIDTH - (size % TILE_WIDTH), count - i);
      const to = entries.ends[i + taken - 1]!;
      this.#addToBundle(bytes.subarray(from, to));
      from = to;
      i += taken;
      size += taken;
      if (size % TILE_WIDTH !== 0) continue;
      this.#full.push({
        path: bundlePath({ index: size / TILE_WIDTH - 1, width: TILE_WIDTH }),
        bytes: this.#bundle.subarray(0, this.#bundleBytes),
      });
      // The full bundle keeps the memory; the next one gets its own.
      this.#bundle = new Uint8Array(BUNDLE_BYTES_AT_FIRST);
      this.#bundleBytes = 0;
    }
    for (const tile of this.#frontier.append(hashLeaves(entries))) {
      this.#full.push({ path: tilePath(tile), bytes: tile.bytes });
    }
  }

  #addToBundle(bytes: Uint8Array): void {
    if (this.#bundleBytes + bytes.length > this.#bundle.length) {
      const larger = new Uint8Array(2 * (this.#bundleBytes + bytes.length));
      larger.set(this.#bundle.subarray(0, this.#bundleBytes));
      this.#bundle = larger;
    }
    this.#bundle.set(bytes, this.#bundleBytes);
    this.#bundleBytes += bytes.length;
  }
}
