// Where the values of an item lie: for an item that the plain path has accepted, the position of each value and the name
// that it has in the record. Items with lists have no fixed layout and give nothing.

import { fieldNamed, LABEL_PREFIX } from './fields.ts';
import { isAbsent } from './normalise.ts';
import { TEMPLATE_NAMES } from './validate.ts';

export interface Member {
  /** As in the record: a field's name, or `labels.` and something. */
  readonly name: string;
  /** In the item; quotes are not part of the value. */
  readonly from: number;
  readonly to: number;
  readonly isQuoted: boolean;
}

const decoder = new TextDecoder();

/** The members with a value, in the order of the item; undefined where there are lists, or more than `countMax`. */
export function readMembers(item: Uint8Array, countMax: number): Member[] | undefined {
  // One character a byte, so that positions in the text are positions in the item.
  const text = Buffer.from(item.buffer, item.byteOffset, item.byteLength).toString('latin1');
  const sent: Member[] = [];
  const prefixes: string[] = [];
  const topNames = new Set<string>();
  let prefix = '';
  let name: string | undefined;
  let at = 0;
  while (at < text.length) {
    const character = text[at]!;
    if (character === '"') {
      const to = endOfString(text, at);
      const value = decodeString(item.subarray(at, to));
      if (name === undefined) {
        name = prefix + value;
        if (prefixes.length === 1) topNames.add(name);
      } else {
        if (!isAbsent(value)) sent.push({ name, from: at + 1, to: to - 1, isQuoted: true });
        name = undefined;
      }
      at = to;
    } else if (character === '{') {
      prefixes.push(prefix);
      if (name !== undefined) prefix = `${name}.`;
      name = undefined;
      at++;
    } else if (character === '}') {
      prefix = prefixes.pop()!;
      at++;
    } else if (character === '[') {
      return undefined;
    } else if (/[-\dtfn]/.test(character)) {
      const to = endOfBare(text, at);
      if (character !== 'n') sent.push({ name: name!, from: at, to, isQuoted: false });
      name = undefined;
      at = to;
    } else {
      at++;
    }
    if (sent.length > countMax) return undefined;
  }
  const isTemplate = topNames.has('timestamp') && !topNames.has('@timestamp');
  return sent.map((member) => ({ ...member, name: nameInRecord(member.name, isTemplate) }));
}

/** Template names have no dots, so nested members cannot be mistaken for them. */
function nameInRecord(sent: string, isTemplate: boolean): string {
  const name = (isTemplate ? TEMPLATE_NAMES.get(sent) : undefined) ?? sent;
  if (fieldNamed(name)?.source === 'sender' || name.startsWith(LABEL_PREFIX)) return name;
  return LABEL_PREFIX + name;
}

function endOfString(text: string, from: number): number {
  let at = from + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function endOfBare(text: string, from: number): number {
  let at = from;
  while (/[-+.\w]/.test(text[at] ?? '')) at++;
  return at;
}

function decodeString(token: Uint8Array): string {
  return JSON.parse(decoder.decode(token)) as string;
}
