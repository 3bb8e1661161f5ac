// The one place where an installation is put together: lock, ledgers and keys, access store, certificate, server. Started in
// this order, stopped in reverse: the server drains before the ledgers publish and close, and the lock goes last.

import { hostname } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { ensureFirstAdmin, openAccessStore } from '../access/first-start.ts';
import { type LocalTls, openLocalTls } from '../access/local-ca.ts';
import { LogSink } from '../disk/log-sink.ts';
import type { LedgerName } from '../ledger/installation.ts';
import { ApiError } from '../server/api-error.ts';
import { type RunningServer, startServer } from '../server/server.ts';
import type { Directories } from './directories.ts';
import type { Invocation } from './invocation.ts';
import { assertCanListen, listenOnFreePort } from './listen-port.ts';
import { lockFor, openLedgers } from './open-ledgers.ts';
import type { ListenAddress } from './option-values.ts';
import { runningServer } from './server-address.ts';
import { accessStoreFile, adminTokenFile, tlsDirectory } from './state-files.ts';

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

const DEFAULT_LEDGER: LedgerName = 'access';
const CUSTODY_LEDGER: LedgerName = 'custody';

export const startInstallation: StartInstallation = async (options, invocation) => {
  const { directories, listen } = options;
  const { disk, now } = invocation;
  const random = (count: number): Uint8Array => invocation.randomBytes(count);
  // A first start that cannot listen must leave no half of an installation. Where a server runs already the lock says so.
  if (runningServer(directories, invocation) === undefined) await assertCanListen(listen, options.autoPorts);
  // Whatever has been opened is closed again, in reverse, when a later step fails.
  await using opening = new AsyncDisposableStack();
  opening.use(lockFor(directories, 'portledger up', invocation));
  options.onLocked();
  disk.makeDirectory(directories.state);
  const notices: string[] = [];
  const { passphrase } = options;
  const onNotice = (notice: string): void => void notices.push(notice);
  const installation = opening.use(await openLedgers(directories, { passphrase, onNotice }, invocation));
  const { ledgers } = installation;
  const access = opening.use(openAccessStore(disk, { path: accessStoreFile(directories), now, random }));
  const tokenFile = adminTokenFile(directories);
  const isFirstStart = ensureFirstAdmin(access, disk, tokenFile);
  const names = [hostname(), listen.host];
  const tls = await openLocalTls({ disk, directory: tlsDirectory(directories), names, now, random });
  const server = opening.use(
    await listenOnFreePort(listen, options.autoPorts, (port) =>
      startServer({
        ledgers,
        defaultLedger: ledgers.get(DEFAULT_LEDGER)!,
        custodyLedger: ledgers.get(CUSTODY_LEDGER)!,
        access,
        disk,
        ledgersDirectory: join(directories.data, 'ledgers'),
        tls: { cert: tls.serverPem, key: tls.serverPem },
        listen: { host: listen.host, port },
        // On a terminal there is somebody to read; a line for each request would bury what matters.
        logger: pino({ level: invocation.err.isTerminal ? 'warn' : 'info' }, new LogSink(2)),
        now,
        version: invocation.version,
        rotateKeys: async () => {
          // It would leave the new root key in a plain file; and a passphrase is set where it is kept, not over the API.
          if (passphrase !== undefined) throw passphraseInUse();
          return await installation.rotateRoot(undefined);
        },
      }),
    ),
  );
  const resources = opening.move();
  return {
    api: reachableUrl(server),
    caFile: tls.caFile,
    tokenFile,
    ledgers: [...ledgers.values()].map((ledger) => ({
      name: ledger.name,
      size: ledger.status().size,
    })),
    notices: [...notices, ...noticesOf(tls, isFirstStart, tokenFile)],
    stop: () => resources.disposeAsync(),
  };
};

/** "All addresses" is none that somebody can connect to, or that a certificate can name. */
function reachableUrl({ host, port, url }: RunningServer): string {
  if (host === '0.0.0.0') return `https://127.0.0.1:${port}`;
  return host === '::' ? `https://[::1]:${port}` : url;
}

function passphraseInUse(): ApiError {
  return new ApiError(
    409,
    'passphrase',
    'Cannot rotate the root key: it has a passphrase, and the server runs. Stop it, run "portledger keys rotate" with --passphrase-file and --new-passphrase-file on its host, and start it again.',
  );
}

function noticesOf(tls: LocalTls, isFirstStart: boolean, tokenFile: string): string[] {
  const notices: string[] = [];
  if (isFirstStart) notices.push(`Made an admin token: ${tokenFile}`);
  if (tls.made.includes('authority'))
    notices.push(`Made a certificate authority; clients trust ${tls.caFile}`);
  return notices;
}
