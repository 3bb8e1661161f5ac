// Signed notes (C2SP signed-note): a text and the signatures under it, readable by a person.
//
//   text, ends in a newline               ⎫ signed, up to and with its last newline
//   (empty line)
//   — <key name> <base64(key id[4] ‖ signature)>        one line for each signature
//
//   key id         SHA-256(key name ‖ "\n" ‖ 0x01 ‖ public key)[0..4]
//   verifier key   <key name>+<8 hex digits of key id>+<base64(0x01 ‖ public key)>
//
// We sign and verify Ed25519 (type 0x01) and nothing else; signatures of other types are those of unknown keys, which are ignored,
// as the specification asks. A bad signature by a known key rejects the whole note: somebody has tampered with it.

import { createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto';
import { encodeBase64, parseBase64 } from '../bytes/base64.ts';
import { encodeHex, parseHex } from '../bytes/hex.ts';
import { isProblem, type ProblemFound } from '../bytes/problem.ts';

const ED25519 = 0x01;
const PUBLIC_KEY_BYTES = 32;
const KEY_ID_BYTES = 4;

/** Verifiers have to accept 16 signatures, post-quantum ones of 5 kB among them; more than this is refused unread. */
export const NOTE_SIGNATURES_MAX = 64;
export const NOTE_BYTES_MAX = 1_000_000;
const VERIFIER_KEY_CHARACTERS_MAX = 1_000;

export interface VerifierKey {
  readonly name: string;
  /** Eight hex digits. */
  readonly id: string;
  readonly publicKey: Uint8Array;
  readonly key: KeyObject;
}

export interface NoteSigner {
  readonly name: string;
  readonly id: string;
  readonly sign: (text: Uint8Array) => Uint8Array;
}

export interface NoteSignature {
  readonly name: string;
  /** Eight hex digits. */
  readonly id: string;
  readonly signature: Uint8Array;
}

export interface Note {
  /** With its final newline. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

export interface OpenedNote extends Note {
  /** The known keys whose signatures are good: at least one. */
  readonly verified: readonly VerifierKey[];
}

/** Splits a note without checking any signature. */
export function parseNote(bytes: Uint8Array): Note | ProblemFound {
  if (bytes.length > NOTE_BYTES_MAX) {
    return { problem: `the note has ${bytes.length} bytes, at most ${NOTE_BYTES_MAX} are read` };
  }
  const note = decodeText(bytes);
  if (note === undefined) return { problem: 'the note is not UTF-8 text, or has control characters in it' };
  const split = note.lastIndexOf('\n\n');
  if (split < 0) return { problem: 'the note has no empty line before its signatures' };
  const text = note.slice(0, split + 1);
  const lines = note.slice(split + 2);
  if (lines === '') return { problem: 'the note has no signature' };
  if (!lines.endsWith('\n')) return { problem: 'the note does not end with a newline' };
  const signatures: NoteSignature[] = [];
  for (const line of lines.slice(0, -1).split('\n', NOTE_SIGNATURES_MAX + 1)) {
    if (signatures.length === NOTE_SIGNATURES_MAX) {
      return { problem: `the note has more than ${NOTE_SIGNATURES_MAX} signatures` };
    }
    const signature = parseSignatureLine(line);
    if (signature === undefined) {
      return { problem: `signature line ${signatures.length + 1} of the note is malformed` };
    }
    signatures.push(signature);
  }
  return { text, signatures };
}

function parseSignatureLine(line: string): NoteSignature | undefined {
  const parts = line.split(' ', 4);
  if (parts.length !== 3 || parts[0] !== '—') return undefined;
  const bytes = parseBase64(parts[2]!);
  if (!isKeyName(parts[1]!) || bytes === undefined || bytes.length <= KEY_ID_BYTES) return undefined;
  return {
    name: parts[1]!,
    id: encodeHex(bytes.subarray(0, KEY_ID_BYTES)),
    signature: bytes.subarray(KEY_ID_BYTES),
  };
}

/** The note's text, once at least one of the known keys has signed it and none of them badly. */
export function openNote(bytes: Uint8Array, known: readonly VerifierKey[]): OpenedNote | ProblemFound {
  const note = parseNote(bytes);
  if (isProblem(note)) return note;
  const text = Buffer.from(note.text, 'utf8');
  const verified = new Set<VerifierKey>();
  for (const { name, id, signature } of note.signatures) {
    for (const key of known) {
      if (key.name !== name || key.id !== id) continue;
      if (!verify(null, text, key.key, signature)) {
        return { problem: `the signature by ${name}+${id} is not good for this text` };
      }
      verified.add(key);
    }
  }
  if (verified.size === 0) {
    const wanted = known.map(({ name, id }) => `${name}+${id}`).join(', ') || 'no key was given';
    return { problem: `none of the known keys (${wanted}) has signed the note` };
  }
  return { ...note, verified: [...verified] };
}

/** The note with this text and these signatures. Throws where a note cannot say such a text. */
export function encodeNote({ text, signatures }: Note): Buffer {
  const body = Buffer.from(text, 'utf8');
  if (!text.endsWith('\n') || decodeText(body) !== text) {
    throw new Error(
      'Cannot encode note: the text has control characters or no newline at its end, expected lines of text',
    );
  }
  const lines = signatures.map(
    ({ name, id, signature }) =>
      `— ${name} ${encodeBase64(Buffer.concat([Buffer.from(id, 'hex'), signature]))}\n`,
  );
  return Buffer.from(`${text}\n${lines.join('')}`, 'utf8');
}

export function signNote(text: string, signers: readonly NoteSigner[]): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  const signatures = signers.map(({ name, id, sign }) => ({ name, id, signature: sign(bytes) }));
  return encodeNote({ text, signatures });
}

