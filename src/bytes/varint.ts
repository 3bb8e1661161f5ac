// Unsigned LEB128: seven bits a byte, lowest first, the top bit says that another byte follows.
//
// Bounded to what a number holds exactly (2^53 − 1, 8 bytes), and canonical: a last byte of zero would be a second spelling
// of the same number.

import type { ByteCursor } from './cursor.ts';

export const VARINT_BYTES_MAX = 8;

/** Writes `value` at `offset`, returns the offset behind it. The caller has made room. */
export function writeVarint(into: Uint8Array, offset: number, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`Cannot write varint: ${value}, expected a whole number from 0 to 2^53 - 1`);
  }
  let rest = value;
  let at = offset;
  // Division instead of shifts: bitwise operators would cut the value to 32 bits.
  while (rest >= 0x80) {
    into[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  into[at++] = rest;
  return at;
}

export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/** Undefined where the bytes are no canonical varint within bounds; EndOfBytes where they end too early. */
export function readVarint(cursor: ByteCursor): number | undefined {
  let value = 0;
  let scale = 1;
  for (let length = 1; length <= VARINT_BYTES_MAX; length++) {
    const byte = cursor.u8();
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      const canonical = length === 1 || byte !== 0;
      return canonical && value <= Number.MAX_SAFE_INTEGER ? value : undefined;
    }
    scale *= 0x80;
  }
  return undefined;
}
