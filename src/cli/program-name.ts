// Messages of every layer, and of servers elsewhere, name a command as `portledger up`. Whoever reads one should be able to
// type it: in a checkout, where `portledger` is not on the path, it is shown as this program was called.

import { shellWord } from './directories.ts';
import type { Invocation } from './invocation.ts';

const COMMAND =
  /(?<=^|[\s'"])portledger(?= (?:up|send|search|tail|verify|prove|check-proof|keys|token|doctor|--help|COMMAND)\b)/gm;

export function asTyped(text: string, { program }: Pick<Invocation, 'program'>): string {
  return text.replace(COMMAND, () => shellWord(program));
}

/** With `--data … --state …` behind the commands of a message that a lower layer wrote, which knows of no command line. */
export function withDirectories(text: string, rest: string): string {
  if (rest === '') return text;
  return text.replace(
    /\bportledger (?:verify|doctor(?: --adopt --yes)?|keys rotate)\b/g,
    (command) => `${command} ${rest}`,
  );
}
