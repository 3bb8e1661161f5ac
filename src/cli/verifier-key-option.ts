// `--key VKEY|FILE`: a log's verifier key as text, or a file such as `ledgers/<name>/key.pub` that holds one.

import { isProblem } from '../bytes/problem.ts';
import { parseVerifierKey, type VerifierKey } from '../merkle/note.ts';
import { CommandError } from './command-error.ts';
import { type FileAccess, readTextFile } from './files.ts';

export function readVerifierKey(value: string, access: FileAccess): VerifierKey {
  const key = parseVerifierKey(value);
  if (!isProblem(key)) return key;
  // The text of a key has two plus signs and no path looks like that by accident.
  if (/^[^+]+\+[0-9a-f]{8}\+/.test(value)) throw new CommandError(`Cannot use --key: ${key.problem}.`);
  const fromFile = parseVerifierKey(readTextFile(access, value, 'key file'));
  if (!isProblem(fromFile)) return fromFile;
  throw new CommandError(
    `Cannot use key file "${value}": ${fromFile.problem}, expected one line as in ledgers/<name>/key.pub.`,
  );
}
