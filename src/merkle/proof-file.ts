// Proof files (C2SP tlog-proof; docs/formats.md, section 5): everything needed to show one entry to somebody who has nothing
// but the log's verifier key.
//
//   c2sp.org/tlog-proof@v1
//   extra <base64>              the disclosed entry: kind ‖ salt[32] ‖ bytes, or kind ‖ body of a control entry
//   index <n>
//   <base64 hash>               one line each, from the leaf's sibling up to the root's child
//   (empty line)
//   <checkpoint>                verbatim
//
// `extra` is signed by nobody. It is believed only because the entry rebuilt from it leads to the signed root.

import { encodeBase64, parseBase64 } from '../bytes/base64.ts';
import { isProblem, type ProblemFound } from '../bytes/problem.ts';
import { SALT_BYTES } from '../event/batch.ts';
import { openCheckpoint, parseWholeNumber } from './checkpoint.ts';
import {
  type CommittedKind,
  commitment,
  ENTRY_KIND,
  type EntryKind,
  encodeEntry,
  entryKind,
} from './entry.ts';
import { HASH_BYTES, leafHash } from './hashes.ts';
import { NOTE_BYTES_MAX, type VerifierKey } from './note.ts';
import { verifyInclusion } from './verify-proofs.ts';

const HEADER = 'c2sp.org/tlog-proof@v1\n';
/** A tree of 2^63 leaves has no longer path. */
const PROOF_HASHES_MAX = 63;
/** A quarantined item is at most a request of 16 MiB; its base 64 in JSON, in base 64 again, and room for the rest. */
export const PROOF_FILE_BYTES_MAX = 32 * 1024 * 1024;

export interface ProofFile {
  readonly extra?: Uint8Array | undefined;
  readonly index: number;
  readonly proof: readonly Uint8Array[];
  /** The signed note, byte by byte as the log published it. */
  readonly checkpoint: Uint8Array;
}

export function encodeProofFile({ extra, index, proof, checkpoint }: ProofFile): Buffer {
  const file = Buffer.concat([
    Buffer.from(
      HEADER +
        (extra === undefined ? '' : `extra ${encodeBase64(extra)}\n`) +
        `index ${index}\n` +
        proof.map((hash) => `${encodeBase64(hash)}\n`).join('') +
        '\n',
      'latin1',
    ),
    checkpoint,
  ]);
  const written = parseProofFile(file);
  if (isProblem(written)) throw new Error(`Cannot encode proof file: ${written.problem}`);
  return file;
}

export function parseProofFile(file: Uint8Array): ProofFile | ProblemFound {
  if (file.length > PROOF_FILE_BYTES_MAX) {
    return { problem: `the proof file has ${file.length} bytes, at most ${PROOF_FILE_BYTES_MAX} are read` };
  }
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.toString('latin1', 0, HEADER.length) !== HEADER) {
    return { problem: 'this is not a proof file: its first line is not c2sp.org/tlog-proof@v1' };
  }
  const end = bytes.indexOf('\n\n');
  if (end < 0) return { problem: 'the proof file has no empty line before its checkpoint' };
  const checkpoint = bytes.subarray(end + 2);
  if (checkpoint.length > NOTE_BYTES_MAX) return { problem: 'the proof file’s checkpoint is too long' };

  const lines = bytes.toString('latin1', HEADER.length, end).split('\n', PROOF_HASHES_MAX + 3);
  let extra: Buffer | undefined;
  if (lines[0]?.startsWith('extra ')) {
    extra = parseBase64(lines.shift()!.slice('extra '.length));
    if (extra === undefined) return { problem: 'the proof file’s extra line is not canonical base 64' };
  }
  const indexLine = lines.shift();
  const index = indexLine?.startsWith('index ')
    ? parseWholeNumber(indexLine.slice('index '.length))
    : undefined;
  if (index === undefined) return { problem: 'the proof file’s index line is missing or malformed' };
  if (lines.length > PROOF_HASHES_MAX) {
    return { problem: `the proof file has more than ${PROOF_HASHES_MAX} hashes` };
  }
  const proof: Buffer[] = [];
  for (const line of lines) {
    const hash = parseBase64(line);
    if (hash?.length !== HASH_BYTES) {
      return { problem: `hash ${proof.length + 1} of the proof file is not 32 bytes in base 64` };
    }
    proof.push(hash);
  }
  return { extra, index, proof, checkpoint };
}

/** The disclosure of a committed entry: what goes into `extra`. */
export function discloseCommitted(kind: CommittedKind, salt: Uint8Array, bytes: Uint8Array): Buffer {
  if (salt.length !== SALT_BYTES) {
    throw new RangeError(`Cannot disclose entry: salt has ${salt.length} bytes, expected ${SALT_BYTES}`);
  }
  return Buffer.concat([Buffer.of(ENTRY_KIND[kind]), salt, bytes]);
}

/** The disclosure of a control entry is the entry. */
export function discloseControl(body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(ENTRY_KIND.control), body]);
}

export interface ProvenEntry {
  readonly origin: string;
  readonly index: number;
  /** Size of the tree that the entry was proven to be in. */
  readonly size: number;
  readonly kind: EntryKind;
  /** Canonical bytes of the record, JSON of the quarantined item, or body of the control entry. */
  readonly bytes: Uint8Array;
}

export function verifyProofFile(file: Uint8Array, key: VerifierKey): ProvenEntry | ProblemFound {
  const parsed = parseProofFile(file);
  if (isProblem(parsed)) return parsed;
  const checkpoint = openCheckpoint(parsed.checkpoint, key);
  if (isProblem(checkpoint)) return checkpoint;
  if (parsed.extra === undefined)
    return { problem: 'the proof file discloses no entry: it has no extra line' };
  const disclosed = parseDisclosure(parsed.extra);
  if (isProblem(disclosed)) return disclosed;
  const { index, proof } = parsed;
  const { origin, size, root } = checkpoint;
  if (index >= size)
    return { problem: `the proof file’s index ${index} is beyond the checkpoint’s size ${size}` };
  if (!verifyInclusion({ index, size, leafHash: leafHash(disclosed.entry), proof, root })) {
    return {
      problem: `the disclosed entry is not entry ${index} of the tree of ${size} entries that ${origin} signed`,
    };
  }
  return { origin, index, size, kind: disclosed.kind, bytes: disclosed.bytes };
}

interface Disclosure {
  readonly kind: EntryKind;
  readonly bytes: Uint8Array;
  readonly entry: Uint8Array;
}

function parseDisclosure(extra: Uint8Array): Disclosure | ProblemFound {
  const kind = entryKind(extra[0]);
  if (kind === undefined) return { problem: 'the proof file discloses an entry of unknown kind' };
  if (kind === 'control') return { kind, bytes: extra.subarray(1), entry: extra };
  if (extra.length < 1 + SALT_BYTES) return { problem: 'the proof file’s disclosure is cut short' };
  const salt = extra.subarray(1, 1 + SALT_BYTES);
  const bytes = extra.subarray(1 + SALT_BYTES);
  return { kind, bytes, entry: encodeEntry({ kind, commitment: commitment(salt, bytes) }) };
}
