// The Ed25519 key that signs checkpoints: `signing.json` in the state directory, wrapped by the root key and separate from every
// content key. Whoever has it can sign a false history, whoever has content keys can only read; rotating it starts a new log.

import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { encodeCheckedJson, readCheckedJson } from './checked-json.ts';
import { KeyError, type RandomBytes, type RootKey } from './root-key.ts';

const CONTEXT = 'portledger/v1/signing-key\0';
/** RFC 8410: the fixed bytes of an Ed25519 private key in PKCS #8, before its 32-byte seed. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

export function createSigningKey(disk: Disk, path: string, root: RootKey, random: RandomBytes): KeyObject {
  const seed = random(32);
  writeSigningKey(disk, path, root, seed, random);
  return keyFromSeed(seed);
}

export function openSigningKey(disk: Disk, path: string, roots: readonly RootKey[]): KeyObject | undefined {
  const seed = readSeed(disk, path, roots);
  return seed === undefined ? undefined : keyFromSeed(seed);
}

export function rewrapSigningKey(
  disk: Disk,
  path: string,
  roots: readonly RootKey[],
  next: RootKey,
  random: RandomBytes,
): void {
  const seed = readSeed(disk, path, roots);
  if (seed === undefined)
    throw new KeyError('key-missing', `Cannot rewrap "${path}": the file does not exist.`);
  writeSigningKey(disk, path, next, seed, random);
}

function readSeed(disk: Disk, path: string, roots: readonly RootKey[]): Buffer | undefined {
  const members = readCheckedJson(disk, path);
  if (members === undefined) return undefined;
  const root = roots.find((candidate) => candidate.id === members.root);
  const seed = root?.unwrap(Buffer.from(String(members.wrapped), 'base64'), Buffer.from(CONTEXT + root.id));
  if (seed === undefined) {
    throw new KeyError(
      'key-damaged',
      `Cannot unwrap "${path}": it was wrapped by root ${members.root}, the root key at hand is ${roots[0]?.id}.`,
    );
  }
  return seed;
}

function writeSigningKey(disk: Disk, path: string, root: RootKey, seed: Buffer, random: RandomBytes): void {
  const wrapped = root.wrap(seed, Buffer.from(CONTEXT + root.id), random).toString('base64');
  disk.replaceFile(path, encodeCheckedJson({ v: 1, root: root.id, wrapped }));
}

function keyFromSeed(seed: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
}
