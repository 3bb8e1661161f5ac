// What may stand behind a field's name, by the field's type: the text of a value becomes a test.

import type { Field } from '../event/fields.ts';
import { parseMoment } from './moment.ts';
import { parseNetwork } from './network.ts';
import type { Comparison, Glob, Test } from './tree.ts';

export interface Value {
  /** Without quotes and escapes. */
  readonly text: string;
  /** Quoted text has no wildcards. */
  readonly quoted: boolean;
}

/** What is wrong with the value is said by what was expected. */
export type TestOrExpected =
  | { readonly ok: true; readonly test: Test }
  | { readonly ok: false; readonly expected: string };

const NUMBER = /^-?\d{1,15}(\.\d{1,15})?$/;
const RANGE = /^(\d{1,15})-(\d{1,15})$/;

/** `:` means "is, or matches"; the others compare. */
export function testForValue(field: Field, operator: ':' | Comparison, value: Value): TestOrExpected {
  if (value.text === '*' && !value.quoted) {
    return operator === ':' ? found({ kind: 'present' }) : expected('a value; "*" stands after ":" only');
  }
  const comparison = operator === ':' ? '=' : operator;
  switch (field.type) {
    case 'keyword':
    case 'text':
    case 'list':
      return textTest(comparison, field.lowerCase ? lowered(value) : value);
    case 'hex':
    case 'serial':
    case 'suite-id':
      return textTest(comparison, lowered(value));
    case 'enum':
      return isPattern(value) || field.values.includes(value.text)
        ? textTest(comparison, value)
        : expected(`one of ${field.values.join(', ')}`);
    case 'boolean':
      return (value.text === 'true' || value.text === 'false') && comparison === '='
        ? found({ kind: 'boolean', value: value.text === 'true' })
        : expected('":true" or ":false"');
    case 'port':
    case 'long':
    case 'duration':
      return numberTest(operator, value.text);
    case 'tls-version':
      return versionTest(comparison, value);
    case 'timestamp': {
      if (operator === ':' && isPattern(value)) return found({ kind: 'glob', glob: globOf(value) });
      const moment = parseMoment(value.text);
      return moment
        ? found({ kind: 'time', comparison, value: moment })
        : expected('a time such as 24h (ago), 2026-11-20 or 2026-11-20T12:00:00Z');
    }
    case 'ip':
      return addressTest(comparison, value);
    default:
      return field.type satisfies never;
  }
}

/** Oldest first. DTLS stands with the TLS version that it was made from. */
const VERSION_RANKS: Readonly<Record<string, number>> = {
  ssl2: 0,
  ssl3: 1,
  '1.0': 2,
  '1.1': 3,
  'dtls1.0': 3,
  '1.2': 4,
  'dtls1.2': 4,
  '1.3': 5,
  'dtls1.3': 5,
};

export function versionRank(version: string): number | undefined {
  return Object.hasOwn(VERSION_RANKS, version) ? VERSION_RANKS[version] : undefined;
}

/** Records carry `1.2` and `ssl3`; people also write `TLSv1.2`, `tls1.2` and `SSLv3`. */
function versionTest(comparison: Comparison, value: Value): TestOrExpected {
  if (comparison === '=' && isPattern(value)) return textTest('=', value);
  const version = value.text
    .toLowerCase()
    .replace(/^(ssl|dtls|tls)v/, '$1')
    .replace(/^tls/, '');
  const rank = versionRank(version);
  if (rank === undefined) return expected('a version such as 1.2, dtls1.2 or ssl3');
  if (comparison === '=') return found({ kind: 'glob', glob: [version] });
  return found({ kind: 'version', comparison, rank });
}

function textTest(comparison: Comparison, value: Value): TestOrExpected {
  return comparison === '='
    ? found({ kind: 'glob', glob: globOf(value) })
    : expected('":" or "=": this field is text and has no order');
}

function lowered(value: Value): Value {
  return { ...value, text: value.text.toLowerCase() };
}

export function globOf(value: Value): Glob {
  if (value.quoted) return [value.text];
  const [first, ...rest] = value.text.split(/\*+/);
  return [first!, ...rest];
}

function numberTest(operator: ':' | Comparison, text: string): TestOrExpected {
  const comparison = operator === ':' ? '=' : operator;
  if (NUMBER.test(text)) return found({ kind: 'number', comparison, value: Number(text) });
  const range = operator === ':' ? RANGE.exec(text) : null;
  if (!range) {
    return expected(operator === ':' ? 'a number such as 8443 or a range such as 8000-8100' : 'a number');
  }
  const from = Number(range[1]);
  const to = Number(range[2]);
  return from <= to
    ? found({ kind: 'range', from, to })
    : expected(`the smaller number first: ${to}-${from}`);
}

function addressTest(comparison: Comparison, value: Value): TestOrExpected {
  if (comparison !== '=') return expected('":": addresses have no order. For a network write 10.0.0.0/8');
  if (isPattern(value)) return found({ kind: 'glob', glob: globOf(value) });
  const network = parseNetwork(value.text);
  return network
    ? found({ kind: 'network', network })
    : expected('an address such as 10.1.2.3, a network such as 10.0.0.0/8, or a pattern such as 10.1.*');
}

function isPattern(value: Value): boolean {
  return !value.quoted && value.text.includes('*');
}

function found(test: Test): TestOrExpected {
  return { ok: true, test };
}

function expected(what: string): TestOrExpected {
  return { ok: false, expected: what };
}
