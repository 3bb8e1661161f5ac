// One value of one field: what was sent becomes the one spelling that records use, or a refusal that says what was
// expected. A refusal never repeats the value, which may be a secret.

import { type Field, isNumeric } from './fields.ts';
import { normaliseIp } from './ip.ts';
import { normaliseTimestamp } from './timestamp.ts';

export class Refusal {
  /** Continues a sentence that begins with the field's name. */
  readonly problem: string;
  constructor(problem: string) {
    this.problem = problem;
  }
}

export type Scalar = string | number | boolean;

/** The value as records hold it; undefined where the sender says that there is none (null, "" and "-"). */
export function normaliseValue(field: Field, value: unknown): Scalar | undefined | Refusal {
  if (isAbsent(value)) return undefined;
  if (typeof value === 'string') {
    const problem = textProblem(value);
    return problem ?? normaliseText(field, value);
  }
  if (typeof value === 'number') return normaliseNumber(field, value);
  if (typeof value === 'boolean' && field.type === 'boolean') return value;
  if (Array.isArray(value) && field.type === 'list') return listOf(value);
  return new Refusal(`is ${kindOf(value)}, expected ${EXPECTED[field.type]}`);
}

export function isAbsent(value: unknown): boolean {
  return value === null || value === undefined || value === '' || value === '-';
}

/** What makes a text unfit for evidence, whatever its field. */
export function textProblem(text: string): Refusal | undefined {
  if (!text.isWellFormed()) {
    return new Refusal('holds half of a surrogate pair, expected well-formed Unicode');
  }
  if (text.includes('\0')) return new Refusal('holds a NUL character, expected text without');
  return undefined;
}

/** What the field holds, in words for the sender. */
export function expectation(field: Field): string {
  return EXPECTED[field.type];
}

const EXPECTED: Readonly<Record<Field['type'], string>> = {
  keyword: 'text',
  text: 'text',
  enum: 'text',
  ip: 'an IP address as text',
  port: 'a port number from 0 to 65535',
  long: 'an integer',
  duration: 'an integer number of nanoseconds',
  timestamp: 'a time: RFC 3339, or seconds or milliseconds since 1970',
  boolean: 'true or false',
  list: 'a list of texts',
  hex: 'hex digits',
  serial: 'a serial number in hex digits',
  'tls-version': 'a TLS version such as 1.3',
  'suite-id': 'a cipher suite code such as 0x1301',
};

function normaliseText(field: Field, text: string): Scalar | undefined | Refusal {
  switch (field.type) {
    case 'keyword':
      return field.lowerCase ? text.toLowerCase() : text;
    case 'text':
      return text;
    case 'enum':
      return enumValue(field, text);
    case 'ip':
      return normaliseIp(text) ?? not(field);
    case 'port':
    case 'long':
    case 'duration':
      return /^(?:0|[1-9]\d{0,15})$/.test(text) ? normaliseNumber(field, Number(text)) : not(field);
    case 'timestamp':
      return normaliseTimestamp(text) ?? not(field);
    case 'boolean':
      return BOOLEANS.get(text.toLowerCase()) ?? not(field);
    case 'list':
      return joinList(splitList(text));
    case 'hex':
      return hexDigits(text) ?? not(field);
    case 'serial':
      return serialNumber(text) ?? not(field);
    case 'tls-version':
      return tlsVersion(text) ?? not(field);
    case 'suite-id':
      return suiteId(text) ?? not(field);
  }
}

function normaliseNumber(field: Field, value: number): Scalar | Refusal {
  if (isNumeric(field.type)) {
    if (!Number.isSafeInteger(value) || value < 0) return not(field);
    if (value > field.max) return new Refusal(`is larger than ${field.max}, expected at most that`);
    return value === 0 ? 0 : value; // -0 is 0
  }
  switch (field.type) {
    case 'timestamp':
      return normaliseTimestamp(value) ?? not(field);
    case 'tls-version':
      return TLS_CODES.get(value) ?? not(field);
    case 'suite-id':
      return suiteCode(value) ?? not(field);
    case 'keyword':
    case 'text':
      // Identifiers are often numbers in the sender's program (user ids, process ids).
      return Number.isSafeInteger(value)
        ? String(value)
        : new Refusal('is a number that is no exact integer, expected text');
    default:
      return new Refusal(`is a number, expected ${EXPECTED[field.type]}`);
  }
}

function not(field: Field): Refusal {
  return new Refusal(`is not what the field holds, expected ${EXPECTED[field.type]}`);
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return `a ${typeof value}`;
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['false', false],
]);

/** Words that sources use for the outcomes. */
const OUTCOMES: ReadonlyMap<string, string> = new Map([
  ...[
    'succeeded',
    'successful',
    'ok',
    'pass',
    'passed',
    'allow',
    'allowed',
    'accept',
    'accepted',
    'granted',
  ].map((word) => [word, 'success'] as const),
  ...['failed', 'fail', 'error', 'deny', 'denied', 'block', 'blocked', 'reject', 'rejected', 'refused'].map(
    (word) => [word, 'failure'] as const,
  ),
]);

