// The epoch keys of an installation for somebody who only reads: from the wrapped keys in the data directory and the root key
// in the state directory. Unlike the key ring this makes nothing and completes nothing.
//
// A rotation that was cut short leaves two roots, `root.json` and `root.next.json`, and keys under either. The new root opens the one
// before it too; the old one opens what has not been rewrapped yet. Whatever opens is used.

import { join } from 'node:path';
import { type Disk, DiskError } from '../disk/disk.ts';
import { parseCheckedJson } from '../keys/checked-json.ts';
import { wrapContext } from '../keys/epoch-keys.ts';
import { KeyError, openRootKey, type RootKey } from '../keys/root-key.ts';
import { CommandError } from './command-error.ts';
import type { Directories } from './directories.ts';

export interface ReadableKeys {
  /** Undefined where there is no root key to open them with. */
  readonly epochKey: ((ledger: string, epoch: number) => Uint8Array | undefined) | undefined;
  /** What cannot be opened and why, in words. */
  readonly note: string | undefined;
}

const ROOT_FILES = ['root.next.json', 'root.json'] as const;

/** Throws only for a passphrase that was given and opens nothing. */
export function openEpochKeys(
  directories: Directories,
  passphrase: string | undefined,
  disk: Disk,
): ReadableKeys {
  const { roots, failures } = readRoots(directories, passphrase, disk);
  if (roots.length === 0) return { epochKey: undefined, note: whyNothingOpens(failures) };
  const isRotating = failures.get('root.next.json') !== undefined;
  return {
    epochKey: (ledger, epoch) => openEpochKey({ directories, disk, roots }, ledger, epoch),
    note: isRotating
      ? 'A rotation of the root key was cut short: keys that it has rewrapped are not at hand. ' +
        'Give the new passphrase with --passphrase-file; it opens all of them.'
      : undefined,
  };
}

interface Wrapped {
  readonly directories: Directories;
  readonly disk: Disk;
  readonly roots: readonly RootKey[];
}

/** Undefined for a file that cannot be read or is damaged as well: that is for the verifier to report. */
function openEpochKey(
  { directories, disk, roots }: Wrapped,
  ledger: string,
  epoch: number,
): Uint8Array | undefined {
  const name = `${String(epoch).padStart(10, '0')}.json`;
  let bytes: Uint8Array | undefined;
  try {
    bytes = disk.readFile(join(directories.data, 'keys', ledger, name));
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
  const members = bytes && parseCheckedJson(bytes);
  const root = roots.find(({ id }) => id === members?.root);
  const wrapped = Buffer.from(String(members?.wrapped), 'base64');
  return root?.unwrap(wrapped, wrapContext(ledger, epoch, root.id));
}

type Failures = ReadonlyMap<(typeof ROOT_FILES)[number], Error>;

/** The present root key; during a rotation the one before and the one after it too. */
function readRoots(
  { state }: Directories,
  passphrase: string | undefined,
  disk: Disk,
): { readonly roots: readonly RootKey[]; readonly failures: Failures } {
  const roots: RootKey[] = [];
  const failures = new Map<(typeof ROOT_FILES)[number], Error>();
  for (const name of ROOT_FILES) {
    try {
      const opened = openRootKey(disk, join(state, name), passphrase);
      if (opened !== undefined) roots.push(opened.root);
      if (opened?.previous !== undefined) roots.push(opened.previous);
    } catch (error) {
      // Whatever a damaged file makes of the key derivation: what can be checked without keys still is.
      failures.set(name, error instanceof Error ? error : new Error(String(error)));
    }
  }
  return { roots, failures };
}

function whyNothingOpens(failures: Failures): string {
  const errors = [...failures.values()];
  const hasCode = (code: KeyError['code']) =>
    errors.some((error) => error instanceof KeyError && error.code === code);
  if (errors.length === 0) {
    return 'Records were not decrypted: the root key is not here. Give --state with the state directory.';
  }
  if (hasCode('passphrase-missing')) {
    return 'Records were not decrypted: the root key has a passphrase. Give --passphrase-file.';
  }
  if (hasCode('passphrase-wrong')) {
    if (!failures.has('root.next.json')) throw errors[0]!;
    throw new CommandError(
      'Cannot open the root key: a rotation was cut short, and the passphrase is neither the new one nor the one before. ' +
        'Give the new passphrase.',
    );
  }
  return `Records were not decrypted: ${errors.map(({ message }) => message).join(' ')}`;
}
