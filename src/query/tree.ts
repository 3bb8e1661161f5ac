// A query as a tree. `parse.ts` makes it from text, `match.ts` applies it to records; whoever searches with another engine
// compiles this tree, never the text.

import type { Field } from '../event/fields.ts';
import { isSingleAddress, type Network } from './network.ts';

/** Where in the text something stands: offsets from 0, `to` exclusive. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * Text with wildcards, cut at them: `svc-*-prod` is ['svc-', '-prod'], `abc` is ['abc']. An empty first or last part is a
 * wildcard at that end.
 */
export type Glob = readonly [string, ...string[]];

export type Comparison = '<' | '<=' | '>' | '>=' | '=';

/** A moment: absolute, or so many ms before the query runs. */
export type Moment =
  | { readonly kind: 'absolute'; readonly utc: string }
  | { readonly kind: 'ago'; readonly ms: number };

export type Test =
  | { readonly kind: 'present' }
  | { readonly kind: 'glob'; readonly glob: Glob }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'number'; readonly comparison: Comparison; readonly value: number }
  | { readonly kind: 'range'; readonly from: number; readonly to: number }
  /** By age of the protocol; "is this version" is a glob. */
  | { readonly kind: 'version'; readonly comparison: Exclude<Comparison, '='>; readonly rank: number }
  | { readonly kind: 'time'; readonly comparison: Comparison; readonly value: Moment }
  | { readonly kind: 'network'; readonly network: Network };

export type Query =
  | { readonly kind: 'everything' }
  | { readonly kind: 'and'; readonly terms: readonly Query[] }
  | { readonly kind: 'or'; readonly terms: readonly Query[] }
  | { readonly kind: 'not'; readonly term: Query }
  /** Text anywhere in the record, letter case ignored. */
  | { readonly kind: 'words'; readonly glob: Glob; readonly span: Span }
  | { readonly kind: 'field'; readonly field: Field; readonly test: Test; readonly span: Span };

export interface QueryProblem {
  /** From 1, in UTF-16 code units, as editors count. */
  readonly column: number;
  readonly message: string;
}

export type Parsed =
  | { readonly ok: true; readonly query: Query }
  | { readonly ok: false; readonly problem: QueryProblem };

/** Whether a test asks for one exact value, as opposed to a pattern or range that could be narrowed down step by step. */
export function isExact(test: Test): boolean {
  switch (test.kind) {
    case 'present':
    case 'boolean':
      return true;
    case 'glob':
      return test.glob.length === 1;
    case 'number':
    case 'time':
      return test.comparison === '=';
    case 'network':
      return isSingleAddress(test.network);
    case 'range':
    case 'version':
      return false;
    default:
      return test satisfies never;
  }
}
