// Dictionaries for frames of few records. A record alone compresses to 70 % of its bytes, a record against a few dozen like it
// to 20 %, so now and then a frame carries a dictionary section: a sample of the epoch's recent records, which the frames after
// it are compressed against. Frames with many records are their own dictionary and use none.

import type { SlabItems } from '../sealed/seal-frame.ts';

/** Above this a frame compresses well by itself. */
const SMALL_FRAME_BYTES = 8192;
const DICTIONARY_BYTES = 16_384;
/** Small frames after which a dictionary is made: soon, then better, then now and then, since a section costs some 5 KB. */
const RENEWALS = [16, 256, 16_384];

export class DictionaryMaker {
  #current: { readonly bytes: Buffer; readonly frame: number } | undefined;
  #samples: Buffer[] = [];
  #sampleBytes = 0;
  #made = 0;
  #framesSince = 0;

  /** An epoch's records may be compressed only against records of the same epoch, which are destroyed with it. */
  reset(): void {
    this.#current = undefined;
    this.#samples = [];
    this.#sampleBytes = 0;
    this.#made = 0;
    this.#framesSince = 0;
  }

  /** What the frame that begins at index `first` refers to or carries. */
  choose(
    records: readonly SlabItems[],
    first: number,
  ): { dictionary?: { bytes: Buffer; frame: number }; newDictionary?: Buffer } {
    if (records.length === 0 || bytesOf(records) > SMALL_FRAME_BYTES) return {};
    this.#sample(records);
    this.#framesSince++;
    if (this.#framesSince >= RENEWALS[Math.min(this.#made, RENEWALS.length - 1)]! && first > 0) {
      return { newDictionary: Buffer.concat(this.#samples) };
    }
    return this.#current === undefined ? {} : { dictionary: this.#current };
  }

  /** Frame `first` is durable and carries this dictionary. Not before: a frame that found no room is written nowhere. */
  written(bytes: Buffer, first: number): void {
    this.#current = { bytes, frame: first };
    this.#made++;
    this.#framesSince = 0;
  }

  #sample(records: readonly SlabItems[]): void {
    for (const { slab, starts, ends } of records) {
      for (let i = 0; i < starts.length; i++) {
        const record = Buffer.from(slab.subarray(starts[i]!, ends[i]!));
        this.#samples.push(record);
        this.#sampleBytes += record.length;
      }
    }
    while (this.#sampleBytes > DICTIONARY_BYTES) this.#sampleBytes -= this.#samples.shift()!.length;
  }
}

function bytesOf(records: readonly SlabItems[]): number {
  let bytes = 0;
  for (const { starts, ends } of records) {
    if (starts.length > 0) bytes += ends.at(-1)! - starts[0]!;
  }
  return bytes;
}
