// The one place where an installation is put together: lock, keys, ledgers, access store, certificate, server. Started in
// this order, stopped in reverse: the server drains before the ledgers publish and close, and the lock goes last.

import { join } from 'node:path';
import { CommandError } from './command-error.ts';
import type { Directories } from './directories.ts';
import type { Invocation } from './invocation.ts';
import type { ListenAddress } from './option-values.ts';

export interface StartOptions {
  readonly directories: Directories;
  readonly listen: ListenAddress;
  readonly autoPorts: boolean;
  readonly passphrase: string | undefined;
  /** Called once the lock of the data directory is held. */
  onLocked(): void;
}

export interface RunningInstallation {
  /** `https://host:port`, with the port that was taken in the end. */
  readonly api: string;
  readonly caFile: string;
  readonly tokenFile: string;
  readonly ledgers: readonly { readonly name: string; readonly size: number }[];
  /** What this start made or found that the operator should know: one line each. */
  readonly notices: readonly string[];
  /** Finishes what is under way, publishes, closes everything. */
  stop(): Promise<void>;
}

export type StartInstallation = (
  options: StartOptions,
  invocation: Invocation,
) => Promise<RunningInstallation>;

export const startInstallation: StartInstallation = async ({ directories }) => {
  throw new CommandError(`Cannot open ${directories.data}: the ledger is not part of this version.`);
};

export async function rotateRootDirectly(
  directories: Directories,
  _passphrases: { readonly passphrase: string | undefined; readonly newPassphrase: string | undefined },
  _invocation: Invocation,
): Promise<{ readonly root: string; readonly rewrapped: number }> {
  throw new CommandError(
    `Cannot rotate the root key of ${directories.state} directly: that is not part of this version. Start the server first.`,
  );
}

/** Accepts ledgers that are behind or unlike their anchor; says which ones. Only while no server runs. */
export async function adoptLedgers(
  directories: Directories,
  _passphraseFile: string | undefined,
  _invocation: Invocation,
): Promise<readonly { readonly name: string; readonly size: number }[]> {
  throw new CommandError(`Cannot adopt ${directories.data}: that is not part of this version.`);
}

export function tlsDirectory({ state }: Directories): string {
  return join(state, 'tls');
}

/** The last signed checkpoint of a ledger. */
export function anchorPath({ state }: Directories, ledger: string): string {
  return join(state, 'anchors', ledger);
}

const PORTS_TRIED_MAX = 100;

/** Listens on the wanted port or, with `autoPorts`, on the next one that is free. */
export async function listenOnFreePort<T>(
  { host, port }: ListenAddress,
  autoPorts: boolean,
  listen: (port: number) => Promise<T>,
): Promise<T> {
  for (let tried = 0; ; tried += 1) {
    try {
      return await listen(port + tried);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
      if (code === 'EADDRINUSE') {
        if (autoPorts && tried + 1 < PORTS_TRIED_MAX && port + tried < 65_535) continue;
        const remedy = autoPorts
          ? `None of the ${tried + 1} ports from there on is free: choose another with --listen.`
          : 'Stop what uses it, choose another with --listen, or take the next free one with --auto-ports.';
        throw new CommandError(
          `Cannot listen on ${place}: the port is taken, expected a free one. ${remedy}`,
          error,
        );
      }
      if (code === 'EACCES') {
        throw new CommandError(
          `Cannot listen on ${place}: this user may not, expected a port from 1024 on. Choose one with --listen.`,
          error,
        );
      }
      if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
        throw new CommandError(
          `Cannot listen on ${place}: this host has no such address, expected one of its own. Choose one with --listen.`,
          error,
        );
      }
      throw error;
    }
  }
}
