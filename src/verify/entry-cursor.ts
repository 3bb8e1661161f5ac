// The entries that the signed tree has, in order, held against what the frames say they should be. Only places where both are
// known are compared: a bundle that is missing or damaged is reported where the tree is checked.

import { isProblem } from '../bytes/problem.ts';
import { COMMITMENT_BYTES, ENTRY_KIND, type EntryKind } from '../merkle/entry.ts';
import type { EntrySlab } from '../merkle/hashes.ts';
import { TILE_WIDTH } from '../merkle/tiles.ts';
import type { Source } from './source.ts';
import { readBundle } from './tile-files.ts';

/** Entries that the tree has otherwise, and where it has them. */
export interface OtherEntries {
  readonly from: number;
  readonly to: number;
  readonly bundle: string;
}

export class EntryCursor {
  readonly #source: Source;
  readonly #ledger: string;
  readonly #size: number;
  #index: number;
  #bundle = -1;
  #entries: EntrySlab | undefined;
  /** The bundle's file. */
  #file = '';

  constructor(source: Source, ledger: string, size: number, index: number) {
    this.#source = source;
    this.#ledger = ledger;
    this.#size = size;
    this.#index = index;
  }

  moveTo(index: number): void {
    this.#index = index;
  }

  /** Passes one control entry. */
  async passControl(entry: Uint8Array): Promise<OtherEntries | undefined> {
    const index = this.#index++;
    const entries = await this.#bundleOf(index);
    if (entries === undefined) return undefined;
    const at = index % TILE_WIDTH;
    const isSame = Buffer.compare(entries.bytes.subarray(entries.starts[at], entries.ends[at]), entry) === 0;
    return isSame ? undefined : { from: index, to: index + 1, bundle: this.#file };
  }

  /**
   * Passes `count` entries of this kind; with `commitments`, these are what they commit to. Of each bundle that has other entries,
   * the range from the first to the last of them.
   */
  async passCommitted(
    kind: Exclude<EntryKind, 'control'>,
    count: number,
    commitments: Uint8Array | undefined,
  ): Promise<OtherEntries[]> {
    const kindByte = ENTRY_KIND[kind];
    const others: OtherEntries[] = [];
    const start = this.#index;
    const end = start + count;
    this.#index = end;
    for (let index = start; index < end && index < this.#size; ) {
      const entries = await this.#bundleOf(index);
      const stop = Math.min(end, this.#size, (Math.floor(index / TILE_WIDTH) + 1) * TILE_WIDTH);
      let first = -1;
      let last = -1;
      for (; index < stop && entries !== undefined; index++) {
        const { bytes, starts, ends } = entries;
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
      if (first >= 0) others.push({ from: first, to: last + 1, bundle: this.#file });
      index = stop;
    }
    return others;
  }

  async #bundleOf(index: number): Promise<EntrySlab | undefined> {
    if (index >= this.#size) return undefined;
    const bundle = Math.floor(index / TILE_WIDTH);
    if (bundle !== this.#bundle) {
      const width = Math.min(TILE_WIDTH, this.#size - bundle * TILE_WIDTH);
      const found = await readBundle(this.#source, this.#ledger, { index: bundle, width });
      this.#entries = isProblem(found) ? undefined : found.entries;
      this.#bundle = bundle;
      this.#file = found.file;
    }
    return this.#entries;
  }
}
