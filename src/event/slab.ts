// The slab of a record batch while it is being filled (see batch.ts for the picture). It grows by doubling: what a request
// becomes is usually about as long as the request, and a hostile one pays for its growth with bytes of its own.

import { largeBuffers } from '../bytes/buffer-pool.ts';
import { type QuarantinedItem, type RecordBatch, SALT_BYTES } from './batch.ts';

export class SlabWriter {
  /** Public for the loops that fill it; replaced when it grows, so hold no reference across `reserve`. */
  bytes: Uint8Array<ArrayBuffer>;
  #end = 0;
  #count = 0;
  #starts: Uint32Array<ArrayBuffer>;
  #ends: Uint32Array<ArrayBuffer>;

  constructor(bytesExpected: number, recordsExpected: number) {
    this.bytes = new Uint8Array(largeBuffers.take(Math.max(bytesExpected, 64)));
    this.#starts = new Uint32Array(Math.max(recordsExpected, 16));
    this.#ends = new Uint32Array(this.#starts.length);
  }

  get count(): number {
    return this.#count;
  }

  /** Where the next record begins, with room for `length` bytes of it; the gap before it is left as it is. */
  reserve(length: number): number {
    const start = this.#end + SALT_BYTES;
    const needed = start + length;
    if (needed > this.bytes.length) {
      const larger = new Uint8Array(largeBuffers.take(Math.max(needed, this.bytes.length * 2)));
      larger.set(this.bytes.subarray(0, this.#end));
      largeBuffers.giveBack(this.bytes.buffer);
      this.bytes = larger;
    }
    return start;
  }

  /** The record that begins where `reserve` said is complete. */
  commit(start: number, end: number): void {
    if (this.#count === this.#starts.length) {
      this.#starts = doubled(this.#starts);
      this.#ends = doubled(this.#ends);
    }
    this.#starts[this.#count] = start;
    this.#ends[this.#count] = end;
    this.#count++;
    this.#end = end;
  }

  finish(quarantined: readonly QuarantinedItem[]): RecordBatch {
    return {
      slab: this.bytes.subarray(0, this.#end),
      starts: this.#starts.slice(0, this.#count),
      ends: this.#ends.slice(0, this.#count),
      quarantined,
    };
  }
}

function doubled(list: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(list.length * 2);
  larger.set(list);
  return larger;
}
