// Why a log should be believed. Everything inside its directory can be replaced together, key and all, so what counts comes from
// outside: a verifier key that the user brought, or a checkpoint that somebody remembered.
//
// All logs of an installation are signed with one key under their own names (docs/formats.md, section 1), so the key of one of them
// speaks for its siblings `<installation>/…`.

import { isProblem, type ProblemFound } from '../bytes/problem.ts';
import { type Checkpoint, openCheckpoint, parseCheckpoint } from '../merkle/checkpoint.ts';
import {
  encodeNote,
  formatVerifierKey,
  parseNote,
  parseVerifierKey,
  type VerifierKey,
  verifierKeyOf,
} from '../merkle/note.ts';

export interface Remembered {
  readonly checkpoint: Checkpoint;
  readonly bytes: Buffer;
}

/** The key as `key.pub` spells it: one line, nothing around it. */
export function parseKeyFile(bytes: Buffer): VerifierKey | ProblemFound {
  const key = parseVerifierKey(bytes.toString('utf8'));
  if (isProblem(key)) return key;
  const isExact = bytes.equals(Buffer.from(`${formatVerifierKey(key)}\n`, 'utf8'));
  return isExact ? key : { problem: 'there is more in the file than the key on one line' };
}

/** The installation's part of an origin: `example.org/audit` of `example.org/audit/access`. */
export function installationOf(origin: string): string {
  return origin.slice(0, Math.max(0, origin.lastIndexOf('/')));
}

export function ledgerNameOf(origin: string): string {
  return origin.slice(origin.lastIndexOf('/') + 1);
}

/** The trusted key under the name of `origin`, if any trusted key speaks for that log. */
export function trustedKeyFor(origin: string, trusted: readonly VerifierKey[]): VerifierKey | undefined {
  const own = trusted.find(({ name }) => name === origin);
  if (own !== undefined) return own;
  const sibling = trusted.find(({ name }) => installationOf(name) === installationOf(origin));
  return sibling === undefined ? undefined : verifierKeyOf(origin, sibling.key);
}

export function sameKey(a: VerifierKey, b: VerifierKey): boolean {
  return a.name === b.name && Buffer.compare(a.publicKey, b.publicKey) === 0;
}

/** A checkpoint as this log writes them: signed by its key and by nobody else, without extension lines, spelled in one way. */
export function openOwnCheckpoint(bytes: Buffer, key: VerifierKey): Checkpoint | ProblemFound {
  const checkpoint = openCheckpoint(bytes, key);
  if (isProblem(checkpoint)) return checkpoint;
  const note = parseNote(bytes);
  if (isProblem(note)) return note;
  if (note.signatures.length !== 1)
    return { problem: `the checkpoint has ${note.signatures.length} signatures, expected one` };
  if (note.text.split('\n').length !== 4) return { problem: 'the checkpoint has extension lines' };
  return encodeNote(note).equals(bytes)
    ? checkpoint
    : { problem: 'the checkpoint is spelled in an unusual way' };
}

/** Reads a remembered checkpoint; who signed it is looked at once its log is known. */
export function parseRemembered(bytes: Buffer): Remembered | ProblemFound {
  const note = parseNote(bytes);
  if (isProblem(note)) return note;
  const checkpoint = parseCheckpoint(note.text);
  return isProblem(checkpoint) ? checkpoint : { checkpoint, bytes };
}
