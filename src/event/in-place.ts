// Checks of values where they lie, in the bytes of a request. Each check answers one question: does a text begin here that
// the plain path would copy into the record without changing a byte? Then it returns where that text ends; otherwise
// NOT_VERBATIM, and somebody slower looks.
//
// A check may refuse what the plain path accepts, never the reverse. None needs to know that a quote or comma follows:
// the caller compares the bytes after the value next.
//
// These loops run for every byte that is received. They are written as plain indexed loops over one Uint8Array because V8
// turns those into a few machine instructions a byte; slices, iterators and regular expressions cost a call each.

import { daysInMonth } from './timestamp.ts';

export const NOT_VERBATIM = -1;

const QUOTE = 0x22;
const DASH = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;

const ANY = 0;
const UPPER = 1;
const HIGH = 2;
const STOP = 4;

/** What each byte means inside a JSON string. */
const CLASSES = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === QUOTE || byte === 0x5c || byte < 0x20) return STOP;
  if (byte >= 0x80) return HIGH;
  return byte >= 0x41 && byte <= 0x5a ? UPPER : ANY;
});

/** Where the string that begins at `from` is closed, if it has no escapes and no control characters. */
export function endOfPlainString(bytes: Uint8Array, from: number, limit: number): number {
  let at = from;
  while (at < limit && CLASSES[bytes[at]!] !== STOP) at++;
  return at < limit && bytes[at] === QUOTE ? at : NOT_VERBATIM;
}

/** Text that is kept as it is. `isUtf8` says that the whole buffer is valid UTF-8. */
export function endOfText(bytes: Uint8Array, from: number, limit: number, isUtf8: boolean): number {
  let at = from;
  let seen = 0;
  while (at < limit) {
    const meaning = CLASSES[bytes[at]!]!;
    if (meaning === STOP) break;
    seen |= meaning;
    at++;
  }
  if ((seen & HIGH) !== 0 && !isUtf8) return NOT_VERBATIM;
  return isPresent(bytes, from, at) ? at : NOT_VERBATIM;
}

/** Text that is kept in lower case. */
export function endOfLowerText(bytes: Uint8Array, from: number, limit: number): number {
  let at = from;
  while (at < limit && CLASSES[bytes[at]!] === ANY) at++;
  return isPresent(bytes, from, at) ? at : NOT_VERBATIM;
}

/** "" and "-" stand for no value. */
function isPresent(bytes: Uint8Array, from: number, to: number): boolean {
  return to - from > 1 || (to - from === 1 && bytes[from] !== DASH);
}

/** One of a few texts. */
export function endOfOneOf(
  values: readonly Uint8Array[],
  bytes: Uint8Array,
  from: number,
  limit: number,
): number {
  for (const value of values) {
    const end = from + value.length;
    // A value may begin like another one; what follows it decides.
    if (end < limit && bytes[end] === QUOTE && matchesAt(value, bytes, from, limit)) return end;
  }
  return NOT_VERBATIM;
}

export function matchesAt(expected: Uint8Array, bytes: Uint8Array, from: number, limit: number): boolean {
  const length = expected.length;
  if (limit - from < length) return false;
  for (let index = 0; index < length; index++) {
    if (expected[index] !== bytes[from + index]) return false;
  }
  return true;
}

/** A canonical integer that a double holds exactly, at most `max`. */
export function endOfInteger(bytes: Uint8Array, from: number, limit: number, max: number): number {
  let at = from;
  let value = 0;
  while (at < limit) {
    const byte = bytes[at]!;
    if (byte < ZERO || byte > NINE) break;
    value = value * 10 + (byte - ZERO);
    at++;
  }
  const digits = at - from;
  if (digits === 0 || digits > 15 || value > max) return NOT_VERBATIM;
  return digits > 1 && bytes[from] === ZERO ? NOT_VERBATIM : at;
}

/** An IPv4 address, four octets without leading zeros. */
export function endOfIpv4(bytes: Uint8Array, from: number, limit: number): number {
  let at = from;
  for (let octet = 0; octet < 4; octet++) {
    if (octet > 0 && (at >= limit || bytes[at++] !== DOT)) return NOT_VERBATIM;
    const end = endOfInteger(bytes, at, limit, 255);
    if (end === NOT_VERBATIM) return NOT_VERBATIM;
    at = end;
  }
  return at;
}