/** A signer with an Ed25519 private key. The key stays in its KeyObject. */
export function ed25519Signer(name: string, privateKey: KeyObject): NoteSigner {
  const { id } = verifierKeyOf(name, createPublicKey(privateKey));
  return { name, id, sign: (text) => sign(null, text, privateKey) };
}

/** The verifier key of a public key under a name. */
export function verifierKeyOf(name: string, key: KeyObject): VerifierKey {
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new Error(
      `Cannot make verifier key "${name}": the key is ${key.asymmetricKeyType}, expected ed25519`,
    );
  }
  if (!isKeyName(name)) {
    throw new Error(`Cannot make verifier key "${name}": the name has a space, a plus or nothing in it`);
  }
  const publicKey = Buffer.from(key.export({ format: 'jwk' }).x!, 'base64url');
  return { name, id: keyId(name, publicKey), publicKey, key };
}

export function formatVerifierKey({ name, id, publicKey }: VerifierKey): string {
  return `${name}+${id}+${encodeBase64(Buffer.concat([Buffer.of(ED25519), publicKey]))}`;
}

/** Reads a verifier key as `key.pub` has it; white space around it is tolerated, as people paste these. */
export function parseVerifierKey(text: string): VerifierKey | ProblemFound {
  if (text.length > VERIFIER_KEY_CHARACTERS_MAX) {
    return {
      problem: `the verifier key has ${text.length} characters, expected <name>+<id>+<key> on one line`,
    };
  }
  const vkey = text.trim();
  // Only the first two: base 64 has a plus of its own.
  const [, name, id, encoded] = /^([^+]*)\+([^+]*)\+(.*)$/.exec(vkey) ?? [];
  if (name === undefined || id === undefined || encoded === undefined) {
    return { problem: 'the verifier key does not have the form <name>+<id>+<key>' };
  }
  if (!isKeyName(name)) return { problem: 'the verifier key’s name is empty or has spaces in it' };
  const material = parseBase64(encoded);
  if (material === undefined || parseHex(id)?.length !== KEY_ID_BYTES) {
    return { problem: 'the verifier key is not spelled as eight hex digits and base 64' };
  }
  if (material[0] !== ED25519 || material.length !== 1 + PUBLIC_KEY_BYTES) {
    return { problem: 'the verifier key is not an Ed25519 key' };
  }
  const publicKey = material.subarray(1);
  if (keyId(name, publicKey) !== id) {
    return { problem: `the verifier key’s id ${id} does not belong to its name and key` };
  }
  return { name, id, publicKey, key: ed25519PublicKey(publicKey) };
}

function ed25519PublicKey(publicKey: Buffer): KeyObject {
  const x = publicKey.toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}

function keyId(name: string, publicKey: Uint8Array): string {
  const message = Buffer.concat([Buffer.from(`${name}\n`, 'utf8'), Buffer.of(ED25519), publicKey]);
  return hash('sha256', message, 'hex').slice(0, 2 * KEY_ID_BYTES);
}

function isKeyName(name: string): boolean {
  // \s lacks U+0085, which counts as a space to verifiers written in Go.
  return name !== '' && name.isWellFormed() && !/[\s\u0085+]/u.test(name);
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Undefined where the bytes are no UTF-8 text or hold a control character other than the newline. */
function decodeText(bytes: Uint8Array): string | undefined {
  for (const byte of bytes) if (byte < 0x20 && byte !== 0x0a) return undefined;
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}
