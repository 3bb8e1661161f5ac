// The tree above its chunks: tiles of level 2 and up, and the root. Chunks arrive in order; what is kept is one unfinished
// tile for each level, whatever the size of the tree.

import { isProblem } from '../bytes/problem.ts';
import { EMPTY_ROOT, HASH_BYTES, hashNodes, nodeHash } from '../merkle/hashes.ts';
import { TILE_WIDTH } from '../merkle/tiles.ts';
import { CHUNK_ENTRIES } from './check-chunk.ts';
import type { Findings } from './report.ts';
import type { Source } from './source.ts';
import { differingHashes, readTile, rowRoot } from './tile-files.ts';

interface Level {
  readonly row: Uint8Array;
  width: number;
  index: number;
}

export class UpperTiles {
  readonly #source: Source;
  readonly #ledger: string;
  readonly #findings: Findings;
  /** Levels 2 and up. */
  readonly #levels: Level[] = [];
  /** The last chunk's roots of level 0 tiles, if it is not full. */
  #lastRoots: Uint8Array = new Uint8Array(0);
  #known = true;

  constructor(source: Source, ledger: string, findings: Findings) {
    this.#source = source;
    this.#ledger = ledger;
    this.#findings = findings;
  }

  /** The next chunk's roots of level 0 tiles; undefined where they cannot be told. */
  async addChunk(tileRoots: Uint8Array | undefined, entries: number): Promise<void> {
    if (tileRoots === undefined) {
      this.#known = false;
      return;
    }
    if (entries === CHUNK_ENTRIES) await this.#push(0, rowRoot(tileRoots));
    else this.#lastRoots = tileRoots;
  }

  /** Checks the partial tiles. To be called once, when all chunks have been added. */
  async finish(): Promise<void> {
    for (const [i, level] of this.#levels.entries()) {
      if (level.width > 0) await this.#checkTile(i, level);
    }
  }

  /** The root, given the leaf hashes behind the last full tile; undefined where something below is not known. */
  root(edge: Uint8Array | undefined): Uint8Array | undefined {
    if (!this.#known || edge === undefined) return undefined;
    const rows = [
      edge,
      this.#lastRoots,
      ...this.#levels.map(({ row, width }) => row.subarray(0, width * HASH_BYTES)),
    ];
    let root: Uint8Array | undefined;
    for (let row of rows) {
      while (row.length > 0) {
        const pairs = row.length - (row.length % (2 * HASH_BYTES));
        if (pairs < row.length)
          root = root === undefined ? row.slice(pairs) : nodeHash(row.subarray(pairs), root);
        row = hashNodes(row.subarray(0, pairs));
      }
    }
    return root ?? EMPTY_ROOT;
  }

  async #push(i: number, hash: Uint8Array): Promise<void> {
    this.#levels[i] ??= { row: new Uint8Array(TILE_WIDTH * HASH_BYTES), width: 0, index: 0 };
    const level = this.#levels[i]!;
    level.row.set(hash, level.width * HASH_BYTES);
    level.width++;
    if (level.width < TILE_WIDTH) return;
    await this.#checkTile(i, level);
    const root = rowRoot(level.row);
    level.width = 0;
    level.index++;
    await this.#push(i + 1, root);
  }

  async #checkTile(i: number, { row, width, index }: Level): Promise<void> {
    if (!this.#known) return;
    const entries = CHUNK_ENTRIES * TILE_WIDTH ** i;
    const from = index * TILE_WIDTH * entries;
    const found = await readTile(this.#source, this.#ledger, { level: i + 2, index, width });
    if (isProblem(found)) {
      this.#findings.problem(found.file, from, from + width * entries, found.problem);
      return;
    }
    const difference = differingHashes(found.hashes, row.subarray(0, width * HASH_BYTES));
    if (difference === undefined) return;
    const { first, end } = difference;
    this.#findings.problem(
      found.file,
      from + first * entries,
      from + end * entries,
      'hashes differ from the tiles below',
    );
  }
}
