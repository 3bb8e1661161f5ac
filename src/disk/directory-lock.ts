// One writer for a data directory.
//
//   <data>/lock        empty; who holds SQLite's exclusive lock on it is the writer
//   <data>/lock.json   who that is, in words for the one who comes second; a courtesy, never the lock itself
//
// Node.js has no flock, but it has SQLite: an exclusive transaction holds a kernel lock (fcntl) on its file, which ends with
// the process however it ends, so nothing stale can block the next start. Two things to know about it:
// - The kernel drops such a lock as soon as the process closes *any* descriptor of the file. Nobody else in this process
//   may open `<data>/lock`, and SQLite itself takes care when one process locks twice.
// - Nothing is ever written in the transaction and the journal is kept in memory, so no journal file exists that a crash
//   could leave behind. (`journal_mode=OFF` is not obeyed: node:sqlite opens databases in defensive mode.)
//
// The file `lock` is never removed: a process that had just opened it would then lock a file that has no name, beside
// another one holding the new file of that name.

import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DiskError } from './disk.ts';
import { diskErrorFrom, errnoOf } from './disk-error.ts';
import { FileDisk } from './file-disk.ts';

const LOCK_FILE = 'lock';
const HOLDER_FILE = 'lock.json';

const SQLITE_BUSY = 5;

export interface LockHolder {
  readonly pid: number;
  /** What the process was started to do, for instance `portledger up`. */
  readonly command: string;
  /** RFC 3339. */
  readonly since: string;
}

export class DirectoryLockedError extends Error {
  override readonly name = 'DirectoryLockedError';
  readonly directory: string;
  /** Undefined where the other process could not say, or speaks from another machine or container. */
  readonly holder: LockHolder | undefined;

  constructor(directory: string, holder: LockHolder | undefined) {
    const who =
      holder === undefined
        ? 'another process'
        : `process ${holder.pid} (${holder.command}, since ${holder.since})`;
    super(
      `Cannot open data directory ${JSON.stringify(directory)}: ${who} is using it, expected nobody. ` +
        'Stop it, or talk to it with --server, or choose another directory with --data.',
    );
    this.directory = directory;
    this.holder = holder;
  }
}

/** Held until released or until the process ends. */
export interface DirectoryLock extends Disposable, AsyncDisposable {
  readonly directory: string;
  release(): void;
}

/** A database that nobody refers to is closed by the garbage collector, and the lock would be gone. */
const heldDatabases = new Set<DatabaseSync>();

/** Locks the directory, which is made where there is none. Throws a DirectoryLockedError where somebody else holds it. */
export function lockDirectory(directory: string, holder: LockHolder): DirectoryLock {
  const disk = new FileDisk();
  disk.makeDirectory(directory);
  const database = holdExclusively(directory, disk);
  heldDatabases.add(database);
  // From here on nobody else writes lock.json.
  sayWhoHolds(directory, holder, disk);
  const release = (): void => {
    if (!heldDatabases.delete(database)) return;
    try {
      // While the lock is still ours: the next holder's words must stay.
      disk.remove(join(directory, HOLDER_FILE));
    } finally {
      database.close();
    }
  };
  return {
    directory,
    release,
    [Symbol.dispose]: release,
    [Symbol.asyncDispose]: async () => release(),
  };
}

function holdExclusively(directory: string, disk: FileDisk): DatabaseSync {
  const path = join(directory, LOCK_FILE);
  createLockFile(path);
  let database: DatabaseSync | undefined;
  try {
    // No waiting: whoever holds the directory holds it for long.
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec('PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database?.close();
    if (sqliteCodeOf(error) === SQLITE_BUSY)
      throw new DirectoryLockedError(directory, readHolder(directory, disk));
    const why = error instanceof Error ? error.message : String(error);
    throw new DiskError(
      'io',
      path,
      `Cannot lock data directory ${JSON.stringify(directory)}: SQLite reports "${why}" for the file "${LOCK_FILE}" in it, ` +
        'expected an empty file of ours. Check its owner and mode; where nothing is using the directory, remove that file.',
      error,
    );
  }
}

/** SQLite would make the file itself, but readable to everybody; and everybody who can read it can lock us out. */
function createLockFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    // Not opened, so nothing is closed, and no lock of this process is lost.
    if (errnoOf(error) !== 'EEXIST') throw diskErrorFrom(error, 'create file', path);
  }
}

function sayWhoHolds(directory: string, { pid, command, since }: LockHolder, disk: FileDisk): void {
  const path = join(directory, HOLDER_FILE);
  try {
    // First, so that where there is no room for ours, nobody reads somebody else's.
    disk.remove(path);
    disk.writeFile(path, Buffer.from(`${JSON.stringify({ pid, command, since })}\n`));
  } catch (error) {
    // On a full disk the process must start all the same: purging is what makes room.
    if (!(error instanceof DiskError && error.code === 'full')) throw error;
  }
}

/** What the holder wrote, provided that there is such a process: it may have been killed before the present holder came. */
function readHolder(directory: string, disk: FileDisk): LockHolder | undefined {
  try {
    const bytes = disk.readFile(join(directory, HOLDER_FILE));
    const holder: unknown = bytes && JSON.parse(new TextDecoder().decode(bytes));
    if (typeof holder !== 'object' || holder === null) return undefined;
    if (!('pid' in holder && 'command' in holder && 'since' in holder)) return undefined;
    const { pid, command, since } = holder;
    if (!Number.isSafeInteger(pid) || typeof command !== 'string' || typeof since !== 'string')
      return undefined;
    return isRunning(pid as number) ? { pid: pid as number, command, since } : undefined;
  } catch {
    // Being written at this moment, or not ours to read: the message says less.
    return undefined;
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
}

function sqliteCodeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number')
    return undefined;
  // The low byte; the rest tells kinds of it apart.
  return error.errcode & 0xff;
}
