// Opening an installation for writing, with or without a server in front of it. One process at a time: the lock of the data
// directory decides.

import { join } from 'node:path';
import { type DirectoryLock, lockDirectory } from '../disk/directory-lock.ts';
import { Installation } from '../ledger/installation.ts';
import { LedgerError } from '../ledger/ledger.ts';
import { CommandError } from './command-error.ts';
import type { Directories } from './directories.ts';
import type { Invocation } from './invocation.ts';
import { withDirectories } from './program-name.ts';

export interface OpenOptions {
  readonly passphrase: string | undefined;
  /** The operator's reason for accepting ledgers that are behind or unlike their anchor. */
  readonly adopt?: string;
  readonly onNotice?: (notice: string) => void;
}

/** The caller holds the lock. */
export async function openLedgers(
  directories: Directories,
  options: OpenOptions,
  invocation: Invocation,
): Promise<Installation> {
  try {
    return await Installation.open({
      disk: invocation.disk,
      dataDirectory: directories.data,
      stateDirectory: directories.state,
      random: (count) => Buffer.from(invocation.randomBytes(count)),
      now: () => new Date(invocation.now()),
      ...options,
    });
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    throw new CommandError(withDirectories(error.message, directories.arguments), error);
  }
}

/** For commands that work on an installation which is there already, and must not make one by mistake. */
export function assertInstalled(directories: Directories, { disk }: Invocation): void {
  if (disk.readFile(join(directories.data, 'installation.json')) !== undefined) return;
  throw new CommandError(
    `Cannot open ${directories.data}: there is no installation, expected one that 'portledger up' has made. Check --data.`,
  );
}

export interface Passphrases {
  readonly passphrase: string | undefined;
  readonly newPassphrase: string | undefined;
}

/** Only while no server runs: the lock says so. */
export async function rotateRootDirectly(
  directories: Directories,
  { passphrase, newPassphrase }: Passphrases,
  invocation: Invocation,
): Promise<{ readonly root: string; readonly rewrapped: number }> {
  assertInstalled(directories, invocation);
  await using lock = lockFor(directories, 'portledger keys rotate', invocation);
  void lock;
  await using ledgers = await openLedgers(directories, { passphrase }, invocation);
  return await ledgers.rotateRoot(newPassphrase);
}

/** Accepts ledgers that are behind or unlike their anchor, which is recorded in them. Only while no server runs. */
export async function adoptLedgers(
  directories: Directories,
  passphrase: string | undefined,
  reason: string,
  invocation: Invocation,
): Promise<readonly { readonly name: string; readonly size: number }[]> {
  assertInstalled(directories, invocation);
  await using lock = lockFor(directories, 'portledger doctor --adopt', invocation);
  void lock;
  await using ledgers = await openLedgers(directories, { passphrase, adopt: reason }, invocation);
  return [...ledgers.ledgers.values()].map((ledger) => ({ name: ledger.name, size: ledger.status().size }));
}

export function lockFor(
  { data }: Directories,
  command: string,
  { processId, now }: Invocation,
): DirectoryLock {
  return lockDirectory(data, { pid: processId, command, since: new Date(now()).toISOString() });
}
