// Tiles and bundles in a ledger's directory: reading them, writing them, and clearing away what must not be there.

import { isProblem } from '../bytes/problem.ts';
import type { Disk } from '../disk/disk.ts';
import type { EntrySlab } from '../merkle/hashes.ts';
import {
  bundlePath,
  parseBundle,
  parseTilePath,
  TILE_WIDTH,
  type Tile,
  TileError,
  type TileReader,
  tilePath,
} from '../merkle/tiles.ts';
import { parentDirectory } from './paths.ts';
import type { TileFile } from './tree-edge.ts';

const TILES_PER_DIRECTORY = 1000;
const EMPTY_DIRECTORIES_MAX = 8;

export class PublishedTiles {
  readonly #disk: Disk;
  readonly #directory: string;
  /** Directories that exist, so that each costs one call. */
  readonly #made = new Set<string>();

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  /**
   * Reads at least the tile's hashes. The partial tile of exactly this width comes first: where the full one exists too it may
   * be younger than the last thing known to be durable.
   */
  readonly read: TileReader = (tile) => this.#readEither(tile, tilePath);

  /** The bundle with the entries of `tile` (level 0), or throws a TileError. */
  readBundle(tile: Tile): EntrySlab {
    const exact = this.#disk.readFile(`${this.#directory}/${bundlePath(tile)}`);
    const bytes =
      exact ?? this.#disk.readFile(`${this.#directory}/${bundlePath({ ...tile, width: TILE_WIDTH })}`);
    if (bytes === undefined) {
      throw new TileError(tile, 'neither its bundle of entries nor the full one exists');
    }
    const slab = parseBundle(bytes, exact === undefined ? TILE_WIDTH : tile.width);
    if (isProblem(slab)) throw new TileError(tile, slab.problem);
    return slab;
  }

  /** Not durable until synced. Returns the paths written. */
  write(tiles: readonly TileFile[]): string[] {
    return tiles.map(({ path, bytes }) => {
      const full = `${this.#directory}/${path}`;
      const parent = parentDirectory(full);
      if (!this.#made.has(parent)) {
        this.#disk.makeDirectory(parent);
        this.#made.add(parent);
      }
      this.#disk.writeFile(full, bytes);
      return full;
    });
  }

  /** Removes the partial tiles of `oldSize` whose places have become full at `size`. The full tiles must be durable. */
  removeSuperseded(oldSize: number, size: number): void {
    if (oldSize >= size) return;
    for (let level = 0, span = TILE_WIDTH; span <= size; level++, span *= TILE_WIDTH) {
      const index = Math.floor(oldSize / span);
      if (index === Math.floor(size / span)) continue;
      this.#removePartials(tilePath({ level, index, width: TILE_WIDTH }));
      if (level === 0) this.#removePartials(bundlePath({ index, width: TILE_WIDTH }));
    }
  }

  /**
   * Removes every tile that holds something beyond `size`: written by a publication that a crash cut short, whose last entry
   * may have been another one than the next publication's.
   */
  removeBeyond(size: number): void {
    for (const level of this.#disk.list(`${this.#directory}/tile`)) {
      const span = TILE_WIDTH ** (level === 'entries' ? 1 : Number(level) + 1);
      // A thousand tiles to a directory. A cut short publication wrote a few thousand at most, but a crash may have lost
      // directories in the middle of them.
      let empty = 0;
      for (let index = Math.floor(size / span); empty < EMPTY_DIRECTORIES_MAX; index += TILES_PER_DIRECTORY) {
        const place = { index, width: TILE_WIDTH };
        const path = level === 'entries' ? bundlePath(place) : tilePath({ level: Number(level), ...place });
        empty = this.#removeBeyondIn(parentDirectory(path), size) ? 0 : empty + 1;
      }
    }
  }

  #removeBeyondIn(directory: string, size: number): boolean {
    const names = this.#disk.list(`${this.#directory}/${directory}`);
    for (const name of names) {
      const path = `${directory}/${name}`;
      if (name.endsWith('.p')) {
        for (const width of this.#disk.list(`${this.#directory}/${path}`)) {
          this.#removeIfBeyond(`${path}/${width}`, size);
        }
        this.#disk.removeDirectory(`${this.#directory}/${path}`);
        this.#made.delete(`${this.#directory}/${path}`);
      } else {
        this.#removeIfBeyond(path, size);
      }
    }
    return names.length > 0;
  }

  #removeIfBeyond(path: string, size: number): void {
    const tile = parseTilePath(path);
    if (tile === undefined) return;
    const end = (tile.index * TILE_WIDTH + tile.width) * TILE_WIDTH ** tile.level;
    if (end > size) this.#disk.remove(`${this.#directory}/${path}`);
  }

  #readEither(tile: Tile, path: (tile: Tile) => string): Uint8Array | undefined {
    return (
      this.#disk.readFile(`${this.#directory}/${path(tile)}`) ??
      this.#disk.readFile(`${this.#directory}/${path({ ...tile, width: TILE_WIDTH })}`)
    );
  }

  #removePartials(fullPath: string): void {
    const directory = `${this.#directory}/${fullPath}.p`;
    const widths = this.#disk.list(directory);
    if (widths.length === 0) return;
    for (const width of widths) this.#disk.remove(`${directory}/${width}`);
    this.#disk.removeDirectory(directory);
    this.#made.delete(directory);
  }
}
