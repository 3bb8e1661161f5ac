// Bytes that the canonical JSON of every matching record must contain. Canonical JSON has one spelling for each name and
// value, so `"user.name":"alice"` is either there or the record does not match. What cannot be said in bytes (an order, a
// network, an absence, text whose letter case is ignored) is left out, which only makes more records worth a closer look.

import { formatIp } from '../event/ip.ts';
import { isSingleAddress, type Network } from './network.ts';
import type { Glob, Query, Test } from './tree.ts';

export type Needles =
  | { readonly kind: 'none' }
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'all' | 'any'; readonly parts: readonly Needles[] };

const NONE: Needles = { kind: 'none' };

export function canonicalNeedles(query: Query): Needles {
  switch (query.kind) {
    case 'everything':
    case 'not':
      return NONE;
    case 'words':
      return joinAll(query.glob.filter(hasOneSpelling).map((part) => needle(inString(part))));
    case 'field': {
      const name = `${JSON.stringify(query.field.name)}:`;
      // A list's texts stand somewhere behind the name, and with escapes.
      return query.field.type === 'list' ? needle(name) : needleOfTest(name, query.test);
    }
    case 'and':
      return joinAll(query.terms.map(canonicalNeedles));
    case 'or': {
      const parts = query.terms.map(canonicalNeedles);
      // One alternative without a needle lets everything pass.
      return parts.some((part) => part.kind === 'none') ? NONE : { kind: 'any', parts };
    }
    default:
      return query satisfies never;
  }
}

export function passes(needles: Needles, canonical: Uint8Array): boolean {
  switch (needles.kind) {
    case 'none':
      return true;
    case 'bytes':
      return bufferOver(canonical).includes(needles.bytes);
    case 'all':
      return needles.parts.every((part) => passes(part, canonical));
    case 'any':
      return needles.parts.some((part) => passes(part, canonical));
    default:
      return needles satisfies never;
  }
}

function needleOfTest(name: string, test: Test): Needles {
  switch (test.kind) {
    case 'glob':
      return needleOfGlob(name, test.glob);
    case 'number':
      return needle(test.comparison === '=' ? `${name}${test.value}` : name);
    case 'boolean':
      return needle(`${name}${test.value}`);
    case 'present':
    case 'range':
    case 'version':
    case 'time':
      return needle(name);
    case 'network':
      return needle(`${name}${beginningOf(test.network)}`);
    default:
      return test satisfies never;
  }
}

function needleOfGlob(name: string, glob: Glob): Needles {
  // A label may hold a number or boolean, which has no quotes: only the name is certain then.
  if (/^(?:[-+.eE\d]*|t?r?u?e?|f?a?l?s?e?)$/.test(glob.join(''))) return needle(name);
  const [first, ...rest] = glob;
  if (rest.length === 0) return needle(`${name}"${inString(first)}"`);
  const middle = rest.filter((part) => part !== '').map((part) => needle(inString(part)));
  return joinAll([needle(first === '' ? name : `${name}"${inString(first)}`), ...middle]);
}

/** What every address of the network begins with in JSON: an address's only spelling, or the whole octets of IPv4. */
function beginningOf(network: Network): string {
  if (isSingleAddress(network)) return `"${formatIp(network.address)}"`;
  const octets = network.address.subarray(0, network.bits >> 3);
  return network.address.length === 4 && octets.length > 0 ? `"${octets.join('.')}.` : '"';
}

/** Without letters there is no letter case to ignore. */
function hasOneSpelling(part: string): boolean {
  return /^[ -@[-`{-~]+$/.test(part);
}

/** As the text stands inside the quotes of canonical JSON. */
function inString(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function needle(text: string): Needles {
  return { kind: 'bytes', bytes: Buffer.from(text) };
}

function joinAll(parts: readonly Needles[]): Needles {
  const known = parts.filter((part) => part.kind !== 'none');
  if (known.length < 2) return known[0] ?? NONE;
  return { kind: 'all', parts: known };
}

function bufferOver(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
