// Text to tree.
//
//   query   = all { "or" all }
//   all     = one { [ "and" ] one }
//   one     = { "not" | "-" } ( "(" query ")" | "*" | term )
//   term    = field ( ":" | "=" | "!=" ) value { "," value }  |  field ( "<" | "<=" | ">" | ">=" ) value
//           | ( "since" | "until" ) ":" time  |  value
//   value   = quoted | run of characters without space, quote, parenthesis or "|", that does not begin with "~"
//
// `user:alice,bob` is either of them; a comma that belongs to the text is quoted. What other search languages have and this
// one has not (`~` for patterns, `|` for pipes) is refused: read as text it would find nothing, and look like an answer.
//
// The text comes from outside: it is at most 4 KiB long and nests at most 32 deep, and reading it takes linear time. Every
// problem is answered with its column, what stands there, and what was expected.

import { FIELDS, type Field, fieldNamed, resolveField } from '../event/fields.ts';
import { globOf, testForValue, type Value } from './tests-of-fields.ts';
import type { Comparison, Parsed, Query, QueryProblem, Span } from './tree.ts';

export const QUERY_BYTES_MAX = 4096;
export const QUERY_DEPTH_MAX = 32;

export function parseQuery(text: string): Parsed {
  try {
    return { ok: true, query: new Parser(text).parse() };
  } catch (error) {
    if (error instanceof Problem) return { ok: false, problem: error.problem };
    throw error;
  }
}

/** Never leaves this file: it unwinds the recursion. */
class Problem extends Error {
  readonly problem: QueryProblem;
  constructor(at: number, state: string, expected: string, advice = '') {
    super();
    const column = at + 1;
    this.problem = {
      column,
      message: `Cannot parse query at column ${column}: ${state}, expected ${expected}.${advice && ` ${advice}`}`,
    };
  }
}

