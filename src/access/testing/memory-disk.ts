// Files in a map, for tests whose subject is not what a crash leaves behind.

import { type Disk, DiskError, type DiskFile } from '../../disk/disk.ts';

export class MemoryDisk implements Disk {
  readonly files = new Map<string, Uint8Array>();
  /** Runs before each durable replacement; throws where a test wants a crash there. */
  beforeReplace: (path: string) => void = () => {};

  open(path: string, mode: 'read' | 'write' | 'create'): DiskFile {
    if (mode === 'create') {
      if (this.files.has(path)) throw new DiskError('exists', path, `Cannot create "${path}": it exists.`);
      this.files.set(path, new Uint8Array());
    }
    return { path, close() {} } as DiskFile;
  }
  readFile(path: string): Uint8Array | undefined {
    return this.files.get(path);
  }
  replaceFile(path: string, bytes: Uint8Array): void {
    this.beforeReplace(path);
    this.files.set(path, Uint8Array.from(bytes));
  }
  writeFile(path: string, bytes: Uint8Array): void {
    this.files.set(path, Uint8Array.from(bytes));
  }
  rename(from: string, to: string): void {
    this.files.set(to, this.files.get(from)!);
    this.files.delete(from);
  }
  remove(path: string): void {
    this.files.delete(path);
  }
  removeDirectory(): void {}
  makeDirectory(): void {}
  syncDirectory(): void {}
  list(path: string): string[] {
    return [...this.files.keys()].filter((name) => name.startsWith(`${path}/`)).sort();
  }
  syncInBackground(_paths: readonly string[], done: (error?: unknown) => void): void {
    done();
  }
}
