// What is where in the state directory, as far as commands need to know.

import { join } from 'node:path';
import type { Directories } from './directories.ts';

/** Certificate authority and server certificate, and `ca.pem` for clients. */
export function tlsDirectory({ state }: Directories): string {
  return join(state, 'tls');
}

/** Holds the last signed checkpoint of each ledger, under the ledger's name. */
export function anchorsDirectory({ state }: Directories): string {
  return join(state, 'anchors');
}

/** The first admin token. */
export function adminTokenFile({ state }: Directories): string {
  return join(state, 'admin.token');
}

/** Where the root key comes from. */
export function rootKeyFile({ state }: Directories): string {
  return join(state, 'root.json');
}

export function accessStoreFile({ state }: Directories): string {
  return join(state, 'control.sqlite');
}

/** The ready file of the process that runs, for other commands. */
export function serverFile({ state }: Directories): string {
  return join(state, 'server.json');
}