/** Control characters other than white space, and halves of surrogate pairs. */
const UNUSABLE = /[^\P{Cc}\s]|\p{Cs}/u;
const SPACE = /\s*/y;
const FIELD_AND_OPERATOR = /([@A-Za-z_][A-Za-z0-9_.@-]*)(:|<=|>=|!=|<|>|=)/y;
const RUN = /[^\s"()]+/y;
/** What other languages begin a regular expression with: `~x`, `user:~x`, `user~x`, `user!~x`. */
const PATTERN_MARK = /^(?:([@A-Za-z_][A-Za-z0-9_.@-]*)!?)?~/;
/** Of a distinguished name, whose commas do not part alternatives. */
const ATTRIBUTE = /^[A-Za-z][A-Za-z0-9.]*=/;
const WORD = /(and|or|not)(?=[\s()"]|$)/iy;
const TIMESTAMP = fieldNamed('@timestamp')!;
/** Fields that only exist in answers are chosen by the search's own parameters. */
const SEARCHED = FIELDS.filter((field) => field.source !== 'output');
const NAMES = SEARCHED.flatMap((field) => [...field.aliases, field.name]);

interface ValueAt {
  readonly value: Value;
  readonly span: Span;
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Query {
    const bytes = Buffer.byteLength(this.#text);
    if (bytes > QUERY_BYTES_MAX) {
      throw new Problem(0, `it is ${bytes} bytes long`, `at most ${QUERY_BYTES_MAX}`);
    }
    const unusable = this.#text.search(UNUSABLE);
    if (unusable >= 0) {
      throw new Problem(unusable, 'this is a control character or half a character', 'text');
    }
    this.#skip(SPACE);
    if (this.#at === this.#text.length) return { kind: 'everything' };
    const query = this.#parseAlternatives();
    if (this.#at < this.#text.length) {
      throw new Problem(this.#at, 'this parenthesis closes nothing', 'the end of the query or another term');
    }
    return query;
  }

  #parseAlternatives(): Query {
    const terms = [this.#parseAll()];
    while (this.#takeWord('or')) terms.push(this.#parseAll());
    return terms.length === 1 ? terms[0]! : { kind: 'or', terms };
  }

  #parseAll(): Query {
    const terms = [this.#parseOne()];
    while (this.#at < this.#text.length && this.#text[this.#at] !== ')' && this.#peekWord() !== 'or') {
      this.#takeWord('and');
      terms.push(this.#parseOne());
    }
    return terms.length === 1 ? terms[0]! : { kind: 'and', terms };
  }

  #parseOne(): Query {
    const from = this.#at;
    this.#depth++;
    if (this.#depth > QUERY_DEPTH_MAX) {
      throw new Problem(from, `this nests ${this.#depth} deep`, `at most ${QUERY_DEPTH_MAX}`);
    }
    const query = this.#parseNested();
    this.#depth--;
    this.#skip(SPACE);
    return query;
  }

  #parseNested(): Query {
    if (this.#takeWord('not')) return { kind: 'not', term: this.#parseOne() };
    const next = this.#text[this.#at];
    if (next === '-' && /[^\s-]/.test(this.#text[this.#at + 1] ?? '')) {
      this.#at++;
      return { kind: 'not', term: this.#parseOne() };
    }
    if (next === '(') return this.#parseParentheses();
    const word = this.#peekWord();
    if (word) throw new Problem(this.#at, `"${word}" stands alone`, `a term before and after "${word}"`);
    if (next === undefined) throw new Problem(this.#at, 'the query ends here', 'another term');
    if (next === ')') throw new Problem(this.#at, 'there is nothing before this parenthesis', 'a term');
    return this.#parseTerm();
  }

  #parseParentheses(): Query {
    const open = this.#at++;
    this.#skip(SPACE);
    const query = this.#parseAlternatives();
    if (this.#text[this.#at] !== ')') {
      throw new Problem(open, 'this parenthesis is never closed', 'a ")" further on');
    }
    this.#at++;
    return query;
  }

  #parseTerm(): Query {
    const from = this.#at;
    const named = this.#take(FIELD_AND_OPERATOR);
    if (!named) {
      const { value, span } = this.#parseValue('a term');
      if (value.text === '*' && !value.quoted) return { kind: 'everything' };
      return { kind: 'words', glob: globOf(value), span };
    }
    const name = named[1]!;
    const operator = named[2] as ':' | '!=' | Comparison;
    if (name === 'since' || name === 'until') return this.#parseTimeLimit(name, operator);
    const field = searchedField(name);
    if (!field) {
      throw new Problem(from, `"${name}" is not a field`, 'the name of a field', advice(name));
    }
    const { value, span } = this.#parseValue(`a value for ${name}`);
    const isComparison = operator !== ':' && operator !== '=' && operator !== '!=';
    const alternatives = isComparison ? [{ value, span }] : this.#alternativesOf({ value, span });
    const terms = alternatives.map(({ value, span }): Query => {
      const outcome = testForValue(field, operator === '!=' ? '=' : operator, value);
      if (!outcome.ok) {
        throw new Problem(span.from, `"${shortened(value.text)}" does not fit ${name}`, outcome.expected);
      }
      return { kind: 'field', field, test: outcome.test, span };
    });
    const query: Query = terms.length === 1 ? terms[0]! : { kind: 'or', terms };
    return operator === '!=' ? { kind: 'not', term: query } : query;
  }

  #alternativesOf({ value, span }: ValueAt): ValueAt[] {
    if (value.quoted) {
      if (this.#text[this.#at] !== ',') return [{ value, span }];
      throw new Problem(
        this.#at,
        'a comma follows a quoted value',
        'a space or the end',
        'Write (user:"a b" or user:c).',
      );
    }
    const texts = value.text.split(',');
    if (texts.length === 1) return [{ value, span }];
    if (texts.every((text) => ATTRIBUTE.test(text))) {
      throw new Problem(
        span.from,
        'the commas of a distinguished name part alternatives here',
        'quotes around it',
        'Put it in double quotes, or write * for each comma.',
      );
    }
    let from = span.from;
    return texts.map((text) => {
      if (text === '') {
        throw new Problem(
          from,
          'a comma parts alternatives and there is none here',
          'a value on both sides of it',
          'Put text with commas in double quotes.',
        );
      }
      const alternative = { value: { text, quoted: false }, span: { from, to: from + text.length } };
      from += text.length + 1;
      return alternative;
    });
  }

  #parseTimeLimit(name: 'since' | 'until', operator: string): Query {
    if (operator !== ':') {
      throw new Problem(this.#at - operator.length, `"${operator}" follows ${name}`, '":"');
    }
    const { value, span } = this.#parseValue(`a time for ${name}`);
    const outcome = testForValue(TIMESTAMP, name === 'since' ? '>=' : '<', value);
    if (!outcome.ok) {
      throw new Problem(span.from, `"${shortened(value.text)}" is no time`, outcome.expected);
    }
    return { kind: 'field', field: TIMESTAMP, test: outcome.test, span };
  }

  #parseValue(wanted: string): ValueAt {
    const from = this.#at;
    if (this.#text[from] === '"') return this.#parseQuoted();
    const run = this.#take(RUN);
    if (!run) {
      const state = from === this.#text.length ? 'the query ends here' : 'there is nothing here';
      throw new Problem(from, state, wanted, 'Put text with spaces or parentheses in double quotes.');
    }
    refuseForeign(run[0], from);
    return { value: { text: run[0], quoted: false }, span: { from, to: this.#at } };
  }

  #parseQuoted(): ValueAt {
    const from = this.#at;
    let text = '';
    let at = from + 1;
    for (; this.#text[at] !== '"'; at++) {
      if (this.#text[at] === '\\') at++;
      const character = this.#text[at];
      if (character === undefined) {
        throw new Problem(from, 'this quote is never closed', 'a second quote further on');
      }
      text += character;
    }
    this.#at = at + 1;
    return { value: { text, quoted: true }, span: { from, to: this.#at } };
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const taken = pattern.exec(this.#text);
    if (taken) this.#at = pattern.lastIndex;
    return taken;
  }

  #skip(pattern: RegExp): void {
    this.#take(pattern);
  }

  #peekWord(): string | undefined {
    WORD.lastIndex = this.#at;
    return WORD.exec(this.#text)?.[0]?.toLowerCase();
  }

  #takeWord(word: 'and' | 'or' | 'not'): boolean {
    if (this.#peekWord() !== word) return false;
    this.#at += word.length;
    this.#skip(SPACE);
    return true;
  }
}

/** `from`: where the run stands in the query. */
function refuseForeign(run: string, from: number): void {
  const mark = PATTERN_MARK.exec(run);
  if (mark && (mark[1] === undefined || searchedField(mark[1]))) {
    const at = from + run.indexOf('~');
    throw new Problem(at, 'patterns are not supported yet', 'no "~"', 'Use * wildcards, or quote the text.');
  }
  const bar = run.indexOf('|');
  if (bar >= 0) {
    throw new Problem(
      from + bar,
      'pipes and "|" are not supported',
      'a query without "|"',
      'Write "or" between alternatives, pass the output on with --json for counting, or quote the text.',
    );
  }
}

function searchedField(name: string): Field | undefined {
  const field = resolveField(name);
  return field?.source === 'output' ? undefined : field;
}

function advice(name: string): string {
  const near = nearest(name, NAMES);
  return `${near ? `Did you mean "${near}"? ` : ''}To search for the text itself, put it in double quotes.`;
}

function shortened(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

/** The name that begins or ends alike or is one or two edits away. */
function nearest(name: string, names: readonly string[]): string | undefined {
  if (name.length > 40) return undefined;
  let best: string | undefined;
  let bestDistance = 3;
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best ?? names.find((candidate) => candidate.endsWith(`.${name}`));
}

function editDistance(left: string, right: string): number {
  if (Math.abs(left.length - right.length) > 2) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let at = 1; at <= left.length; at++) {
    const next = [at];
    for (let column = 1; column <= right.length; column++) {
      const replaced = row[column - 1]! + (left[at - 1] === right[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[column]! + 1, next[column - 1]! + 1));
    }
    row = next;
  }
  return row[right.length]!;
}