function enumValue(field: Field, text: string): string | Refusal {
  const lower = text.toLowerCase();
  if (field.values.includes(lower)) return lower;
  const synonym = OUTCOMES.get(lower);
  if (synonym !== undefined && field.values.includes(synonym)) return synonym;
  return new Refusal(`is not one of the known values, expected one of ${field.values.join(', ')}`);
}

function hexDigits(text: string): string | undefined {
  const digits = text.replaceAll(':', '').toLowerCase();
  return /^(?:[0-9a-f]{2})+$/.test(digits) ? digits : undefined;
}

function serialNumber(text: string): string | undefined {
  const digits = text.replaceAll(':', '').replace(/^0x/i, '').toLowerCase();
  if (!/^[0-9a-f]+$/.test(digits)) return undefined;
  const significant = digits.replace(/^0+(?=.)/, '');
  return significant.length % 2 === 0 ? significant : `0${significant}`;
}

const TLS_CODES: ReadonlyMap<number, string> = new Map([
  [0x0304, '1.3'],
  [0x0303, '1.2'],
  [0x0302, '1.1'],
  [0x0301, '1.0'],
  [0x0300, 'ssl3'],
  [0x0002, 'ssl2'],
  [0xfefc, 'dtls1.3'],
  [0xfefd, 'dtls1.2'],
  [0xfeff, 'dtls1.0'],
]);

/** Spellings without case, spaces, dots, dashes and underscores: TLSv1.3, "TLS 1.3", TLS1_3, TLSv13, VersionTLS13. */
const TLS_SPELLINGS: ReadonlyMap<string, string> = new Map([
  ...['13', 'tls13', 'tlsv13', 'versiontls13'].map((word) => [word, '1.3'] as const),
  ...['12', 'tls12', 'tlsv12', 'versiontls12'].map((word) => [word, '1.2'] as const),
  ...['11', 'tls11', 'tlsv11', 'versiontls11'].map((word) => [word, '1.1'] as const),
  ...['10', 'tls10', 'tlsv10', 'versiontls10', 'tls1', 'tlsv1'].map((word) => [word, '1.0'] as const),
  ...['ssl3', 'sslv3', 'ssl30', 'sslv30', 'versionssl30'].map((word) => [word, 'ssl3'] as const),
  ...['ssl2', 'sslv2', 'ssl20', 'sslv20'].map((word) => [word, 'ssl2'] as const),
  ...['dtls13', 'dtlsv13'].map((word) => [word, 'dtls1.3'] as const),
  ...['dtls12', 'dtlsv12'].map((word) => [word, 'dtls1.2'] as const),
  ...['dtls10', 'dtlsv10', 'dtls1', 'dtlsv1'].map((word) => [word, 'dtls1.0'] as const),
]);

function tlsVersion(text: string): string | undefined {
  if (text.length > 16) return undefined;
  if (/^0x[0-9a-f]{4}$/i.test(text) || /^\d{3,5}$/.test(text)) return TLS_CODES.get(Number(text));
  return TLS_SPELLINGS.get(text.toLowerCase().replace(/[ ._-]/g, ''));
}

function suiteId(text: string): string | undefined {
  if (/^0x[0-9a-f]{4}$/i.test(text)) return text.toLowerCase();
  // The IANA registry writes 0x13,0x01.
  const pair = /^0x([0-9a-f]{2}), ?0x([0-9a-f]{2})$/i.exec(text);
  if (pair !== null) return `0x${pair[1]}${pair[2]}`.toLowerCase();
  return /^(?:0|[1-9]\d{0,4})$/.test(text) ? suiteCode(Number(text)) : undefined;
}

function suiteCode(code: number): string | undefined {
  if (!Number.isInteger(code) || code < 0 || code > 0xffff) return undefined;
  return `0x${code.toString(16).padStart(4, '0')}`;
}

function listOf(items: readonly unknown[]): string | undefined | Refusal {
  const texts: string[] = [];
  for (const item of items) {
    if (isAbsent(item)) continue;
    if (typeof item !== 'string')
      return new Refusal(`has a member that is ${kindOf(item)}, expected texts only`);
    const problem = textProblem(item);
    if (problem !== undefined) return problem;
    texts.push(item);
  }
  return joinList(texts);
}

/** Sorted, without repetition, joined with commas. No members at all is absence. */
export function joinList(items: readonly string[]): string | undefined {
  const kept = items.filter((item) => !isAbsent(item));
  if (kept.length === 0) return undefined;
  return [...new Set(kept)]
    .sort()
    .map((item) => item.replace(/[\\,]/g, '\\$&'))
    .join(',');
}

/** The members of a joined list. A backslash that escapes nothing stands for itself. */
export function splitList(joined: string): string[] {
  if (!joined.includes('\\')) return joined.split(',');
  const items: string[] = [];
  let item = '';
  for (let at = 0; at < joined.length; at++) {
    const next = joined[at + 1];
    if (joined[at] === '\\' && (next === ',' || next === '\\')) {
      item += next;
      at++;
    } else if (joined[at] === ',') {
      items.push(item);
      item = '';
    } else {
      item += joined[at];
    }
  }
  return [...items, item];
}
