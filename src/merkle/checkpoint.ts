// Checkpoints (C2SP tlog-checkpoint): the note in which a log says "this many entries, and this is their root".
//
//   <origin>                      who speaks
//   <size>                        decimal
//   <base64 of the root>
//   <extension lines>             tolerated in other people's checkpoints, never written by us: some witnesses do not sign them
//   (empty line)
//   — <origin> <signature>

import { encodeBase64, parseBase64 } from '../bytes/base64.ts';
import { isProblem, type ProblemFound } from '../bytes/problem.ts';
import { EMPTY_ROOT, HASH_BYTES, sameHash } from './hashes.ts';
import { type NoteSigner, openNote, signNote, type VerifierKey } from './note.ts';

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
}

export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  if (origin === '' || /[\x00-\x1f]/.test(origin)) {
    throw new Error(
      `Cannot format checkpoint: origin is ${JSON.stringify(origin)}, expected one line of text`,
    );
  }
  if (!Number.isSafeInteger(size) || size < 0) {
    throw new Error(`Cannot format checkpoint: size is ${size}, expected a whole number from 0 to 2^53 - 1`);
  }
  if (root.length !== HASH_BYTES) {
    throw new Error(`Cannot format checkpoint: root has ${root.length} bytes, expected ${HASH_BYTES}`);
  }
  return `${origin}\n${size}\n${encodeBase64(root)}\n`;
}

/** Reads a checkpoint's text, without its signatures. */
export function parseCheckpoint(text: string): Checkpoint | ProblemFound {
  if (!text.endsWith('\n')) return { problem: 'the checkpoint does not end with a newline' };
  const [origin, sizeText, rootText, ...extensions] = text.slice(0, -1).split('\n');
  if (origin === undefined || sizeText === undefined || rootText === undefined) {
    return { problem: 'the checkpoint has fewer than three lines' };
  }
  if (origin === '') return { problem: 'the checkpoint’s origin is empty' };
  const size = parseWholeNumber(sizeText);
  if (size === undefined) return { problem: 'the checkpoint’s size is not a number between 0 and 2^53 - 1' };
  const root = parseBase64(rootText);
  if (root?.length !== HASH_BYTES) return { problem: 'the checkpoint’s root is not 32 bytes in base 64' };
  if (size === 0 && !sameHash(root, EMPTY_ROOT)) {
    return { problem: 'the checkpoint has size 0 and a root that is not that of the empty tree' };
  }
  if (extensions.includes('')) return { problem: 'the checkpoint has an empty line' };
  return { origin, size, root };
}

export function signCheckpoint(checkpoint: Checkpoint, signers: readonly NoteSigner[]): Buffer {
  return signNote(formatCheckpoint(checkpoint), signers);
}

/** The checkpoint that the log of this key has signed; its origin is the key's name. */
export function openCheckpoint(bytes: Uint8Array, key: VerifierKey): Checkpoint | ProblemFound {
  const note = openNote(bytes, [key]);
  if (isProblem(note)) return note;
  const checkpoint = parseCheckpoint(note.text);
  if (!isProblem(checkpoint) && checkpoint.origin !== key.name) {
    return { problem: `the checkpoint is of ${checkpoint.origin}, the key is of ${key.name}` };
  }
  return checkpoint;
}

/** A decimal number without leading zeros, as far as it is exact. */
export function parseWholeNumber(text: string): number | undefined {
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
