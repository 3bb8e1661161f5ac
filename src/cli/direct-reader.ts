// Reading an installation that nothing runs on. Every reading is an entry in its custody ledger, as over the API: who may
// read the files of a ledger must leave the same trace as who asks the server.

import { CommandError } from './command-error.ts';
import type { Directories } from './directories.ts';
import type { Invocation } from './invocation.ts';
import { notRunning } from './server-address.ts';

export interface DirectSearch {
  readonly query: string;
  readonly limit: number;
  readonly ledger: string | undefined;
  readonly signal: AbortSignal;
}

export interface DirectReader extends AsyncDisposable {
  /** One JSON record a line, newest first, in the shape of the API's search. */
  search(search: DirectSearch): AsyncIterable<Uint8Array>;
  /** The tlog-proof file of one entry. */
  prove(ledger: string, index: number): Promise<Uint8Array>;
}

/** Opens the installation for reading; custody entries name the operating-system user. */
export async function openDirectReader(
  directories: Directories,
  _invocation: Invocation,
): Promise<DirectReader> {
  throw new CommandError(
    `Cannot read ${directories.data} directly: reading without a server is not part of this version. ${notRunning(directories).message}`,
  );
}
