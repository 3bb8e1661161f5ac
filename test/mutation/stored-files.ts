// A directory that tests look into and damage.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export class StoredFiles implements Disposable {
  readonly directory: string;

  /** A new temporary directory, or one that exists. Either is removed in the end. */
  constructor(directory = mkdtempSync(join(tmpdir(), 'portledger-'))) {
    this.directory = directory;
  }

  write(path: string, bytes: Uint8Array): void {
    const full = join(this.directory, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, bytes);
  }

  remove(path: string): void {
    rmSync(join(this.directory, path), { recursive: true });
  }

  /** Removes the directories above a path that nothing is left in. */
  pruneAbove(path: string): void {
    for (let at = dirname(path); at !== '.'; at = dirname(at)) {
      const full = join(this.directory, at);
      if (existsSync(full) && readdirSync(full).length === 0) rmdirSync(full);
    }
  }

  /** Paths of all files. */
  files(): string[] {
    return readdirSync(this.directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.directory.length + 1))
      .sort();
  }

  read(path: string): Buffer {
    return readFileSync(join(this.directory, path));
  }

  /** Everything as it is now. */
  snapshot(): Map<string, Buffer> {
    return new Map(this.files().map((path) => [path, this.read(path)]));
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
