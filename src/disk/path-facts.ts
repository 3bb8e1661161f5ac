// What the operating system says about a path, for those who judge an installation and not its content. Not part of Disk:
// modes, owners and free space mean nothing to a simulated disk, and nothing that stores records may depend on them.

import { statfsSync, statSync } from 'node:fs';
import { diskErrorFrom, errnoOf } from './disk-error.ts';

/** A file or directory, and the file system that it is on. Symbolic links are followed: what they lead to is what is used. */
export interface PathFacts {
  /** Permission bits. */
  readonly mode: number;
  /** User id of the owner. */
  readonly owner: number;
  /** Two paths with the same device are on the same file system. */
  readonly device: number;
  /** What an ordinary user may still write: the share kept back for root is not counted. */
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Undefined where there is nothing at the path. Throws a DiskError where the system does not tell. */
export function inspectPath(path: string): PathFacts | undefined {
  try {
    const { mode, uid, dev } = statSync(path);
    const { bavail, blocks, bsize } = statfsSync(path);
    return {
      mode: mode & 0o7777,
      owner: uid,
      device: dev,
      freeBytes: bavail * bsize,
      totalBytes: blocks * bsize,
    };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw diskErrorFrom(error, 'inspect', path);
  }
}
