// Small files that somebody named on the command line, read and written through the disk.

import { dirname, resolve } from 'node:path';
import { DiskError, type DiskFile } from '../disk/disk.ts';
import { CommandError } from './command-error.ts';
import type { Invocation } from './invocation.ts';

export type FileAccess = Pick<Invocation, 'disk' | 'workingDirectory'>;

/** The whole file; `what` names it in the error. */
export function readNamedFile(access: FileAccess, path: string, what: string): Uint8Array {
  const absolute = resolve(access.workingDirectory, path);
  const bytes = access.disk.readFile(absolute);
  if (bytes === undefined) {
    throw new CommandError(`Cannot read ${what} "${path}": there is no such file. Check the path.`);
  }
  return bytes;
}

export function readTextFile(access: FileAccess, path: string, what: string): string {
  return Buffer.from(readNamedFile(access, path, what)).toString('utf8');
}

/** A passphrase: the file's first line, without its line end. Spaces count. */
export function readPassphrase(access: FileAccess, path: string): string {
  const [line = ''] = readTextFile(access, path, 'passphrase file').split(/\r?\n/, 1);
  if (line === '') {
    throw new CommandError(
      `Cannot use passphrase file "${path}": its first line is empty, expected the passphrase.`,
    );
  }
  return line;
}

/** A file that has been made, empty and with mode 0600, and waits for its content. */
export interface NewFile {
  write(bytes: Uint8Array): void;
  /** Takes the empty file away again. */
  discard(): void;
}

/**
 * Makes a new file before the work whose result it will hold: a name that is taken, or a directory that may not be written,
 * must be known before a token exists or a record is disclosed. An existing file is never overwritten.
 */
export function makeNewFile(access: FileAccess, path: string, what: string): NewFile {
  const absolute = resolve(access.workingDirectory, path);
  let file: DiskFile;
  try {
    file = access.disk.open(absolute, 'create');
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== 'exists') throw error;
    throw new CommandError(
      `Cannot write ${what} "${path}": the file is there already, expected a new name. Choose another, or remove it first.`,
    );
  }
  return {
    write(bytes) {
      try {
        file.write(bytes, 0);
        file.sync();
      } finally {
        file.close();
      }
      access.disk.syncDirectory(dirname(absolute));
    },
    discard() {
      file.close();
      access.disk.remove(absolute);
    },
  };
}