/** The bytes of the address that `endOfIpv4` found, or undefined where the text is another kind of address. */
export function ipv4Bytes(bytes: Uint8Array, from: number, end: number): Uint8Array<ArrayBuffer> | undefined {
  const address = new Uint8Array(4);
  let octet = 0;
  for (let at = from; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === DOT) octet++;
    else if (byte >= ZERO && byte <= NINE) address[octet] = address[octet]! * 10 + (byte - ZERO);
    else return undefined;
  }
  return address;
}

/** The number that `endOfInteger` found. */
export function integerAt(bytes: Uint8Array, from: number, end: number): number {
  let value = 0;
  for (let at = from; at < end; at++) value = value * 10 + (bytes[at]! - ZERO);
  return value;
}

/** Pairs of lower-case hex digits. */
export function endOfHex(bytes: Uint8Array, from: number, limit: number): number {
  let at = from;
  while (at < limit) {
    const byte = bytes[at]!;
    if ((byte < ZERO || byte > NINE) && (byte < 0x61 || byte > 0x66)) break;
    at++;
  }
  return at > from && (at - from) % 2 === 0 ? at : NOT_VERBATIM;
}

/** The length of `2026-11-20T11:59:02.000000000Z`. */
export const TIMESTAMP_BYTES = 30;
const SECONDS_BYTES = 19;

/** A moment in UTC, `T` and `Z` in capitals, with up to nine fractional digits: at most padding is missing. */
export function endOfUtc(bytes: Uint8Array, from: number, limit: number): number {
  if (limit - from <= SECONDS_BYTES) return NOT_VERBATIM;
  if (bytes[from + 4] !== DASH || bytes[from + 7] !== DASH || bytes[from + 10] !== 0x54) return NOT_VERBATIM;
  if (bytes[from + 13] !== 0x3a || bytes[from + 16] !== 0x3a) return NOT_VERBATIM;
  const year = twoDigits(bytes, from) * 100 + twoDigits(bytes, from + 2);
  const month = twoDigits(bytes, from + 5);
  const day = twoDigits(bytes, from + 8);
  if (!(year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month)))
    return NOT_VERBATIM;
  const isClock =
    twoDigits(bytes, from + 11) <= 23 &&
    twoDigits(bytes, from + 14) <= 59 &&
    twoDigits(bytes, from + 17) <= 59;
  if (!isClock) return NOT_VERBATIM;

  let at = from + SECONDS_BYTES;
  if (bytes[at] === DOT) {
    const digitsFrom = ++at;
    while (at < limit && bytes[at]! >= ZERO && bytes[at]! <= NINE) at++;
    if (at === digitsFrom || at - digitsFrom > 9) return NOT_VERBATIM;
  }
  return at < limit && bytes[at] === 0x5a ? at + 1 : NOT_VERBATIM;
}

/** NaN where they are no digits, so that every comparison fails. */
function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - ZERO;
  const ones = bytes[at + 1]! - ZERO;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

/** Writes the moment that `endOfUtc` found with all nine fractional digits. */
export function writePaddedUtc(
  bytes: Uint8Array,
  from: number,
  end: number,
  into: Uint8Array,
  at: number,
): void {
  const present = end - 1 - from;
  for (let index = 0; index < present; index++) into[at + index] = bytes[from + index]!;
  for (let index = present; index < TIMESTAMP_BYTES - 1; index++) {
    into[at + index] = index === SECONDS_BYTES ? DOT : ZERO;
  }
  into[at + TIMESTAMP_BYTES - 1] = 0x5a;
}

export function endOfBoolean(bytes: Uint8Array, from: number, limit: number): number {
  if (matchesAt(TRUE, bytes, from, limit)) return from + TRUE.length;
  return matchesAt(FALSE, bytes, from, limit) ? from + FALSE.length : NOT_VERBATIM;
}

const TRUE = new TextEncoder().encode('true');
const FALSE = new TextEncoder().encode('false');
