// Canonical JSON (RFC 8785): the bytes that are hashed, stored and shown. One value has one spelling: no white space,
// members sorted by the UTF-16 code units of their names, numbers and strings as ECMAScript's JSON.stringify writes them.
//
// What RFC 8785 forbids is refused here instead of being written somehow: lone surrogates, NaN, infinities, and values
// that are not JSON at all (undefined, functions, bigints, class instances such as Date).

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

/** A record: flat, dotted names, one scalar each. */
export type FlatRecord = Readonly<Record<string, string | number | boolean>>;

export class CanonicalError extends Error {
  override readonly name = 'CanonicalError';
}

// Deeper than anything we write ourselves; bounds the recursion on values that others made.
const DEPTH_MAX = 64;

const encoder = new TextEncoder();

/** The canonical bytes of any JSON value. Throws a CanonicalError on what RFC 8785 forbids. */
export function canonicalJson(value: JsonValue): Uint8Array<ArrayBuffer> {
  return encoder.encode(canonicalText(value));
}

export function canonicalText(value: JsonValue): string {
  return write(value, 0);
}

/** The canonical bytes of a record. Throws a CanonicalError on what RFC 8785 forbids. */
export function canonicalRecord(record: FlatRecord): Uint8Array<ArrayBuffer> {
  return encoder.encode(canonicalRecordText(record));
}

/**
 * Records are made with their names in canonical order, and then the engine's own serialiser writes RFC 8785 as it stands,
 * three times as fast as member by member. It escapes half a surrogate pair as \udXXX, and nothing else looks like that
 * but a text with a backslash of its own; both take the careful way.
 */
export function canonicalRecordText(record: FlatRecord): string {
  if (!isInOrder(record)) return canonicalText(record);
  const text = JSON.stringify(record);
  return text.includes('\\ud') ? canonicalText(record) : text;
}

/** Whether JSON.stringify, which writes members in the order of Object.keys, needs no help with this object. */
function isInOrder(record: FlatRecord): boolean {
  let previous = '';
  for (const name of Object.keys(record)) {
    if (previous >= name) return false;
    const value: unknown = record[name];
    if (typeof value !== 'string' && typeof value !== 'boolean' && !Number.isFinite(value)) return false;
    previous = name;
  }
  return !('toJSON' in record);
}

function write(value: JsonValue, depth: number): string {
  if (value === null || value === true || value === false) return String(value);
  if (typeof value === 'number') return writeNumber(value);
  if (typeof value === 'string') return writeString(value);
  if (depth === DEPTH_MAX) {
    throw new CanonicalError(
      `Cannot write canonical JSON: the value is nested deeper than ${DEPTH_MAX} levels, expected fewer. Flatten it.`,
    );
  }
  if (Array.isArray(value)) {
    return `[${Array.from(value as readonly JsonValue[], (item) => write(item, depth + 1)).join(',')}]`;
  }
  if (typeof value === 'object' && isPlain(value)) {
    const object = value as JsonObject;
    // sort() without a comparator compares UTF-16 code units, which is RFC 8785's order.
    const members = Object.keys(object)
      .sort()
      .map((name) => `${writeString(name)}:${write(object[name]!, depth + 1)}`);
    return `{${members.join(',')}}`;
  }
  throw new CanonicalError(
    `Cannot write canonical JSON: the value holds a ${describe(value)}, expected null, a boolean, a number, a string, an array or a plain object.`,
  );
}

function writeNumber(value: number): string {
  if (Number.isFinite(value)) return JSON.stringify(value);
  throw new CanonicalError('Cannot write canonical JSON: a number is not finite, expected a finite one.');
}

function writeString(value: string): string {
  if (value.isWellFormed()) return JSON.stringify(value);
  throw new CanonicalError(
    'Cannot write canonical JSON: a string holds half of a surrogate pair, expected well-formed Unicode.',
  );
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as unknown;
  return prototype === Object.prototype || prototype === null;
}

function describe(value: unknown): string {
  return typeof value === 'object' ? 'class instance' : typeof value;
}
