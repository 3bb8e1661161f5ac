// The epoch keys of an installation for somebody who only reads: from the wrapped keys in the data directory and the root key
// in the state directory. Unlike the key ring this makes nothing and completes nothing.

import { join } from 'node:path';
import type { Disk } from '../disk/disk.ts';
import { parseCheckedJson } from '../keys/checked-json.ts';
import { wrapContext } from '../keys/epoch-keys.ts';
import { KeyError, openRootKey, type RootKey } from '../keys/root-key.ts';
import type { Directories } from './directories.ts';

export interface ReadableKeys {
  /** Undefined where there is no root key to open them with. */
  readonly epochKey: ((ledger: string, epoch: number) => Uint8Array | undefined) | undefined;
  /** Why not, in words. */
  readonly note: string | undefined;
}

export function openEpochKeys(
  directories: Directories,
  passphrase: string | undefined,
  disk: Disk,
): ReadableKeys {
  let roots: RootKey[];
  try {
    roots = readRoots(directories, passphrase, disk);
  } catch (error) {
    if (!(error instanceof KeyError) || error.code !== 'passphrase-missing') throw error;
    const note = 'Records were not decrypted: the root key has a passphrase. Give --passphrase-file.';
    return { epochKey: undefined, note };
  }
  if (roots.length === 0) {
    const note =
      'Records were not decrypted: the root key is not here. Give --state with the state directory.';
    return { epochKey: undefined, note };
  }
  const epochKey = (ledger: string, epoch: number): Uint8Array | undefined => {
    const name = `${String(epoch).padStart(10, '0')}.json`;
    const bytes = disk.readFile(join(directories.data, 'keys', ledger, name));
    // A damaged file is for the verifier to report.
    const members = bytes && parseCheckedJson(bytes);
    const root = roots.find(({ id }) => id === members?.root);
    const wrapped = Buffer.from(String(members?.wrapped), 'base64');
    return root?.unwrap(wrapped, wrapContext(ledger, epoch, root.id));
  };
  return { epochKey, note: undefined };
}

/** The present root key; during a rotation the one before and the one after it too. */
function readRoots({ state }: Directories, passphrase: string | undefined, disk: Disk): RootKey[] {
  return ['root.next.json', 'root.json'].flatMap((name) => {
    const opened = openRootKey(disk, join(state, name), passphrase);
    if (opened === undefined) return [];
    return opened.previous === undefined ? [opened.root] : [opened.root, opened.previous];
  });
}
