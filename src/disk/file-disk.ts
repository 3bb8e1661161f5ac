// The real disk: `node:fs`, synchronous.
//
// Which flush, and why:
// - `fdatasync` for a file that was there before and only grew or was overwritten: POSIX wants it to flush the data and
//   whatever is needed to read the data back, the size included. It leaves out the modification time, which would cost a
//   journal commit even where nothing else of the inode has changed, and which nobody here reads.
// - `fsync` the first time after a file was created or truncated, when more of the inode than its size is new (mode,
//   owner, freed blocks), which POSIX does not count among the things needed to read the data.
// - `fsync` of the directory for names: no flush of a file says anything about the name that leads to it.
//   On macOS libuv turns both into F_FULLFSYNC, without which the drive's own cache would hold the data.
//
// Nothing is retried after a failed flush: Linux marks the pages clean although they were not written, so that the next
// flush succeeds without having done anything. The caller stops and recovers.
//
// Not done: no advice, no direct I/O, no memory maps (a read error would be a signal, not an exception).

import {
  close,
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  open,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Disk, DiskFile, OpenMode } from './disk.ts';
import { diskError, diskErrorFrom, errnoOf } from './disk-error.ts';

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** Node's thread pool has four threads; one is left to name resolution and other people's files. */
const BACKGROUND_SYNCS_MAX = 3;

const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

const OVERWRITE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC;
const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY;

export class FileDisk implements Disk {
  /** Directories whose own name is known to be durable: made, or synced in their parent, by this object. */
  readonly #durableDirectories = new Set<string>();

  open(path: string, mode: OpenMode): DiskFile {
    const action = mode === 'create' ? 'create file' : 'open file';
    const fd = attempt(action, path, () => openSync(path, OPEN_FLAGS[mode], FILE_MODE));
    try {
      // Linux opens a directory for reading as if it were a file and only complains at the first read.
      if (mode === 'read' && fstatSync(fd).isDirectory()) throw diskError('EISDIR', action, path);
    } catch (error) {
      closeSync(fd);
      throw diskErrorFrom(error, action, path);
    }
    return new RealFile(path, fd, mode === 'create');
  }

  readFile(path: string): Uint8Array | undefined {
    let fd: number;
    try {
      fd = openSync(path, OPEN_FLAGS.read);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw diskErrorFrom(error, 'read file', path);
    }
    try {
      const bytes = new Uint8Array(fstatSync(fd).size);
      // The file may have been cut short since its size was read.
      return bytes.subarray(0, readFully(fd, bytes, 0));
    } catch (error) {
      throw diskErrorFrom(error, 'read file', path);
    } finally {
      closeSync(fd);
    }
  }

  replaceFile(path: string, bytes: Uint8Array): void {
    const temporary = `${path}.tmp`;
    attempt('replace file', path, () => {
      // The directory's descriptor is open from before the first change until after its flush: an error of writing the
      // directory is reported to descriptors that were open when it happened, and may be gone for later ones.
      const directory = openSync(dirname(path), DIRECTORY_FLAGS);
      try {
        try {
          const fd = openSync(temporary, OVERWRITE_FLAGS, FILE_MODE);
          try {
            writeFully(fd, bytes, 0);
            // Before the rename: a journal may make the rename durable first, and the name would lead to an empty file.
            fsyncSync(fd);
          } finally {
            closeSync(fd);
          }
          renameSync(temporary, path);
        } catch (error) {
          discard(temporary);
          throw error;
        }
        // A crash before this line leaves the old content, or the new one; either is whole.
        fsyncSync(directory);
      } finally {
        closeSync(directory);
      }
    });
  }

  writeFile(path: string, bytes: Uint8Array): void {
    attempt('write file', path, () => {
      const fd = openSync(path, OVERWRITE_FLAGS, FILE_MODE);
      try {
        writeFully(fd, bytes, 0);
      } finally {
        closeSync(fd);
      }
    });
  }

  rename(from: string, to: string): void {
    attempt('rename file', from, () => renameSync(from, to));
  }

  remove(path: string): void {
    try {
      unlinkSync(path);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return;
      // POSIX has EPERM for unlinking a directory, Linux EISDIR: callers should see one.
      const isDirectory = errnoOf(error) === 'EPERM' && isExistingDirectory(path);
      throw isDirectory
        ? diskError('EISDIR', 'remove file', path, error)
        : diskErrorFrom(error, 'remove file', path);
    }
  }

  removeDirectory(path: string): void {
    try {
      rmdirSync(path);
    } catch (error) {
      const errno = errnoOf(error);
      // POSIX leaves it to the system which of the two says "not empty".
      if (errno === 'ENOENT' || errno === 'ENOTEMPTY' || errno === 'EEXIST') return;
      throw diskErrorFrom(error, 'remove directory', path);
    }
  }

