// Where an installation lives on this host. Two directories on purpose: the data directory holds the ledgers, and the state
// directory holds what must not be lost or rolled back together with them: the anchor (the last signed size and root), the
// root key file, the access store, and `server.json` of the running process.
//
//   --data                 --state                data directory                      state directory
//   not given              not given              $XDG_DATA_HOME/portledger           $XDG_STATE_HOME/portledger
//   the default directory  not given              the same                            the same
//   DIR                    not given              DIR                                 $XDG_STATE_HOME/portledger/by-data/<name>
//   any                    DIR                    as above                            DIR
//
// $XDG_DATA_HOME defaults to ~/.local/share and $XDG_STATE_HOME to ~/.local/state; a relative value is ignored, as the XDG
// base directory specification asks. <name> is the last part of the data directory's absolute path and the first 12 hex
// digits of the path's SHA-256, so that several data directories of one user never share a state directory, and the same
// --data finds the same state from any working directory. Symbolic links are not resolved: the same directory under two
// paths is two installations, and the lock in the data directory refuses the second one.

import { createHash } from 'node:crypto';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { CommandError } from './command-error.ts';

export interface Directories {
  readonly data: string;
  readonly state: string;
  /** `--data … --state …` as somebody must type them to mean these directories; empty for the defaults. */
  readonly arguments: string;
}

export interface DirectoryOptions {
  readonly data?: string | undefined;
  readonly state?: string | undefined;
}

export interface HostPaths {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
}

export function resolveDirectories(options: DirectoryOptions, host: HostPaths): Directories {
  const defaultData = join(baseDirectory(host, 'XDG_DATA_HOME', '.local/share'), 'portledger');
  const defaultState = join(baseDirectory(host, 'XDG_STATE_HOME', '.local/state'), 'portledger');
  const data = given(options.data, '--data', host) ?? defaultData;
  const state =
    given(options.state, '--state', host) ??
    (data === defaultData ? defaultState : join(defaultState, 'by-data', stateNameFor(data)));
  const words: string[] = [];
  if (data !== defaultData) words.push('--data', shellWord(data));
  if (options.state !== undefined) words.push('--state', shellWord(state));
  return { data, state, arguments: words.join(' ') };
}

/** Name of the state directory that belongs to a data directory outside the default place. */
export function stateNameFor(dataDirectory: string): string {
  const digest = createHash('sha256').update(dataDirectory).digest('hex').slice(0, 12);
  const readable = basename(dataDirectory)
    .replace(/[^A-Za-z0-9._-]/g, '_')
    .slice(0, 40);
  return `${readable === '' ? 'root' : readable}-${digest}`;
}

/** A word as it must be typed in a POSIX shell. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function given(path: string | undefined, option: string, host: HostPaths): string | undefined {
  if (path === undefined) return undefined;
  if (path === '')
    throw new CommandError(`Cannot use ${option} "": the path is empty, expected a directory.`);
  return resolve(host.workingDirectory, path);
}

function baseDirectory(host: HostPaths, variable: string, belowHome: string): string {
  const configured = host.environment[variable];
  if (configured !== undefined && isAbsolute(configured)) return configured;
  const home = host.environment.HOME;
  if (home === undefined || !isAbsolute(home)) {
    throw new CommandError(
      `Cannot choose the default directories: neither ${variable} nor HOME names an absolute directory. Give --data and --state.`,
    );
  }
  return join(home, belowHome);
}
