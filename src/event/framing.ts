// Where the items of a request begin and end: lines, and the elements of a JSON list. Only brackets, quotes and white space
// are looked at; whether an item is sound is decided by whoever reads it.

import { NOT_VERBATIM } from './in-place.ts';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** RFC 8259 lets readers ignore a byte order mark; text editors on Windows write one. */
export function afterByteOrderMark(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === LINE_FEED || byte === CARRIAGE_RETURN || byte === 0x09;
}

export function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (isSpace(bytes[at])) at++;
  return at;
}

/** Behind the line's end if the line ends at `at`. */
export function afterLine(bytes: Uint8Array, at: number): number {
  if (at === bytes.length || bytes[at] === LINE_FEED) return at + 1;
  return bytes[at] === CARRIAGE_RETURN && bytes[at + 1] === LINE_FEED ? at + 2 : NOT_VERBATIM;
}

export function isListItemEnd(bytes: Uint8Array, from: number): boolean {
  const byte = bytes[skipSpace(bytes, from)];
  return byte === COMMA || byte === CLOSE_BRACKET;
}

/** Where the item of a list that begins at `from` ends: at the next comma or bracket that belongs to the list. */
export function endOfListItem(bytes: Uint8Array, from: number): number {
  let depth = 0;
  let at = from;
  for (; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      for (at++; at < bytes.length && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++;
    } else if (depth === 0 && (byte === COMMA || byte === CLOSE_BRACKET)) {
      break;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
    }
  }
  at = Math.min(at, bytes.length);
  while (at > from && isSpace(bytes[at - 1])) at--;
  return at;
}
