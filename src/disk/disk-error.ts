// From what the operating system says (errno) to what a caller can act on (DiskErrorCode), in words for an operator.
// Both disks build their errors here, so that a simulated failure reads like a real one.

import { DiskError, type DiskErrorCode } from './disk.ts';

interface Reading {
  readonly code: DiskErrorCode;
  /** The present state, the desired state, and what to do about it. */
  readonly words: string;
}

const READINGS: Readonly<Record<string, Reading>> = {
  ENOENT: { code: 'not-found', words: 'there is no such file or directory, expected one. Check the path' },
  EEXIST: { code: 'exists', words: 'it exists already, expected none. Move it away if it is not needed' },
  ENOSPC: { code: 'full', words: 'the disk is full, expected room. Free space on it' },
  EDQUOT: { code: 'full', words: 'the disk quota is used up, expected room. Free space or raise the quota' },
  // A limit on the size of files (`ulimit -f`) is to the writer what a full disk is: it may go on once given more room.
  EFBIG: { code: 'full', words: 'the limit on file sizes is reached, expected room. Raise it (ulimit -f)' },
  EISDIR: { code: 'not-a-file', words: 'it is a directory, expected a file. Check the path' },
  ENOTDIR: {
    code: 'not-a-file',
    words: 'a part of its path is a file, expected directories. Check the path',
  },
  EACCES: { code: 'denied', words: 'access is denied, expected permission. Check owner and mode' },
  EPERM: {
    code: 'denied',
    words: 'the operation is not permitted, expected permission. Check owner and attributes (lsattr)',
  },
  EROFS: {
    code: 'denied',
    words: 'the file system is read-only, expected it writable. See the system log for why',
  },
  EIO: {
    code: 'io',
    words: 'the device reports an input/output error, expected success. See the system log (dmesg)',
  },
  EMFILE: {
    code: 'io',
    words: 'this process has too many open files, expected fewer. Raise its limit (ulimit -n)',
  },
  EBADF: { code: 'io', words: 'it is not open for this, expected an open file' },
};

/** The DiskError for an errno name, as in `diskError('ENOSPC', 'write file', path)`. */
export function diskError(errno: string, action: string, path: string, cause?: unknown): DiskError {
  const { code, words } = READINGS[errno] ?? {
    code: 'io' as const,
    words: `the system reports ${errno}, expected success. See the system log`,
  };
  return new DiskError(code, path, `Cannot ${action} ${JSON.stringify(path)}: ${words}.`, cause);
}

/** The DiskError for whatever `node:fs` threw. Anything that is not a system error is a fault of ours and passes through. */
export function diskErrorFrom(thrown: unknown, action: string, path: string): unknown {
  const errno = errnoOf(thrown);
  return errno === undefined ? thrown : diskError(errno, action, path, thrown);
}

export function errnoOf(thrown: unknown): string | undefined {
  // Errors of Node's own argument checks have a `code` too, but only system errors have an `errno`.
  if (!(thrown instanceof Error) || !('errno' in thrown) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}
