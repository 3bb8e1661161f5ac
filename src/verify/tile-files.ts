// Tiles and bundles as they lie in a ledger's directory, read for a tree of a given size.

import { isProblem, type ProblemFound } from '../bytes/problem.ts';
import { type EntrySlab, HASH_BYTES, hashNodes } from '../merkle/hashes.ts';
import { bundlePath, parseBundle, TILE_WIDTH, type Tile, tilePath } from '../merkle/tiles.ts';
import { type Source, SourceError } from './source.ts';

const TILE_BYTES = TILE_WIDTH * HASH_BYTES;
const BUNDLE_BYTES_MAX = TILE_WIDTH * (2 + 0xffff);

/** A file that was found, or what is wrong with it; `file` is relative to the ledger's directory in both cases. */
export type Found<T> = { readonly file: string } & (T | ProblemFound);

/** The hashes of `tile`: from the file of exactly its width, or else from the full tile, which may have replaced it. */
export async function readTile(
  source: Source,
  ledger: string,
  tile: Tile,
): Promise<Found<{ readonly hashes: Buffer }>> {
  const found = await readExactOrFull(source, ledger, tile, tilePath, TILE_BYTES);
  if (isProblem(found)) return found;
  const expected = found.width * HASH_BYTES;
  if (found.bytes.length !== expected) {
    return { file: found.file, problem: `the tile has ${found.bytes.length} bytes, expected ${expected}` };
  }
  return { file: found.file, hashes: found.bytes.subarray(0, tile.width * HASH_BYTES) };
}

/** The entries under a tile of level 0. */
export async function readBundle(
  source: Source,
  ledger: string,
  place: { readonly index: number; readonly width: number },
): Promise<Found<{ readonly entries: EntrySlab }>> {
  const tile = { level: 0, ...place };
  const found = await readExactOrFull(source, ledger, tile, bundlePath, BUNDLE_BYTES_MAX);
  if (isProblem(found)) return found;
  const slab = parseBundle(found.bytes, found.width);
  if (isProblem(slab)) return { file: found.file, problem: slab.problem };
  const { width } = place;
  const entries = {
    bytes: slab.bytes,
    starts: slab.starts.subarray(0, width),
    ends: slab.ends.subarray(0, width),
  };
  return { file: found.file, entries };
}

async function readExactOrFull(
  source: Source,
  ledger: string,
  tile: Tile,
  pathOf: (tile: Tile) => string,
  bytesMax: number,
): Promise<Found<{ readonly bytes: Buffer; readonly width: number }>> {
  const exact = `${ledger}${pathOf(tile)}`;
  const full = `${ledger}${pathOf({ ...tile, width: TILE_WIDTH })}`;
  try {
    const bytes = await source.readAll(exact, bytesMax);
    if (bytes !== undefined) return { file: exact, bytes, width: tile.width };
    if (tile.width < TILE_WIDTH) {
      const bytes = await source.readAll(full, bytesMax);
      if (bytes !== undefined) return { file: full, bytes, width: TILE_WIDTH };
    }
  } catch (error) {
    if (error instanceof SourceError) return { file: error.path, problem: error.message };
    throw error;
  }
  const what = pathOf === bundlePath ? 'bundle of entries' : 'tile';
  return {
    file: exact,
    problem:
      tile.width === TILE_WIDTH
        ? `the full ${what} is missing`
        : `the partial ${what} is missing, and there is no full one`,
  };
}

/** The root over a row of 2^n hashes. */
export function rowRoot(row: Uint8Array): Uint8Array {
  let hashes = row;
  while (hashes.length > HASH_BYTES) hashes = hashNodes(hashes);
  return hashes;
}

/** The first and the last place at which two rows of hashes of one length differ; undefined where they are the same. */
export function differingHashes(a: Uint8Array, b: Uint8Array): { first: number; end: number } | undefined {
  if (Buffer.compare(a, b) === 0) return undefined;
  const count = a.length / HASH_BYTES;
  const differs = (i: number) =>
    Buffer.compare(
      a.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES),
      b.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES),
    ) !== 0;
  let first = 0;
  while (!differs(first)) first++;
  let end = count;
  while (!differs(end - 1)) end--;
  return { first, end };
}