  makeDirectory(path: string): void {
    const absolute = resolve(path);
    attempt('make directory', absolute, () => this.#makeDirectory(absolute));
  }

  /**
   * Top down, each name made durable before the next level is begun. So at most one directory can exist without a durable
   * name: the deepest one, if the process that made it was killed before its flush. Hence the deepest existing one is
   * flushed again, once for every process.
   */
  #makeDirectory(path: string): void {
    const parent = dirname(path);
    if (isExistingDirectory(path)) {
      if (this.#durableDirectories.has(path)) return;
      try {
        syncDirectoryNow(parent);
      } catch (error) {
        // Somebody else's directory (a mount point, /home) may not be ours to open. Then we have not made this one.
        if (errnoOf(error) !== 'EACCES') throw error;
      }
    } else {
      if (parent !== path) this.#makeDirectory(parent);
      try {
        mkdirSync(path, DIRECTORY_MODE);
      } catch (error) {
        // Two processes may start at once; but a file in the way is an error.
        if (errnoOf(error) !== 'EEXIST') throw error;
        if (!isExistingDirectory(path)) throw diskError('ENOTDIR', 'make directory', path, error);
      }
      syncDirectoryNow(parent);
    }
    this.#durableDirectories.add(path);
  }

  syncDirectory(path: string): void {
    attempt('sync directory', path, () => syncDirectoryNow(path));
  }

  list(path: string): string[] {
    try {
      // By code unit, not by locale: the order must not depend on the machine.
      return readdirSync(path).sort();
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw diskErrorFrom(error, 'list directory', path);
    }
  }

  // The descriptor that wrote a file is closed by now. Linux (4.17 and later) keeps a write error that nobody has seen for
  // the next one who opens the file, so that this flush reports it; the exception, an inode thrown out of memory between
  // the failed write and this call, is why only derived files, which a reader can check, are written this way.
  syncInBackground(paths: readonly string[], done: (error?: unknown) => void): void {
    if (paths.length === 0) {
      queueMicrotask(done);
      return;
    }
    const files = [...new Set(paths)];
    const directories = [...new Set(files.map((path) => dirname(path)))];
    syncEach(files, 'sync file', (error) => {
      if (error === undefined) syncEach(directories, 'sync directory', done);
      else done(error);
    });
  }
}

class RealFile implements DiskFile {
  readonly path: string;
  #fd: number | undefined;
  /** The next flush has more to make durable than data and size. */
  #inodeChanged: boolean;

  constructor(path: string, fd: number, created: boolean) {
    this.path = path;
    this.#fd = fd;
    this.#inodeChanged = created;
  }

  size(): number {
    return attempt('read the size of file', this.path, () => fstatSync(this.#openFd()).size);
  }

  read(buffer: Uint8Array, position: number): number {
    return attempt('read file', this.path, () => readFully(this.#openFd(), buffer, position));
  }

  write(bytes: Uint8Array, position: number): void {
    attempt('write file', this.path, () => writeFully(this.#openFd(), bytes, position));
  }

  truncate(size: number): void {
    this.#inodeChanged = true;
    attempt('truncate file', this.path, () => ftruncateSync(this.#openFd(), size));
  }

  sync(): void {
    attempt('sync file', this.path, () => {
      if (this.#inodeChanged) fsyncSync(this.#openFd());
      else fdatasyncSync(this.#openFd());
    });
    this.#inodeChanged = false;
  }

  close(): void {
    const fd = this.#fd;
    if (fd === undefined) return;
    // Forgotten first: the number is given to the next file that anybody opens, even where close reports an error.
    this.#fd = undefined;
    attempt('close file', this.path, () => closeSync(fd));
  }

  #openFd(): number {
    if (this.#fd === undefined) throw diskError('EBADF', 'use file', this.path);
    return this.#fd;
  }
}

function attempt<T>(action: string, path: string, operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    throw diskErrorFrom(error, action, path);
  }
}

/** POSIX may write less than it was given (a full disk, a signal); the rest then either fits or says why not. */
function writeFully(fd: number, bytes: Uint8Array, position: number): void {
  let written = 0;
  while (written < bytes.length) {
    written += writeSync(fd, bytes, written, bytes.length - written, position + written);
  }
}

function readFully(fd: number, buffer: Uint8Array, position: number): number {
  let read = 0;
  while (read < buffer.length) {
    const count = readSync(fd, buffer, read, buffer.length - read, position + read);
    if (count === 0) break;
    read += count;
  }
  return read;
}

function syncDirectoryNow(path: string): void {
  const fd = openSync(path, DIRECTORY_FLAGS);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function isExistingDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** What failed has been said already; a leftover temporary file is overwritten by the next attempt. */
function discard(temporary: string): void {
  try {
    rmSync(temporary, { force: true });
  } catch {}
}

/** Flushes all paths, a few at a time, and reports the first error once none is under way any more. */
function syncEach(paths: readonly string[], action: string, done: (error?: unknown) => void): void {
  let next = 0;
  let running = 0;
  let failure: unknown;
  const advance = (): void => {
    while (failure === undefined && running < BACKGROUND_SYNCS_MAX && next < paths.length) {
      const path = paths[next++] as string;
      running++;
      syncOne(path, (error) => {
        running--;
        if (error) failure ??= diskErrorFrom(error, action, path);
        advance();
      });
    }
    if (running === 0) done(failure);
  };
  advance();
}

function syncOne(path: string, done: (error: Error | null | undefined) => void): void {
  open(path, constants.O_RDONLY, (openError, fd) => {
    if (openError) {
      done(openError);
      return;
    }
    fsync(fd, (syncError) => {
      close(fd, (closeError) => done(syncError ?? closeError));
    });
  });
}
