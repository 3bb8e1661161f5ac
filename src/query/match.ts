// Tree to matcher. A record is tested in two steps:
//
//   mayMatch(bytes)   some text that every match must contain is looked for in the canonical JSON; cheap, may say yes wrongly
//   matches(record)   the truth, on the parsed record
//
// so that a scan parses only the records that have a chance. A field that is absent passes no test but `not`.

import type { FlatRecord } from '../event/canonical.ts';
import { splitList } from '../event/normalise.ts';
import { momentText } from './moment.ts';
import { canonicalNeedles, type Needles, passes } from './needles.ts';
import { networkHas } from './network.ts';
import { versionRank } from './tests-of-fields.ts';
import type { Comparison, Glob, Query, Test } from './tree.ts';

export interface Matcher {
  /** Every record matches: there is no need to parse any. */
  readonly matchesAll: boolean;
  mayMatch(canonical: Uint8Array): boolean;
  matches(record: FlatRecord): boolean;
}

export interface MatchOptions {
  /** For times such as `24h`; fixed here, so that a long search has one answer. */
  readonly nowMs: number;
  /** Fields whose text bare words do not see: masked ones, for somebody who sees them masked. */
  readonly hidden?: (field: string) => boolean;
}

type Predicate = (record: FlatRecord) => boolean;

export function compileMatcher(query: Query, options: MatchOptions): Matcher {
  const matches = compile(query, options);
  const needles: Needles = canonicalNeedles(query);
  return {
    matches,
    matchesAll: query.kind === 'everything',
    mayMatch: (canonical) => passes(needles, canonical),
  };
}

function compile(query: Query, options: MatchOptions): Predicate {
  switch (query.kind) {
    case 'everything':
      return () => true;
    case 'and': {
      const terms = query.terms.map((term) => compile(term, options));
      return (record) => terms.every((term) => term(record));
    }
    case 'or': {
      const terms = query.terms.map((term) => compile(term, options));
      return (record) => terms.some((term) => term(record));
    }
    case 'not': {
      const term = compile(query.term, options);
      return (record) => !term(record);
    }
    case 'words':
      return compileWords(query.glob, options);
    case 'field': {
      const { name } = query.field;
      const test = compileTest(query.test, options.nowMs);
      if (query.field.type === 'list' && query.test.kind !== 'present') {
        return (record) => Object.hasOwn(record, name) && splitList(String(record[name])).some(test);
      }
      return (record) => Object.hasOwn(record, name) && test(record[name]);
    }
    default:
      return query satisfies never;
  }
}

/** Open at both ends: a bare word is looked for inside the text of every field. */
function compileWords(glob: Glob, options: MatchOptions): Predicate {
  const lowered = glob.map((part) => part.toLowerCase());
  const open: Glob = ['', ...lowered, ''];
  const whole = lowered.join('*');
  return (record) => {
    for (const name in record) {
      const value = record[name];
      if (options.hidden?.(name)) continue;
      if (typeof value === 'string' ? globMatches(open, value.toLowerCase()) : String(value) === whole)
        return true;
    }
    return false;
  };
}

function compileTest(test: Test, nowMs: number): (value: unknown) => boolean {
  switch (test.kind) {
    case 'present':
      return () => true;
    case 'glob':
      return (value) => globMatches(test.glob, typeof value === 'string' ? value : String(value));
    case 'boolean':
      return (value) => value === test.value;
    case 'number':
      return (value) => typeof value === 'number' && compares(value, test.comparison, test.value);
    case 'range':
      return (value) => typeof value === 'number' && value >= test.from && value <= test.to;
    case 'version':
      return (value) => {
        const rank = typeof value === 'string' ? versionRank(value) : undefined;
        return rank !== undefined && compares(rank, test.comparison, test.rank);
      };
    case 'time': {
      const moment = momentText(test.value, nowMs);
      return (value) => typeof value === 'string' && compares(value, test.comparison, moment);
    }
    case 'network':
      return (value) => typeof value === 'string' && networkHas(test.network, value);
    default:
      return test satisfies never;
  }
}

function compares<T extends number | string>(left: T, comparison: Comparison, right: T): boolean {
  switch (comparison) {
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
    case '=':
      return left === right;
    default:
      return comparison satisfies never;
  }
}

/** The parts between wildcards, each at its first place after the one before: no backtracking. */
export function globMatches(glob: Glob, text: string): boolean {
  const first = glob[0];
  if (glob.length === 1) return text === first;
  const last = glob[glob.length - 1]!;
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) {
    return false;
  }
  let at = first.length;
  const end = text.length - last.length;
  for (let part = 1; part < glob.length - 1; part++) {
    const found = text.indexOf(glob[part]!, at);
    if (found < 0 || found + glob[part]!.length > end) return false;
    at = found + glob[part]!.length;
  }
  return at <= end;
}
