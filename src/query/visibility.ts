// Queries and masked fields. Somebody who sees a field masked may still ask for one exact value of it, but not for
// patterns, ranges or orders: with those, a hidden value could be found out letter by letter.
//
// In custody entries a query stands with the values of masked fields as tokens: the entry outlives the records it was about.
// Bare words are looked for in masked fields too, so they become tokens as well.

import { isExact, type Query, type QueryProblem } from './tree.ts';

/** The first pattern on a masked field, or undefined. */
export function findPatternOnMasked(
  query: Query,
  isMasked: (field: string) => boolean,
): QueryProblem | undefined {
  switch (query.kind) {
    case 'everything':
    case 'words':
      return undefined;
    case 'and':
    case 'or':
      for (const term of query.terms) {
        const problem = findPatternOnMasked(term, isMasked);
        if (problem) return problem;
      }
      return undefined;
    case 'not':
      return findPatternOnMasked(query.term, isMasked);
    case 'field': {
      if (!isMasked(query.field.name) || isExact(query.test)) return undefined;
      const column = query.span.from + 1;
      return {
        column,
        message: `Cannot search at column ${column}: ${query.field.name} is masked for your role and this is a pattern, expected one exact value. Ask an auditor for a search by pattern.`,
      };
    }
    default:
      return query satisfies never;
  }
}

/** `tokenOf` makes the keyed token for a value of a field; bare words have the field `text`. */
export function redactQuery(
  text: string,
  query: Query,
  isMasked: (field: string) => boolean,
  tokenOf: (field: string, value: string) => string,
): string {
  let redacted = '';
  let at = 0;
  for (const { field, from, to } of maskedSpans(query, isMasked)) {
    redacted += text.slice(at, from) + tokenOf(field, unquoted(text.slice(from, to)));
    at = to;
  }
  return redacted + text.slice(at);
}

interface MaskedSpan {
  readonly field: string;
  readonly from: number;
  readonly to: number;
}

/** In the order of the text, which is the order of the tree. */
function maskedSpans(query: Query, isMasked: (field: string) => boolean): MaskedSpan[] {
  switch (query.kind) {
    case 'everything':
      return [];
    case 'and':
    case 'or':
      return query.terms.flatMap((term) => maskedSpans(term, isMasked));
    case 'not':
      return maskedSpans(query.term, isMasked);
    case 'words':
      return [{ field: 'text', ...query.span }];
    case 'field':
      return isMasked(query.field.name) && query.test.kind !== 'present'
        ? [{ field: query.field.name, ...query.span }]
        : [];
    default:
      return query satisfies never;
  }
}

function unquoted(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/gs, '$1') : value;
}
