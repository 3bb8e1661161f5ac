// Strict JSON for evidence. JSON.parse is the parser; around it stand the checks that it does not make:
//
// - invalid UTF-8 is refused, not replaced
// - a name that appears twice in one object is refused: readers disagree about which of the two counts
// - nesting is bounded
// - a number with more digits than a double can hold becomes the text that was sent, so no digit is lost in silence
//
// Nothing of the input is quoted in a problem except names, because values may be secrets.

export type ParsedJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: string };

export const JSON_DEPTH_MAX = 16;

// Every decimal of up to 15 digits survives the way through a double and back (IEEE 754 binary64).
const EXACT_DIGITS_MAX = 15;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function parseJson(bytes: Uint8Array): ParsedJson {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return problem('is not valid UTF-8, expected JSON in UTF-8');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return problem(`is not valid JSON${position(error)}, expected one JSON object`);
  }
  const found = inspect(text);
  if (found.problem !== undefined) return problem(found.problem);
  if (found.hasLongNumber) value = JSON.parse(text, keepLongNumbers);
  return { ok: true, value };
}

/** A name as it may begin a message: names are chosen by senders too, so only harmless ones are repeated. */
export function quoteName(name: string): string {
  return isHarmless(name) ? `"${name}"` : 'An attribute with an unusual name';
}

function isHarmless(name: string): boolean {
  return /^[\w@.\-/]{1,96}$/.test(name);
}

function problem(text: string): ParsedJson {
  return { ok: false, problem: text };
}

/** The engine's message may quote the input; only the position in it is safe to repeat. */
function position(error: unknown): string {
  const match = error instanceof Error ? /at position (\d+)/.exec(error.message) : null;
  return match === null ? '' : ` at character ${match[1]}`;
}

interface Inspection {
  readonly problem?: string;
  readonly hasLongNumber: boolean;
}

/** Walks text that JSON.parse has accepted, so only structure needs attention. */
function inspect(text: string): Inspection {
  // The names seen so far of each open object; undefined stands for an array.
  const open: (Set<string> | undefined)[] = [];
  let hasLongNumber = false;
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const from = at + 1;
      at = endOfString(text, from);
      const end = at - 1;
      if (text.charCodeAt(at) !== COLON) at = skipSpace(text, at);
      if (text.charCodeAt(at) !== COLON) continue;
      const raw = text.slice(from, end);
      const name = raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
      const names = open.at(-1)!;
      if (names.has(name)) {
        const which = isHarmless(name) ? `"${name}"` : 'an attribute with an unusual name';
        return { problem: `names ${which} twice in one object, expected once`, hasLongNumber };
      }
      names.add(name);
      at++;
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      if (open.length === JSON_DEPTH_MAX) {
        return { problem: `is nested deeper than ${JSON_DEPTH_MAX} levels, expected fewer`, hasLongNumber };
      }
      open.push(code === OPEN_BRACE ? new Set() : undefined);
      at++;
    } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      open.pop();
      at++;
    } else if (isDigit(code)) {
      const from = at;
      while (at < text.length && isNumberPart(text.charCodeAt(at))) at++;
      if (at - from > EXACT_DIGITS_MAX) hasLongNumber = true;
    } else {
      at++;
    }
  }
  return { hasLongNumber };
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Just behind the closing quote of the string whose content begins at `from`. */
function endOfString(text: string, from: number): number {
  let at = text.indexOf('"', from);
  while (isEscaped(text, at)) at = text.indexOf('"', at + 1);
  return at + 1;
}

/** An odd number of backslashes before a character escapes it. */
function isEscaped(text: string, at: number): boolean {
  let before = at - 1;
  while (text.charCodeAt(before) === BACKSLASH) before--;
  return (at - before) % 2 === 0;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charCodeAt(at) <= 0x20) at++;
  return at;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isNumberPart(code: number): boolean {
  // digits, "+", "-", ".", "e", "E"
  return isDigit(code) || code === 0x2b || code === 0x2d || code === 0x2e || code === 0x65 || code === 0x45;
}

function keepLongNumbers(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === 'number' && context?.source !== undefined
    ? numberFromSource(context.source)
    : value;
}

/**
 * What a number's text stands for: the number, or the text itself where a double would round it. In exponent notation
 * nobody writes exact numbers.
 */
export function numberFromSource(source: string): number | string {
  const value = Number(source);
  if (source.length <= EXACT_DIGITS_MAX || /[eE]/.test(source)) return value;
  const digits = source.replace(/\D/g, '').length;
  return digits > EXACT_DIGITS_MAX && String(value) !== source ? source : value;
}
