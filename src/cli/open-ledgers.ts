// Opening an installation for writing, with or without a server in front of it. One process at a time: the lock of the data
// directory decides.

import { type DirectoryLock, lockDirectory } from '../disk/directory-lock.ts';
import { Installation } from '../ledger/installation.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Directories } from './directories.ts';
import type { Invocation } from './invocation.ts';

/** All ledgers of an installation, and the keys behind them. */
export interface OpenLedgers extends AsyncDisposable {
  readonly byName: ReadonlyMap<string, Ledger>;
  /** A new root key, protected by the passphrase where one is given; the epoch keys wrapped by it. */
  rotateRoot(
    nextPassphrase: string | undefined,
  ): Promise<{ readonly root: string; readonly rewrapped: number }>;
}

/** The caller holds the lock. `adopt`: the operator's reason for accepting ledgers that are behind or unlike their anchor. */
export async function openLedgers(
  directories: Directories,
  passphrase: string | undefined,
  { disk, now, randomBytes }: Invocation,
  adopt?: string,
): Promise<OpenLedgers> {
  const installation = await Installation.open({
    disk,
    dataDirectory: directories.data,
    stateDirectory: directories.state,
    passphrase,
    random: (count) => Buffer.from(randomBytes(count)),
    now: () => new Date(now()),
    adopt,
  });
  return {
    byName: installation.ledgers,
    rotateRoot: (nextPassphrase) => installation.rotateRoot(nextPassphrase),
    [Symbol.asyncDispose]: () => installation[Symbol.asyncDispose](),
  };
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
  await using lock = lockFor(directories, 'portledger keys rotate', invocation);
  void lock;
  await using ledgers = await openLedgers(directories, passphrase, invocation);
  return await ledgers.rotateRoot(newPassphrase);
}

/** Accepts ledgers that are behind or unlike their anchor, which is recorded in them. Only while no server runs. */
export async function adoptLedgers(
  directories: Directories,
  passphrase: string | undefined,
  reason: string,
  invocation: Invocation,
): Promise<readonly { readonly name: string; readonly size: number }[]> {
  await using lock = lockFor(directories, 'portledger doctor --adopt', invocation);
  void lock;
  await using ledgers = await openLedgers(directories, passphrase, invocation, reason);
  return [...ledgers.byName.values()].map((ledger) => ({ name: ledger.name, size: ledger.status().size }));
}

export function lockFor(
  { data }: Directories,
  command: string,
  { processId, now }: Invocation,
): DirectoryLock {
  return lockDirectory(data, { pid: processId, command, since: new Date(now()).toISOString() });
}
