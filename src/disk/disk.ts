// The only door to files. Everything is synchronous on purpose: a ledger's worker does one thing at a time, and an fsync in
// Node's shared thread pool would wait behind other people's jobs. Two implementations: `file-disk.ts` (the real one) and
// `simulated-disk.ts` (which can crash, tear, reorder, lie and fill up).
//
// Guarantees that callers may rely on, and no others:
// - bytes written are durable after `DiskFile.sync` returned; a sync that threw has left the bytes in an unknown state for ever
// - a file's name (created, renamed, removed) is durable after `syncDirectory` of its directory returned; a file moved between
//   directories may be found under both names until both are synced
// - a directory that `makeDirectory` made, or found, is there for good once it returned
// - `replaceFile` leaves the old or the new content after a crash, never a mixture, and the new one durably once it returned

export interface DiskFile {
  readonly path: string;
  size(): number;
  /** Reads into `buffer` from `position`; returns the bytes read, fewer only at the end of the file. */
  read(buffer: Uint8Array, position: number): number;
  /** Writes all of `bytes` at `position` or throws. */
  write(bytes: Uint8Array, position: number): void;
  truncate(size: number): void;
  sync(): void;
  close(): void;
}

export type OpenMode = 'read' | 'write' | 'create';

export interface Disk {
  /** 'read' and 'write' need an existing file; 'create' refuses an existing one. New files have mode 0600. */
  open(path: string, mode: OpenMode): DiskFile;
  /** The whole file, or undefined where there is none. */
  readFile(path: string): Uint8Array | undefined;
  /** Atomic and durable: temporary file, write, sync, rename, directory sync. */
  replaceFile(path: string, bytes: Uint8Array): void;
  /** Plain write of a whole file, not durable until `sync`ed (see `syncInBackground`). */
  writeFile(path: string, bytes: Uint8Array): void;
  /** Atomic within a directory; replaces a file that is there. */
  rename(from: string, to: string): void;
  /** Removing what is not there is not an error. */
  remove(path: string): void;
  /** Removes an empty directory; one that is absent or not empty is left alone without an error. */
  removeDirectory(path: string): void;
  /** With parents, and durable; existing ones are fine. Mode 0700. */
  makeDirectory(path: string): void;
  syncDirectory(path: string): void;
  /** Names in the directory, sorted; an absent directory is empty. */
  list(path: string): string[];
  /**
   * Makes these files and their names durable without blocking the caller. `done` is called once, never before this has
   * returned, with the first error if there was one: then nothing is known about any of the files.
   */
  syncInBackground(paths: readonly string[], done: (error?: unknown) => void): void;
}

export type DiskErrorCode =
  | 'not-found'
  | 'exists'
  /** No room left, for whatever reason: disk, quota, limit of the process. A write may have happened in part. */
  | 'full'
  /** The device, or something that no caller can do anything about. The operation may have happened, in part or whole. */
  | 'io'
  /** A directory where a file should be, or the reverse. */
  | 'not-a-file'
  | 'denied';

export class DiskError extends Error {
  override readonly name = 'DiskError';
  readonly code: DiskErrorCode;
  readonly path: string;
  constructor(code: DiskErrorCode, path: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.path = path;
  }
}
