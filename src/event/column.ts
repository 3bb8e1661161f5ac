// One value of a known shape: which field it fills, and how the bytes between two known pieces of text become the bytes of
// the record. Most values are copied as they lie; those that need normalising are worked out once and remembered, because
// they repeat ("TLSv1.3", an address in IPv6, a certificate's validity).

import { type Field, fieldNamed, isNumeric, LABEL_PREFIX } from './fields.ts';
import {
  endOfBoolean,
  endOfHex,
  endOfInteger,
  endOfIpv4,
  endOfLowerText,
  endOfOneOf,
  endOfPlainString,
  endOfText,
  endOfUtc,
  NOT_VERBATIM,
} from './in-place.ts';
import { numberFromSource } from './json.ts';
import { normaliseValue, Refusal } from './normalise.ts';
import { LABEL_VALUE_MAX, labelText } from './validate.ts';

// Small integers, because the hot loop switches on them.
const TEXT = 0;
const LOWER_TEXT = 1;
const ONE_OF = 2;
const IPV4 = 3;
const INTEGER = 4;
export const UTC = 5;
const BOOLEAN = 6;
const HEX = 7;
const TRANSLATED = 8;
const LABEL_TEXT = 9;
const LABEL_INTEGER = 10;

// Certificates, versions and the like: a handful of values at a time. Longer values are worked out each time.
const REMEMBERED_MAX = 8;
const REMEMBERED_BYTES_MAX = 512;
const TRANSLATED_BYTES_MAX = 4096;

interface Remembered {
  readonly sent: Uint8Array;
  readonly stored: Uint8Array;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class Column {
  readonly name: string;
  /** Whether the value was sent in quotes, which are then part of the text before and after it. */
  readonly isQuoted: boolean;
  readonly check: number;
  /** Set by `translate`: what to store instead of what was sent. */
  translation: Uint8Array = EMPTY;
  readonly #field: Field | undefined;
  readonly #values: readonly Uint8Array[];
  readonly #max: number;
  readonly #remembered: Remembered[] = [];
  #nextRemembered = 0;

  /** `name` is the record's: a field of the table, or `labels.` and something. */
  constructor(name: string, isQuoted: boolean) {
    this.name = name;
    this.isQuoted = isQuoted;
    this.#field = name.startsWith(LABEL_PREFIX) ? undefined : fieldNamed(name);
    this.check = checkFor(this.#field, isQuoted);
    this.#values = (this.#field?.values ?? []).map((value) => encoder.encode(value));
    this.#max = this.#field?.max ?? Number.MAX_SAFE_INTEGER;
  }

  /** Whether a record holds the value without quotes. */
  get isStoredBare(): boolean {
    return this.#field !== undefined && (isNumeric(this.#field.type) || this.#field.type === 'boolean');
  }

  /** Where the value ends if it can be copied as it lies (for UTC: after padding). */
  endOfVerbatim(bytes: Uint8Array, from: number, limit: number, isUtf8: boolean): number {
    const end = this.#endOf(bytes, from, limit, isUtf8);
    return end !== NOT_VERBATIM && this.isQuoted && bytes[end] !== QUOTE ? NOT_VERBATIM : end;
  }

  #endOf(bytes: Uint8Array, from: number, limit: number, isUtf8: boolean): number {
    switch (this.check) {
      case TEXT:
        return endOfText(bytes, from, limit, isUtf8);
      case LOWER_TEXT:
        return endOfLowerText(bytes, from, limit);
      case ONE_OF:
        return endOfOneOf(this.#values, bytes, from, limit);
      case IPV4:
        return endOfIpv4(bytes, from, limit);
      case INTEGER:
      case LABEL_INTEGER:
        return endOfInteger(bytes, from, limit, this.#max);
      case UTC:
        return endOfUtc(bytes, from, limit);
      case BOOLEAN:
        return endOfBoolean(bytes, from, limit);
      case HEX:
        return endOfHex(bytes, from, limit);
      case LABEL_TEXT: {
        const end = endOfText(bytes, from, limit, isUtf8);
        return end - from > LABEL_VALUE_MAX ? NOT_VERBATIM : end;
      }
      default:
        return NOT_VERBATIM;
    }
  }

  /** Where the value ends once `translation` holds what is stored for it; NOT_VERBATIM leaves the line to the plain path. */
  translate(bytes: Uint8Array, from: number, limit: number): number {
    const end = this.isQuoted ? endOfPlainString(bytes, from, limit) : endOfBare(bytes, from, limit);
    if (end === NOT_VERBATIM || end - from > TRANSLATED_BYTES_MAX) return NOT_VERBATIM;
    const sent = bytes.subarray(from, end);
    const known = this.#remembered.find((one) => isSame(one.sent, sent));
    if (known !== undefined) {
      this.translation = known.stored;
      return end;
    }
    const stored = this.#normalise(sent);
    if (stored === undefined) return NOT_VERBATIM;
    this.translation = stored;
    if (sent.length <= REMEMBERED_BYTES_MAX) {
      this.#remembered[this.#nextRemembered] = { sent: sent.slice(), stored };
      this.#nextRemembered = (this.#nextRemembered + 1) % REMEMBERED_MAX;
    }
    return end;
  }

  /** Undefined for what the plain path must see: absent or refused values, invalid UTF-8, labels too long. */
  #normalise(sent: Uint8Array): Uint8Array | undefined {
    let text: string;
    try {
      text = decoder.decode(sent);
    } catch {
      return undefined;
    }
    const value = this.isQuoted ? text : bareValue(text);
    const stored = this.#field === undefined ? labelText(value) : normaliseValue(this.#field, value);
    if (stored === undefined || stored instanceof Refusal) return undefined;
    if (typeof stored !== 'string') return encoder.encode(String(stored));
    if (this.#field === undefined && stored.length > LABEL_VALUE_MAX) return undefined;
    return encoder.encode(JSON.stringify(stored).slice(1, -1));
  }
}

const QUOTE = 0x22;
const EMPTY = new Uint8Array(0);

function checkFor(field: Field | undefined, isQuoted: boolean): number {
  if (field === undefined) return isQuoted ? LABEL_TEXT : LABEL_INTEGER;
  if (isNumeric(field.type)) return INTEGER;
  if (field.type === 'boolean') return BOOLEAN;
  if (!isQuoted) return TRANSLATED;
  switch (field.type) {
    case 'keyword':
      return field.lowerCase ? LOWER_TEXT : TEXT;
    case 'text':
      return TEXT;
    case 'enum':
    case 'tls-version':
      return ONE_OF;
    case 'ip':
      return IPV4;
    case 'timestamp':
      return UTC;
    case 'hex':
      return HEX;
    default:
      return TRANSLATED;
  }
}

/** The end of a number or literal: the next comma, bracket or white space. */
function endOfBare(bytes: Uint8Array, from: number, limit: number): number {
  let at = from;
  while (at < limit && bytes[at]! > 0x20 && bytes[at] !== 0x2c && bytes[at] !== 0x5d && bytes[at] !== 0x7d)
    at++;
  return at > from && at < limit ? at : NOT_VERBATIM;
}

/** The JSON value that stands without quotes, or undefined where the text is none. */
function bareValue(text: string): unknown {
  if (text === 'true') return true;
  if (text === 'false') return false;
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text) ? numberFromSource(text) : undefined;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}
