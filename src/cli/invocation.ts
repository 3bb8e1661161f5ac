// One run of the command line: everything a command may touch of the process around it. Tests make their own.

import type { Disk } from '../disk/disk.ts';
import type { PathFacts } from '../disk/path-facts.ts';
import type { Terminal } from './terminal.ts';

/** 0: fine. 1: the command worked and found something wrong. 2: wrong usage, or the command could not do its work. */
export type ExitCode = 0 | 1 | 2;

export interface Invocation {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  readonly input: AsyncIterable<Uint8Array>;
  readonly out: Terminal;
  readonly err: Terminal;
  readonly disk: Disk;
  /** Undefined where there is nothing at the path. Absent where the disk cannot tell. */
  readonly inspectPath?: (path: string) => PathFacts | undefined;
  /** Unix milliseconds. */
  now(): number;
  randomBytes(count: number): Uint8Array;
  /** Resolves after `ms`, or at once when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Aborts at the first SIGINT or SIGTERM. The second one ends the process at once, whatever the command is doing. */
  readonly interrupted: AbortSignal;
  /** The version of this program, and how to call it from the working directory. */
  readonly version: string;
  readonly program: string;
  readonly processId: number;
  /** Whether a process with this id exists on this host. */
  processExists(pid: number): boolean;
  /** What the process ends with: set by the command's action. */
  exitCode: ExitCode;
}
