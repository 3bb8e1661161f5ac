// One chunk of the tree: 65,536 entries, their 256 bundles and tiles of level 0, and the one tile of level 1 above them.
//
//   tile/1/<chunk>                 [ h0  h1  h2 … ]           each hash is the root of a tile of level 0
//   tile/0/<256×chunk + t>         [ leaf hashes ]            each hash is that of an entry
//   tile/entries/<256×chunk + t>   [ entries ]
//
// Everything is computed again from the entries. Where a bundle and its tile disagree, the hash that stands in the tile above
// says which of the two was changed, and the right one is what the chunk hands upward: one changed file is one problem.
// At the tree's right edge there is nothing above; the signed root decides there (`edge`).

import { isProblem } from '../bytes/problem.ts';
import { entryKind, parseEntry } from '../merkle/entry.ts';
import { type EntrySlab, HASH_BYTES, hashLeaves } from '../merkle/hashes.ts';
import { bundlePath, TILE_WIDTH, tilePath } from '../merkle/tiles.ts';
import { type ControlEntry, parseControlBody } from './control-entries.ts';
import type { Problem } from './report.ts';
import type { Source } from './source.ts';
import { differingHashes, readBundle, readTile, rowRoot } from './tile-files.ts';

export const CHUNK_ENTRIES = TILE_WIDTH * TILE_WIDTH;

export interface ChunkTask {
  readonly kind: 'chunk';
  /** The ledger's directory with a slash behind it, or empty. */
  readonly ledger: string;
  readonly chunk: number;
  /** Of the tree. */
  readonly size: number;
}

/** A control entry that the rest of the check needs to know about. */
export type ControlFact = { readonly index: number } & Exclude<ControlEntry, { readonly type: 'other' }>;

export interface ChunkResult {
  readonly problems: Problem[];
  /** Whether every entry could be read and is the log's: only then are these all the facts. */
  readonly isKnown: boolean;
  readonly facts: readonly ControlFact[];
  /** Roots of the chunk's full tiles of level 0; undefined where neither entries nor tiles say what they are. */
  readonly tileRoots: Uint8Array | undefined;
  /** Leaf hashes behind the last full tile. */
  readonly edge: Uint8Array | undefined;
  /** Set where bundle and tile at the edge disagree: what the tile has, and how to name the one that is wrong. */
  readonly edgeDispute: EdgeDispute | undefined;
}

export interface EdgeDispute {
  readonly stored: Uint8Array;
  readonly bundle: string;
  readonly tile: string;
  readonly from: number;
  readonly to: number;
}

export async function checkChunk(source: Source, task: ChunkTask): Promise<ChunkResult> {
  return new ChunkCheck(source, task).run();
}

/** A place in level 0: a bundle and its tile, as far as they could be read. */
interface Place {
  readonly from: number;
  readonly bundle: string;
  readonly tile: string;
  readonly entries: EntrySlab | undefined;
  /** Hashes computed from the entries, and those that the tile has. */
  readonly leaves: Uint8Array | undefined;
  readonly stored: Uint8Array | undefined;
}

class ChunkCheck {
  readonly #source: Source;
  readonly #ledger: string;
  readonly #chunk: number;
  readonly #count: number;
  readonly #problems: Problem[] = [];
  readonly #facts = new FactList();
  #isKnown = true;
  #edgeDispute: EdgeDispute | undefined;

  constructor(source: Source, { ledger, chunk, size }: ChunkTask) {
    this.#source = source;
    this.#ledger = ledger;
    this.#chunk = chunk;
    this.#count = Math.min(CHUNK_ENTRIES, size - chunk * CHUNK_ENTRIES);
  }

