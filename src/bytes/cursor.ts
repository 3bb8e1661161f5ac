// Reads big-endian fields one after the other from bytes that an attacker may have chosen.
//
// Every read is checked against the end; a read beyond it throws EndOfBytes and moves nothing, so a caller can catch it at the
// place where its message is parsed and wait for more bytes or reject. Results of `bytes` are views, never copies.

export class EndOfBytes extends Error {
  override readonly name = 'EndOfBytes';
  /** Where the read began, and how many bytes it wanted. */
  readonly offset: number;
  readonly wanted: number;
  constructor(offset: number, wanted: number, remaining: number) {
    super(`Cannot read ${wanted} bytes at offset ${offset}: ${remaining} remain, expected ${wanted}`);
    this.offset = offset;
    this.wanted = wanted;
  }
}

export class ByteCursor {
  readonly #bytes: Uint8Array;
  #offset: number;

  constructor(bytes: Uint8Array, offset = 0) {
    if (!Number.isInteger(offset) || offset < 0 || offset > bytes.length) {
      throw new RangeError(
        `Cannot place a cursor at offset ${offset}: expected a whole number from 0 to ${bytes.length}`,
      );
    }
    this.#bytes = bytes;
    this.#offset = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  u16(): number {
    const at = this.#take(2);
    return (this.#bytes[at]! << 8) | this.#bytes[at + 1]!;
  }

  u24(): number {
    const at = this.#take(3);
    return (this.#bytes[at]! << 16) | (this.#bytes[at + 1]! << 8) | this.#bytes[at + 2]!;
  }

  u32(): number {
    const at = this.#take(4);
    // `<<` yields signed 32-bit numbers; `>>> 0` makes the result unsigned again.
    return (
      ((this.#bytes[at]! << 24) |
        (this.#bytes[at + 1]! << 16) |
        (this.#bytes[at + 2]! << 8) |
        this.#bytes[at + 3]!) >>>
      0
    );
  }

  u64(): bigint {
    const at = this.#take(8);
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + at, 8);
    return view.getBigUint64(0);
  }

  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  skip(count: number): void {
    this.#take(count);
  }

  #take(count: number): number {
    const at = this.#offset;
    if (!(count >= 0 && count <= this.#bytes.length - at)) {
      throw new EndOfBytes(at, count, this.#bytes.length - at);
    }
    this.#offset = at + count;
    return at;
  }
}
