// The entries that the signed tree has, in order, held against what the frames say they should be. Only places where both are
// known are compared: a bundle that is missing or damaged is reported where the tree is checked.

import { isProblem } from '../bytes/problem.ts';
import { COMMITMENT_BYTES, ENTRY_KIND, type EntryKind } from '../merkle/entry.ts';
import type { EntrySlab } from '../merkle/hashes.ts';
import { TILE_WIDTH } from '../merkle/tiles.ts';
import type { Source } from './source.ts';
import { readBundle } from './tile-files.ts';

export interface EntryRange {
  readonly from: number;
  readonly to: number;
}

export class EntryCursor {
  readonly #source: Source;
  readonly #ledger: string;
  readonly #size: number;
  #index: number;
  #bundle = -1;
  #entries: EntrySlab | undefined;

  constructor(source: Source, ledger: string, size: number, index: number) {
    this.#source = source;
    this.#ledger = ledger;
    this.#size = size;
    this.#index = index;
  }

  moveTo(index: number): void {
    this.#index = index;
  }

  /** Passes one control entry; false where the tree has another entry in its place. */
  async passControl(entry: Uint8Array): Promise<boolean> {
    const index = this.#index++;
    const entries = await this.#bundleOf(index);
    if (entries === undefined) return true;
    const at = index % TILE_WIDTH;
    return Buffer.compare(entries.bytes.subarray(entries.starts[at], entries.ends[at]), entry) === 0;
  }

  /**
   * Passes `count` entries of this kind; with `commitments`, these are what they commit to. Returns the range from the first to
   * the last entry that the tree has otherwise.
   */
  async passCommitted(
    kind: Exclude<EntryKind, 'control'>,
    count: number,
    commitments: Uint8Array | undefined,
  ): Promise<EntryRange | undefined> {
    const kindByte = ENTRY_KIND[kind];
    const start = this.#index;
    const end = start + count;
    this.#index = end;
    let first = -1;
    let last = -1;
    for (let index = start; index < end && index < this.#size; ) {
      const entries = await this.#bundleOf(index);
      const stop = Math.min(end, this.#size, (Math.floor(index / TILE_WIDTH) + 1) * TILE_WIDTH);
      if (entries === undefined) {
        index = stop;
        continue;
      }
      const { bytes, starts, ends } = entries;
      for (; index < stop; index++) {
        const at = index % TILE_WIDTH;
        const entry = starts[at]!;
        let same = bytes[entry] === kindByte && ends[at]! - entry === 1 + COMMITMENT_BYTES;
        if (same && commitments !== undefined) {
          const from = (index - start) * COMMITMENT_BYTES;
          for (let i = 0; same && i < COMMITMENT_BYTES; i++) {
            same = bytes[entry + 1 + i] === commitments[from + i];
          }
        }
        if (same) continue;
        if (first < 0) first = index;
        last = index;
      }
    }
    return first < 0 ? undefined : { from: first, to: last + 1 };
  }

  async #bundleOf(index: number): Promise<EntrySlab | undefined> {
    if (index >= this.#size) return undefined;
    const bundle = Math.floor(index / TILE_WIDTH);
    if (bundle !== this.#bundle) {
      const width = Math.min(TILE_WIDTH, this.#size - bundle * TILE_WIDTH);
      const found = await readBundle(this.#source, this.#ledger, { index: bundle, width });
      this.#entries = isProblem(found) ? undefined : found.entries;
      this.#bundle = bundle;
    }
    return this.#entries;
  }
}