  async run(): Promise<ChunkResult> {
    const fullTiles = Math.floor(this.#count / TILE_WIDTH);
    const edgeWidth = this.#count % TILE_WIDTH;
    const above = fullTiles === 0 ? undefined : await this.#readAbove(fullTiles);

    let tileRoots: Uint8Array | undefined = new Uint8Array(fullTiles * HASH_BYTES);
    for (let t = 0; t < fullTiles; t++) {
      const parent = above?.subarray(t * HASH_BYTES, (t + 1) * HASH_BYTES);
      const root = await this.#checkFullTile(t, parent);
      if (root === undefined) tileRoots = undefined;
      else tileRoots?.set(root, t * HASH_BYTES);
    }
    if (above !== undefined && tileRoots !== undefined) this.#compareAbove(above, tileRoots);
    const edge = edgeWidth === 0 ? new Uint8Array(0) : await this.#checkEdge(fullTiles, edgeWidth);
    return {
      problems: this.#problems,
      isKnown: this.#isKnown,
      facts: this.#facts.done(),
      tileRoots,
      edge,
      edgeDispute: this.#edgeDispute,
    };
  }

  async #readAbove(width: number): Promise<Uint8Array | undefined> {
    const found = await readTile(this.#source, this.#ledger, { level: 1, index: this.#chunk, width });
    if (!isProblem(found)) return found.hashes;
    const from = this.#chunk * CHUNK_ENTRIES;
    this.#report(found.file, from, from + width * TILE_WIDTH, found.problem);
    return undefined;
  }

  /** The tile's root, as far as it can be told. */
  async #checkFullTile(t: number, parent: Uint8Array | undefined): Promise<Uint8Array | undefined> {
    const place = await this.#readPlace(t, TILE_WIDTH);
    const { from, bundle, tile, leaves, stored } = place;
    if (leaves === undefined) return stored === undefined ? parent : rowRoot(stored);
    const root = rowRoot(leaves);
    const difference = stored === undefined ? undefined : differingHashes(leaves, stored);
    if (stored === undefined || difference === undefined) {
      this.#checkEntries(place);
      return root;
    }
    const storedRoot = rowRoot(stored);
    const tileIsRight = parent !== undefined && Buffer.compare(storedRoot, parent) === 0;
    this.#checkEntries(place, tileIsRight ? difference : undefined);
    this.#report(
      tileIsRight ? bundle : tile,
      from + difference.first,
      from + difference.end,
      tileIsRight
        ? `entries differ from their hashes in ${tile}`
        : `hashes differ from the entries in ${bundle}`,
    );
    return tileIsRight ? storedRoot : root;
  }

  async #checkEdge(t: number, width: number): Promise<Uint8Array | undefined> {
    const place = await this.#readPlace(t, width);
    const { from, bundle, tile, leaves, stored } = place;
    if (leaves === undefined) return stored;
    const difference = stored === undefined ? undefined : differingHashes(leaves, stored);
    this.#checkEntries(place, difference);
    if (stored !== undefined && difference !== undefined) {
      this.#edgeDispute = { stored, bundle, tile, from: from + difference.first, to: from + difference.end };
    }
    return leaves;
  }

  async #readPlace(t: number, width: number): Promise<Place> {
    const index = this.#chunk * TILE_WIDTH + t;
    const from = index * TILE_WIDTH;
    const foundBundle = await readBundle(this.#source, this.#ledger, { index, width });
    const foundTile = await readTile(this.#source, this.#ledger, { level: 0, index, width });
    const entries = isProblem(foundBundle) ? undefined : foundBundle.entries;
    if (isProblem(foundBundle)) {
      this.#report(foundBundle.file, from, from + width, foundBundle.problem);
      this.#isKnown = false;
    }
    if (isProblem(foundTile)) this.#report(foundTile.file, from, from + width, foundTile.problem);
    const stored = isProblem(foundTile) ? undefined : foundTile.hashes;
    const leaves = entries === undefined ? undefined : hashLeaves(entries);
    return { from, bundle: foundBundle.file, tile: foundTile.file, entries, leaves, stored };
  }

  /** What the entries say, those that may not be the log's excepted. */
  #checkEntries({ bundle: file, from, entries }: Place, except?: { first: number; end: number }): void {
    if (except !== undefined) this.#isKnown = false;
    const { bytes, starts, ends } = entries!;
    for (let i = 0; i < starts.length; i++) {
      if (except !== undefined && i >= except.first && i < except.end) continue;
      const start = starts[i]!;
      // Nearly all entries are commitments of the right length, and nothing more can be said of them here.
      const kind = entryKind(bytes[start]);
      if (kind !== undefined && kind !== 'control' && ends[i]! - start === 1 + HASH_BYTES) continue;
      const entry = parseEntry(bytes.subarray(start, ends[i]));
      if (isProblem(entry)) this.#report(file, from + i, from + i + 1, entry.problem);
      else if (entry.kind === 'control') this.#checkControl(file, from + i, entry.body);
    }
  }

  #checkControl(file: string, index: number, body: Uint8Array): void {
    const control = parseControlBody(body);
    if (isProblem(control)) this.#report(file, index, index + 1, control.problem);
    else if (control.type !== 'other') this.#facts.add({ index, ...control });
  }

  #compareAbove(above: Uint8Array, computed: Uint8Array): void {
    const difference = differingHashes(above, computed);
    if (difference === undefined) return;
    const width = computed.length / HASH_BYTES;
    const from = this.#chunk * CHUNK_ENTRIES;
    this.#report(
      `${this.#ledger}${tilePath({ level: 1, index: this.#chunk, width })}`,
      from + difference.first * TILE_WIDTH,
      from + difference.end * TILE_WIDTH,
      `hashes differ from the tiles below and the entries in ${this.#ledger}${bundlePath({ index: this.#chunk * TILE_WIDTH + difference.first, width: TILE_WIDTH })}`,
    );
  }

  #report(file: string, from: number, to: number, problem: string): void {
    this.#problems.push({ file, from, to, problem });
  }
}

/** Content worth a task of its own: below this, starting one costs more than the work. */
const SPAN_BYTES = 2 * 1024 * 1024;

/**
 * The facts of a chunk. A busy log has a content entry every few entries; of these only so many are kept that the content
 * between two of them is a fair piece of work. The others are checked when that piece is walked through.
 */
class FactList {
  readonly #facts: ControlFact[] = [];
  #kept: Extract<ControlFact, { type: 'content' }> | undefined;
  #skipped: Extract<ControlFact, { type: 'content' }> | undefined;

  add(fact: ControlFact): void {
    if (fact.type !== 'content') {
      this.#facts.push(fact);
      return;
    }
    const kept = this.#kept;
    if (kept !== undefined && fact.segment === kept.segment && fact.offset - kept.offset < SPAN_BYTES) {
      this.#skipped = fact;
      return;
    }
    // Up to the end of a segment, so that what crosses into the next one is short.
    this.#keepSkipped();
    this.#facts.push(fact);
    this.#kept = fact;
  }

  done(): ControlFact[] {
    this.#keepSkipped();
    return this.#facts.sort((a, b) => a.index - b.index);
  }

  #keepSkipped(): void {
    if (this.#skipped !== undefined) this.#facts.push(this.#skipped);
    this.#skipped = undefined;
  }
}
