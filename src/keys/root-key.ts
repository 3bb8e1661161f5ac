// The root key wraps everything else that is secret: one key per ledger and epoch, and the log signing key.
//
// `root.json` in the state directory says where it comes from:
//   {"provider":"file","id":…,"key":HEX}                    the key itself, mode 0600: what is used when nothing is configured
//   {"provider":"passphrase","id":…,"kdf":{N,p,r,salt}}     scrypt of a passphrase that is stored nowhere
// `id` is derived from the key, so a wrong passphrase is told at once. During a rotation `root.next.json` stands beside it and
// also holds `previous`, the root before it wrapped by the new one: whoever has the new root can finish what a crash cut short.

import { createCipheriv, createDecipheriv, hash, scryptSync } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { encodeCheckedJson, type JsonObject, readCheckedJson } from './checked-json.ts';

export type RandomBytes = (count: number) => Buffer;

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** 128 MiB and about 0.3 s on today's machines: OWASP's first choice for scrypt. */
const SCRYPT = { N: 131_072, r: 8, p: 1 };

export class KeyError extends Error {
  override readonly name = 'KeyError';
  readonly code: 'passphrase-missing' | 'passphrase-wrong' | 'key-missing' | 'key-damaged';
  constructor(code: KeyError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export class RootKey {
  readonly id: string;
  readonly provider: 'file' | 'passphrase';
  readonly #key: Uint8Array;

  private constructor(provider: RootKey['provider'], key: Uint8Array) {
    this.provider = provider;
    this.#key = key;
    this.id = hash('sha256', Buffer.concat([Buffer.from('portledger/v1/root-id\0'), key]), 'hex').slice(
      0,
      16,
    );
  }

  static fromBytes(provider: RootKey['provider'], key: Uint8Array): RootKey {
    return new RootKey(provider, key);
  }

  /** `context` is bound to the wrapped key: what was wrapped for one ledger and epoch opens for no other. */
  wrap(secret: Uint8Array, context: Uint8Array, random: RandomBytes): Buffer {
    const nonce = random(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce);
    cipher.setAAD(context);
    return Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  }

  unwrap(wrapped: Uint8Array, context: Uint8Array): Buffer | undefined {
    if (wrapped.length < NONCE_BYTES + TAG_BYTES) return undefined;
    const end = wrapped.length - TAG_BYTES;
    const decipher = createDecipheriv('aes-256-gcm', this.#key, wrapped.subarray(0, NONCE_BYTES));
    decipher.setAAD(context);
    decipher.setAuthTag(wrapped.subarray(end));
    try {
      return Buffer.concat([decipher.update(wrapped.subarray(NONCE_BYTES, end)), decipher.final()]);
    } catch {
      return undefined;
    }
  }

  /** For handing the root to a ledger's worker; never written anywhere. */
  get material(): RootMaterial {
    return { provider: this.provider, key: this.#key };
  }
}

export interface RootMaterial {
  readonly provider: RootKey['provider'];
  readonly key: Uint8Array;
}

/** A new root, and the bytes of the file that says where it comes from. */
export interface NewRoot {
  readonly root: RootKey;
  readonly description: JsonObject;
}

export function makeRootKey(random: RandomBytes, passphrase: string | undefined): NewRoot {
  if (passphrase === undefined) {
    const key = random(KEY_BYTES);
    const root = RootKey.fromBytes('file', key);
    return { root, description: { v: 1, provider: 'file', id: root.id, key: key.toString('hex') } };
  }
  const salt = random(16);
  const root = RootKey.fromBytes('passphrase', deriveFromPassphrase(passphrase, salt, SCRYPT));
  const kdf = { ...SCRYPT, salt: salt.toString('hex') };
  return { root, description: { v: 1, provider: 'passphrase', id: root.id, kdf } };
}

export function writeRoot(disk: Disk, path: string, description: JsonObject): void {
  disk.replaceFile(path, encodeCheckedJson(description));
}

/** The root described at `path` and, in the file of an unfinished rotation, the root before it. */
export function openRootKey(
  disk: Disk,
  path: string,
  passphrase: string | undefined,
): { readonly root: RootKey; readonly previous: RootKey | undefined } | undefined {
  const members = readCheckedJson(disk, path);
  if (members === undefined) return undefined;
  const root =
    members.provider === 'passphrase' ? fromPassphrase(members, path, passphrase) : fromFile(members);
  if (root.id !== members.id) {
    throw members.provider === 'passphrase'
      ? new KeyError(
          'passphrase-wrong',
          `Cannot open the root key "${path}": the passphrase is not the one it was made with.`,
        )
      : new KeyError('key-damaged', `Cannot open the root key "${path}": the key does not match its id.`);
  }
  return { root, previous: openPrevious(root, members.previous) };
}

const PREVIOUS_CONTEXT = Buffer.from('portledger/v1/previous-root\0');

/** `description` with `previous` inside, for the file of a rotation under way. */
export function withPrevious(next: NewRoot, previous: RootKey, random: RandomBytes): JsonObject {
  const { provider, key } = previous.material;
  const wrapped = next.root.wrap(key, PREVIOUS_CONTEXT, random).toString('base64');
  return { ...next.description, previous: { provider, wrapped } };
}

/** The same description once the rotation is over: the root before it must not survive in any file. */
export function withoutPrevious(disk: Disk, path: string): JsonObject {
  const { previous: _, ...description } = readCheckedJson(disk, path)!;
  return description;
}

function openPrevious(root: RootKey, previous: JsonObject[string] | undefined): RootKey | undefined {
  if (typeof previous !== 'object' || previous === null || Array.isArray(previous)) return undefined;
  const { provider, wrapped } = previous as JsonObject;
  const key = root.unwrap(Buffer.from(String(wrapped), 'base64'), PREVIOUS_CONTEXT);
  if (key === undefined) return undefined;
  return RootKey.fromBytes(provider === 'passphrase' ? 'passphrase' : 'file', key);
}

function fromFile(members: JsonObject): RootKey {
  return RootKey.fromBytes('file', Buffer.from(String(members.key), 'hex'));
}

function fromPassphrase(members: JsonObject, path: string, passphrase: string | undefined): RootKey {
  if (passphrase === undefined) {
    throw new KeyError(
      'passphrase-missing',
      `Cannot open the root key "${path}": it is protected by a passphrase and none was given. Use --passphrase-file FILE.`,
    );
  }
  const { N, r, p, salt } = members.kdf as JsonObject;
  const parameters = { N: Number(N), r: Number(r), p: Number(p) };
  return RootKey.fromBytes(
    'passphrase',
    deriveFromPassphrase(passphrase, Buffer.from(String(salt), 'hex'), parameters),
  );
}

function deriveFromPassphrase(passphrase: string, salt: Uint8Array, parameters: typeof SCRYPT): Buffer {
  return scryptSync(passphrase.normalize('NFC'), salt, KEY_BYTES, {
    ...parameters,
    maxmem: 256 * parameters.N * parameters.r,
  });
}
