// Which server a command talks to, and with which token. In this order:
//
//   1. --server URL (with --token-file, --ca)
//   2. --data or --state: the running server of that installation
//   3. PORTLEDGER_SERVER (with PORTLEDGER_TOKEN_FILE, PORTLEDGER_CA_FILE)
//   4. the running server of the default directories
//
// A running server is found by `server.json` in its state directory, which `up` writes and removes. Tokens come from files
// only: arguments and environment variables are visible to other processes and end up in shell histories and dumps.

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { CommandError } from './command-error.ts';
import { type Directories, type DirectoryOptions, resolveDirectories, shellWord } from './directories.ts';
import { readTextFile } from './files.ts';
import type { Invocation } from './invocation.ts';
import { parseReadyFile, type ReadyFile } from './ready-file.ts';
import { serverFile } from './state-files.ts';

export interface ServerOptions extends DirectoryOptions {
  readonly server?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly ca?: string | undefined;
}

export interface ServerAddress {
  readonly url: URL;
  /** Undefined for what is open to everybody. */
  readonly token: string | undefined;
  /** PEM of the CA to trust instead of the system's; undefined for a public one. */
  readonly ca: string | undefined;
}

/** Adds the options that every client command takes. */
export function addServerOptions(command: Command): Command {
  return command
    .option(
      '--server <url>',
      'the server, https://HOST:PORT (default: PORTLEDGER_SERVER, or the running one)',
    )
    .option('--token-file <file>', 'file with the access token (default: PORTLEDGER_TOKEN_FILE)')
    .option(
      '--ca <file>',
      'PEM file of the CA that signed the server certificate (default: PORTLEDGER_CA_FILE)',
    )
    .option('--data <dir>', 'data directory of the installation whose running server is meant')
    .option('--state <dir>', 'its state directory, where that is not the default');
}

/** For commands that also read an installation directly: where no server runs, the error says how. */
export function findServerToRead(options: ServerOptions, invocation: Invocation): ServerAddress {
  try {
    return findServer(options, invocation);
  } catch (error) {
    if (!(error instanceof NoServer)) throw error;
    const { data } = error.directories;
    throw new CommandError(
      `${error.message} To read without a server, name the directory: --data ${shellWord(data)}`,
      error,
    );
  }
}

export function findServer(options: ServerOptions, invocation: Invocation): ServerAddress {
  const { environment } = invocation;
  const byDirectory = options.data !== undefined || options.state !== undefined;
  if (options.server !== undefined && byDirectory) {
    throw new CommandError(
      'Cannot choose a server: both --server and --data or --state are given, expected one of them.',
    );
  }
  const url = options.server ?? (byDirectory ? undefined : environment.PORTLEDGER_SERVER);
  if (url !== undefined && url !== '') {
    const tokenFile = options.tokenFile ?? environment.PORTLEDGER_TOKEN_FILE;
    if (tokenFile === undefined || tokenFile === '') {
      throw new CommandError(
        `Cannot talk to ${url}: there is no token, expected a file with one. Give --token-file or set PORTLEDGER_TOKEN_FILE to its path.`,
      );
    }
    const caFile = options.ca ?? (environment.PORTLEDGER_CA_FILE || undefined);
    return {
      url: parseServerUrl(url),
      token: readToken(tokenFile, invocation),
      ca: caFile === undefined ? undefined : readTextFile(invocation, caFile, 'CA file'),
    };
  }
  const directories = resolveDirectories(options, invocation);
  const ready = runningServer(directories, invocation);
  if (ready === undefined) throw new NoServer(directories);
  return {
    url: parseServerUrl(ready.api),
    token: readToken(options.tokenFile ?? ready.tokenFile, invocation),
    ca: readTextFile(invocation, options.ca ?? ready.caFile, 'CA file'),
  };
}

/** The server that runs on these directories, if one does. A file left behind by a killed process does not count. */
export function runningServer(
  directories: Directories,
  invocation: Pick<Invocation, 'disk' | 'processExists'>,
): ReadyFile | undefined {
  const path = serverFile(directories);
  const bytes = invocation.disk.readFile(path);
  if (bytes === undefined) return undefined;
  const ready = parseReadyFile(bytes, path);
  return invocation.processExists(ready.pid) ? ready : undefined;
}

class NoServer extends CommandError {
  readonly directories: Directories;
  constructor(directories: Directories) {
    const rest = directories.arguments === '' ? '' : ` ${directories.arguments}`;
    super(
      `Cannot find a server: none is running on ${directories.data}, expected a ready one. Start it with 'portledger up${rest}', or name another with --server and --token-file.`,
    );
    this.directories = directories;
  }
}

export function parseServerUrl(text: string): URL {
  const url = URL.parse(text);
  if (
    url === null ||
    url.protocol !== 'https:' ||
    url.username !== '' ||
    url.search !== '' ||
    url.hash !== ''
  ) {
    throw new CommandError(
      `Cannot use server "${text}": expected https://HOST:PORT, without password or query. A token must never travel unencrypted.`,
    );
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

function readToken(path: string, invocation: Invocation): string {
  const token = readTextFile(invocation, resolve(invocation.workingDirectory, path), 'token file').trim();
  if (!/^[\x21-\x7e]{1,512}$/.test(token)) {
    throw new CommandError(
      `Cannot use token file "${path}": it does not hold one line of printable characters, expected a token as 'portledger token create' writes it.`,
    );
  }
  return token;
}
