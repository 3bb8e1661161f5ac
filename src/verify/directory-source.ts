// Reads a directory for the verifier. The one place besides src/disk that touches files, and it only reads: the verifier must be
// usable without the rest of the house. Calls are synchronous underneath, because each worker has nothing else to do meanwhile.

import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { type DirectoryEntry, type Source, SourceError } from './source.ts';

/** A symbolic link could lead anywhere, and a pipe in a file's place would keep us waiting for ever. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export class DirectorySource implements Source {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async list(directory: string): Promise<readonly DirectoryEntry[] | undefined> {
    return this.#reading(directory, (path) =>
      readdirSync(path, { withFileTypes: true })
        .map((entry): DirectoryEntry => {
          const kind = entry.isFile() ? 'file' : entry.isDirectory() ? 'directory' : 'other';
          return { name: entry.name, kind };
        })
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
    );
  }

  async size(path: string): Promise<number | undefined> {
    return this.#reading(path, (full) => {
      const found = lstatSync(full);
      return found.isFile() ? found.size : undefined;
    });
  }

  async read(path: string, offset: number, length: number): Promise<Buffer> {
    const bytes = this.#reading(path, (full) => {
      const file = openSync(full, FLAGS);
      try {
        return readUpTo(file, offset, length);
      } finally {
        closeSync(file);
      }
    });
    return bytes ?? Buffer.alloc(0);
  }

  async readAll(path: string, bytesMax: number): Promise<Buffer | undefined> {
    return this.#reading(path, (full) => {
      const file = openSync(full, FLAGS);
      try {
        const found = fstatSync(file);
        if (!found.isFile()) throw new SourceError(path, 'this is not a file');
        if (found.size > bytesMax) {
          throw new SourceError(path, `the file has ${found.size} bytes, expected at most ${bytesMax}`);
        }
        return readUpTo(file, 0, found.size);
      } finally {
        closeSync(file);
      }
    });
  }

  #reading<T>(path: string, read: (full: string) => T): T | undefined {
    try {
      return read(join(this.#directory, path));
    } catch (error) {
      if (error instanceof SourceError) throw error;
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      if (code === 'EACCES' || code === 'EPERM') throw accessDenied(join(this.#directory, path), error);
      throw new SourceError(path, `the file cannot be read (${code ?? String(error)})`, error);
    }
  }
}

/** No SourceError: that somebody may not read a file says nothing about what is in it, so there is no verdict. */
function accessDenied(path: string, cause: unknown): Error {
  return new Error(
    `Cannot read "${path}": access is denied, expected permission. Run this as the user whom the data belongs to.`,
    { cause },
  );
}

function readUpTo(file: number, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const read = readSync(file, bytes, filled, length - filled, offset + filled);
    if (read === 0) break;
    filled += read;
  }
  return bytes.subarray(0, filled);
}
