// One directory of tiles: does everything in it belong there? Required tiles are checked where the tree is; here come names that
// no tree has, tiles behind the checkpoint, and partial tiles that earlier checkpoints left, which must begin like their successors.

import { isProblem } from '../bytes/problem.ts';
import { HASH_BYTES } from '../merkle/hashes.ts';
import { parseBundle, parseTilePath, TILE_WIDTH, type TilePath } from '../merkle/tiles.ts';
import type { Difference, Problem } from './report.ts';
import { type DirectoryEntry, type Source, SourceError } from './source.ts';
import { readBundle, readTile } from './tile-files.ts';

export interface TileDirectoryTask {
  readonly kind: 'tiles';
  readonly ledger: string;
  /** Such as `tile/0/x001`. */
  readonly directory: string;
  /** Of the tree. */
  readonly size: number;
}

export interface TileDirectoryResult {
  readonly problems: Problem[];
  readonly differences: Difference[];
  readonly notes: string[];
  /** Directories in it that hold more tiles. */
  readonly directories: string[];
  /** Tiles behind the checkpoint: of those that are the furthest behind, a few. */
  early: EarlyTile[];
}

/** Fine where a newer checkpoint has at least this size. */
export interface EarlyTile {
  readonly file: string;
  readonly size: number;
}

/** Enough to name them; after an older checkpoint was put in place there can be many. */
const EARLY_TILES_MAX = 16;

/** Of the tiles behind the checkpoint those that ask for the newest one. */
export function furthestTiles(tiles: readonly EarlyTile[]): EarlyTile[] {
  return tiles.toSorted((a, b) => b.size - a.size).slice(0, EARLY_TILES_MAX);
}

export function emptyTileDirectoryResult(): TileDirectoryResult {
  return { problems: [], differences: [], notes: [], directories: [], early: [] };
}

/** Tile levels and bundles, and what no tree has, in a ledger's `tile` directory. */
export async function listTileDirectories(source: Source, ledger: string): Promise<TileDirectoryResult> {
  const result = emptyTileDirectoryResult();
  for (const { name, kind } of (await source.list(`${ledger}tile`)) ?? []) {
    if (kind === 'directory' && parseTilePath(`tile/${name}/000`) !== undefined)
      result.directories.push(`tile/${name}`);
    else reportStranger(result, `${ledger}tile/${name}`, kind);
  }
  return result;
}

export async function checkTileDirectory(
  source: Source,
  task: TileDirectoryTask,
): Promise<TileDirectoryResult> {
  const check = new TileDirectoryCheck(source, task);
  await check.run();
  return check.result;
}

/** The tile that the tree has in a place: partial tiles of that place begin like it. */
interface Reference {
  readonly file: string;
  /** Undefined where it is missing or damaged. */
  readonly beginning: (width: number) => Uint8Array | undefined;
}

class TileDirectoryCheck {
  readonly result = emptyTileDirectoryResult();
  readonly #source: Source;
  readonly #task: TileDirectoryTask;

  constructor(source: Source, task: TileDirectoryTask) {
    this.#source = source;
    this.#task = task;
  }

  async run(): Promise<void> {
    const { ledger, directory } = this.#task;
    for (const { name, kind } of (await this.#source.list(`${ledger}${directory}`)) ?? []) {
      const path = `${directory}/${name}`;
      if (kind === 'directory' && parseTilePath(`${path}/1`) !== undefined) await this.#checkPartials(path);
      else if (kind === 'directory' && name.startsWith('x') && parseTilePath(`${path}/000`) !== undefined) {
        this.result.directories.push(path);
      } else {
        const tile = kind === 'file' ? parseTilePath(path) : undefined;
        if (tile === undefined) reportStranger(this.result, `${ledger}${path}`, kind);
        else if (endOf(tile) > this.#task.size) this.#expectLater(`${ledger}${path}`, tile);
      }
    }
  }

  /** A directory such as `tile/0/067.p`. */
  async #checkPartials(directory: string): Promise<void> {
    const { ledger, size } = this.#task;
    let reference: Reference | undefined;
    for (const { name, kind } of (await this.#source.list(`${ledger}${directory}`)) ?? []) {
      const path = `${directory}/${name}`;
      const tile = kind === 'file' ? parseTilePath(path) : undefined;
      if (tile === undefined) {
        reportStranger(this.result, `${ledger}${path}`, kind);
        continue;
      }
      const width = widthAt(tile, size);
      if (tile.width === width) continue;
      if (tile.width > width) {
        // Perhaps it is being written at this moment, so nothing is said about its bytes.
        this.#expectLater(`${ledger}${path}`, tile);
        continue;
      }
      reference ??= await this.#reference(tile, width);
      await this.#compare(`${ledger}${path}`, tile, reference);
    }
  }

  async #reference(tile: TilePath, width: number): Promise<Reference> {
    const { ledger } = this.#task;
    if (tile.kind === 'hashes') {
      const found = await readTile(this.#source, ledger, { ...tile, width });
      return {
        file: found.file,
        beginning: (wanted) => (isProblem(found) ? undefined : found.hashes.subarray(0, wanted * HASH_BYTES)),
      };
    }
    const found = await readBundle(this.#source, ledger, { index: tile.index, width });
    return {
      file: found.file,
      beginning: (wanted) =>
        isProblem(found) ? undefined : found.entries.bytes.subarray(0, found.entries.ends[wanted - 1]),
    };
  }

  async #compare(file: string, tile: TilePath, reference: Reference): Promise<void> {
    const report = (problem: string) =>
      this.result.problems.push({ file, from: startOf(tile), to: endOf(tile), problem });
    let bytes: Buffer | undefined;
    try {
      bytes = await this.#source.readAll(file, TILE_WIDTH * (2 + 0xffff));
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      report(error.message);
      return;
    }
    // Partial tiles may be deleted once the full one exists, and that may be now.
    if (bytes === undefined) return;
    const isWhole =
      tile.kind === 'hashes'
        ? bytes.length === tile.width * HASH_BYTES
        : !isProblem(parseBundle(bytes, tile.width));
    if (!isWhole) {
      report(`the partial tile is not ${tile.width} wide`);
      return;
    }
    const right = reference.beginning(tile.width);
    // Missing or damaged itself, which is reported where the tree is checked.
    if (right === undefined) return;
    if (Buffer.compare(bytes, right) === 0) return;
    this.result.differences.push({
      file,
      from: startOf(tile),
      to: endOf(tile),
      problem: `the partial tile differs from ${reference.file}`,
      against: reference.file,
    });
  }

  #expectLater(file: string, tile: TilePath): void {
    this.result.early = furthestTiles([...this.result.early, { file, size: endOf(tile) }]);
  }
}

function reportStranger(result: TileDirectoryResult, file: string, kind: DirectoryEntry['kind']): void {
  if (kind === 'file' && file.endsWith('.tmp'))
    result.notes.push(`${file}: a temporary file, not part of the ledger`);
  else result.problems.push({ file, from: 0, to: 0, problem: 'this does not belong here' });
}

/** How many hashes or entries the tree of this size has in the tile's place. */
function widthAt({ level, index }: TilePath, size: number): number {
  const below = Math.floor(size / TILE_WIDTH ** level) - index * TILE_WIDTH;
  return Math.max(0, Math.min(TILE_WIDTH, below));
}

function startOf({ level, index }: TilePath): number {
  return index * TILE_WIDTH * TILE_WIDTH ** level;
}

function endOf({ level, index, width }: TilePath): number {
  return (index * TILE_WIDTH + width) * TILE_WIDTH ** level;
}
