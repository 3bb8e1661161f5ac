// One directory of tiles: does everything in it belong there? Required tiles are checked where the tree is; here come names that
// no tree has, tiles behind the checkpoint, and partial tiles that earlier checkpoints left, which must begin like their successors.

import { isProblem } from '../bytes/problem.ts';
import { HASH_BYTES } from '../merkle/hashes.ts';
import { parseBundle, parseTilePath, TILE_WIDTH, type TilePath } from '../merkle/tiles.ts';
import type { Problem } from './report.ts';
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
  readonly notes: string[];
  /** Directories in it that hold more tiles. */
  readonly directories: string[];
  /** Tiles behind the checkpoint: fine where a newer checkpoint has this size. 0 where there are none. */
  readonly publishing: number;
}

/** Tile levels and bundles, and what no tree has, in a ledger's `tile` directory. */
export async function listTileDirectories(source: Source, ledger: string): Promise<TileDirectoryResult> {
  const result: TileDirectoryResult = { problems: [], notes: [], directories: [], publishing: 0 };
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

class TileDirectoryCheck {
  readonly result = {
    problems: [] as Problem[],
    notes: [] as string[],
    directories: [] as string[],
    publishing: 0,
  };
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
        else if (endOf(tile) > this.#task.size) this.#expectLater(tile);
      }
    }
  }

  /** A directory such as `tile/0/067.p`. */
  async #checkPartials(directory: string): Promise<void> {
    const { ledger, size } = this.#task;
    let reference: ((width: number) => Uint8Array | undefined) | undefined;
    for (const { name, kind } of (await this.#source.list(`${ledger}${directory}`)) ?? []) {
      const path = `${directory}/${name}`;
      const tile = kind === 'file' ? parseTilePath(path) : undefined;
      if (tile === undefined) {
        reportStranger(this.result, `${ledger}${path}`, kind);
        continue;
      }
      const width = widthAt(tile, size);
      if (tile.width > width) this.#expectLater(tile);
      if (tile.width === width || width === 0) continue;
      reference ??= await this.#reference(tile, width);
      await this.#compare(`${ledger}${path}`, tile, reference);
    }
  }

  /** The beginnings of the tile that the tree has in this place, at every width that it has. */
  async #reference(tile: TilePath, width: number): Promise<(width: number) => Uint8Array | undefined> {
    const { ledger } = this.#task;
    if (tile.kind === 'hashes') {
      const found = await readTile(this.#source, ledger, { ...tile, width });
      return (wanted) => (isProblem(found) ? undefined : found.hashes.subarray(0, wanted * HASH_BYTES));
    }
    const found = await readBundle(this.#source, ledger, { index: tile.index, width });
    return (wanted) =>
      isProblem(found)
        ? undefined
        : found.entries.bytes.subarray(0, found.entries.ends[Math.min(wanted, width) - 1]);
  }

  async #compare(
    file: string,
    tile: TilePath,
    reference: (width: number) => Uint8Array | undefined,
  ): Promise<void> {
    const right = reference(tile.width);
    // Missing or damaged itself, which is reported where the tree is checked.
    if (right === undefined) return;
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
    const common = Math.min(bytes.length, right.length);
    if (!isWhole) report(`the partial tile is not ${tile.width} wide`);
    else if (Buffer.compare(bytes.subarray(0, common), right.subarray(0, common)) !== 0) {
      report('the partial tile differs from the tree');
    }
  }

  #expectLater(tile: TilePath): void {
    this.result.publishing = Math.max(this.result.publishing, endOf(tile));
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
