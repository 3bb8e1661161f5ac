// The worst disk that keeps its promises: in memory, driven by a seed, for tests of everything that stores something.
//
// What it does that a real disk seldom does and always may:
// - writes wait until synced; a crash keeps, loses, tears (at sectors of 512 bytes) and reorders them; sizes of files that
//   grew are anything between, with zeros where the size arrived and the data did not           (simulated-file.ts)
// - created, renamed and removed names wait until their directory is synced                      (simulated-names.ts)
// - any operation is refused, or done in part, or done and reported as failed; a failed sync drops what it should have
//   written, after which syncs succeed                                                         (simulated-process.ts)
// - it fills up, in the middle of a write
//
// Every change is a numbered operation, and so is every step of the compound ones (`replaceFile` has five). A harness runs
// its program once, reads `operations`, and runs it again with a fault at each number. Same seed, same calls: same outcome.
//
//   for (let nth = 1; nth <= total; nth++) {
//     const disk = new SimulatedDisk({ seed });
//     disk.failAt(nth, 'crash');
//     try { program(disk) } catch (error) { if (!(error instanceof SimulatedCrash)) throw error; }
//     checkRecovery(disk.crash());       // or disk.kill(): the process died, the machine did not
//   }
//
// Not simulated: bytes that rot on the platter (write other bytes instead), permissions, hard and symbolic links.

import { posix } from 'node:path';
import { type Disk, DiskError, type DiskFile, type OpenMode } from './disk.ts';
import { diskError } from './disk-error.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedFile, type Survival } from './simulated-file.ts';
import { SimulatedDirectory, SimulatedNames } from './simulated-names.ts';
import { type Effect, type Fault, SimulatedProcess } from './simulated-process.ts';

export interface SimulatedDiskOptions {
  readonly seed: number;
  /** Room for the contents of files, in bytes; names are free. Default: unlimited. */
  readonly capacityBytes?: number;
}

interface BackgroundSync {
  readonly paths: readonly string[];
  readonly done: (error?: unknown) => void;
  /** Number of the operation before which it takes place. */
  readonly dueAt: number;
}

/** How many operations a background sync may take to happen. */
const BACKGROUND_DELAY_MAX = 20;

export class SimulatedDisk implements Disk {
  /** May be changed at any time: an operator frees space, or somebody else fills the disk. */
  capacityBytes: number;
  readonly #names: SimulatedNames;
  readonly #random: SeededRandom;
  readonly #process: SimulatedProcess;
  /** As in `FileDisk`. */
  readonly #durableDirectories = new Set<string>(['/']);
  #background: BackgroundSync[] = [];
  #inBackground = false;
  /** Background syncs that have happened and not yet been reported. */
  #reports: (() => void)[] = [];

  /** `names` is for the disk's own use: what a crash left. */
  constructor(options: SimulatedDiskOptions, names = new SimulatedNames()) {
    this.#random = new SeededRandom(options.seed);
    this.#process = new SimulatedProcess(this.#random);
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY;
    this.#names = names;
  }

  // For the harness

  /** How many changing operations have begun. */
  get operations(): number {
    return this.#process.history.length;
  }

  /** What every operation was, in order: the trace to print beside a failing seed. */
  get history(): readonly string[] {
    return this.#process.history;
  }

  /** How many reads of file contents have begun. */
  get reads(): number {
    return this.#process.reads;
  }

  /** Room taken up by files that have a name. */
  get usedBytes(): number {
    let used = 0;
    for (const [, file] of this.#names.files()) used += file.allocatedBytes;
    return used;
  }

  /** The operation with this number, counted from 1, meets this fault. */
  failAt(operation: number, fault: Fault): void {
    this.#process.failAt(operation, fault);
  }

  /** The read with this number, counted from 1, fails with EIO. */
  failReadAt(read: number): void {
    this.#process.failReadAt(read);
  }

  /**
   * The disk as found after a loss of power. The process that used this one is dead: its further calls throw
   * SimulatedCrash. Call it again for another outcome of the same crash, or say what becomes of what was not synced.
   */
  crash(survival?: Survival): SimulatedDisk {
    this.#process.end('the power was lost');
    return this.#successor((random) => this.#names.crashed(random, survival));
  }

  /** The disk as found after kill -9: every write is there, and still not synced. The process is dead, as after `crash`. */
  kill(): SimulatedDisk {
    this.#process.end('the process was killed');
    return this.clone();
  }

  /** An independent copy to look at or to crash; this one goes on. Planned faults and background syncs are not copied. */
  clone(): SimulatedDisk {
    return this.#successor(() => this.#names.clone());
  }

  /** Every file that a program would see, by path, in no order. */
  files(): Map<string, Uint8Array<ArrayBuffer>> {
    const contents = new Map<string, Uint8Array<ArrayBuffer>>();
    for (const [path, file] of this.#names.files()) contents.set(path, file.content());
    return contents;
  }

  /** Completes all background syncs and calls their `done`, and those of the syncs that these begin. */
  drainBackground(): void {
    // Nobody is there to be told.
    if (!this.#process.isAlive) return;
    do {
      this.#runBackground(Number.POSITIVE_INFINITY);
      this.#report();
    } while (this.#background.length > 0);
  }

  // For the program: Disk

  open(path: string, mode: OpenMode): DiskFile {
    this.#process.assertAlive();
    if (mode === 'create') return this.#openFile(path, this.#create(path), true);
    const file = this.#names.nodeAt(path, 'open file');
    if (file === undefined) throw diskError('ENOENT', 'open file', path);
    if (file instanceof SimulatedDirectory) throw diskError('EISDIR', 'open file', path);
    return this.#openFile(path, file, mode === 'write');
  }

  readFile(path: string): Uint8Array | undefined {
    this.#process.assertAlive();
    const file = this.#names.nodeAt(path, 'read file');
    if (file === undefined) return undefined;
    if (file instanceof SimulatedDirectory) throw diskError('EISDIR', 'read file', path);
    this.#process.read(path);
    return file.content();
  }

  /** In the steps of the real one, as is `makeDirectory`: see `FileDisk`. */
  replaceFile(path: string, bytes: Uint8Array): void {
    this.#process.assertAlive();
    const temporary = `${path}.tmp`;
    try {
      const file = this.#overwrite(temporary, bytes);
      this.#sync(temporary, file);
      this.rename(temporary, path);
    } catch (error) {
      if (error instanceof DiskError) this.#discard(temporary);
      throw error;
    }
    this.syncDirectory(posix.dirname(path));
  }

  writeFile(path: string, bytes: Uint8Array): void {
    this.#process.assertAlive();
    this.#overwrite(path, bytes);
  }

  rename(from: string, to: string): void {
    this.#process.assertAlive();
    const source = this.#names.placeOf(from, 'rename file');
    const target = this.#names.placeOf(to, 'rename file');
    const node = source.directory.names.get(source.name);
    const replaced = target.directory.names.get(target.name);
    if (node === undefined) throw diskError('ENOENT', 'rename file', from);
    if (replaced instanceof SimulatedDirectory && node instanceof SimulatedFile) {
      throw diskError('EISDIR', 'rename file', from);
    }
    this.#operate('rename file', `${from} to ${to}`, { all: () => this.#names.rename(source, target) });
  }

  remove(path: string): void {
    this.#process.assertAlive();
    const node = this.#names.nodeAt(path, 'remove file');
    if (node === undefined) return;
    if (node instanceof SimulatedDirectory) throw diskError('EISDIR', 'remove file', path);
    const place = this.#names.placeOf(path, 'remove file');
    this.#operate('remove file', path, { all: () => this.#names.remove(place) });
  }

  removeDirectory(path: string): void {
    this.#process.assertAlive();
    const node = this.#names.nodeAt(path, 'remove directory');
    if (node === undefined) return;
    if (node instanceof SimulatedFile) throw diskError('ENOTDIR', 'remove directory', path);
    if (node.names.size > 0) return;
    const place = this.#names.placeOf(path, 'remove directory');
    this.#operate('remove directory', path, { all: () => this.#names.remove(place) });
  }

  makeDirectory(path: string): void {
    this.#process.assertAlive();
    this.#makeDirectory(posix.resolve('/', path));
  }

  syncDirectory(path: string): void {
    this.#process.assertAlive();
    const directory = this.#names.directoryAt(path, 'sync directory');
    this.#operate('sync directory', path, { all: () => this.#names.sync(directory) });
  }

  list(path: string): string[] {
    this.#process.assertAlive();
    const node = this.#names.nodeAt(path, 'list directory');
    if (node instanceof SimulatedFile) throw diskError('ENOTDIR', 'list directory', path);
    return [...(node?.names.keys() ?? [])].sort();
  }

  /** Happens within the next operations; `done` is called after that, once no synchronous code runs, or by `drainBackground`. */
  syncInBackground(paths: readonly string[], done: (error?: unknown) => void): void {
    this.#process.assertAlive();
    const dueAt = this.operations + 1 + this.#random.below(BACKGROUND_DELAY_MAX);
    this.#background.push({ paths: [...new Set(paths)], done, dueAt });
  }

  // Steps

  #openFile(path: string, file: SimulatedFile, writable: boolean): DiskFile {
    let closed = false;
    const assertOpen = (action: string, mayDoIt = true): void => {
      this.#process.assertAlive();
      if (closed || !mayDoIt) throw diskError('EBADF', action, path);
    };
    return {
      path,
      size: () => {
        assertOpen('read the size of file');
        return file.size;
      },
      read: (buffer, position) => {
        assertOpen('read file');
        this.#process.read(path);
        return file.read(buffer, position);
      },
      write: (bytes, position) => {
        assertOpen('write file', writable);
        this.#write(path, file, bytes, position);
      },
      truncate: (size) => {
        assertOpen('truncate file', writable);
        this.#truncate(path, file, size);
      },
      sync: () => {
        assertOpen('sync file');
        this.#sync(path, file);
      },
      // Never throws, after a crash neither: a `finally` must not replace the SimulatedCrash that it follows.
      close: () => {
        closed = true;
      },
    };
  }

  #create(path: string): SimulatedFile {
    const place = this.#names.placeOf(path, 'create file');
    if (place.directory.names.has(place.name)) throw diskError('EEXIST', 'create file', path);
    const file = new SimulatedFile();
    this.#operate('create file', path, { all: () => this.#names.set(place, file) });
    return file;
  }

  #overwrite(path: string, bytes: Uint8Array): SimulatedFile {
    let file = this.#names.nodeAt(path, 'write file');
    if (file instanceof SimulatedDirectory) throw diskError('EISDIR', 'write file', path);
    if (file === undefined) file = this.#create(path);
    else this.#truncate(path, file, 0);
    this.#write(path, file, bytes, 0);
    return file;
  }

  #write(path: string, file: SimulatedFile, bytes: Uint8Array, position: number): void {
    const write = (length: number): void => {
      // Not asked without need: it walks over all files.
      const unlimited = this.capacityBytes === Number.POSITIVE_INFINITY;
      const room = unlimited ? this.capacityBytes : this.capacityBytes - this.usedBytes;
      const fitting = file.bytesThatFit(length, position, room);
      file.write(bytes.subarray(0, fitting), position);
      if (fitting < length) throw diskError('ENOSPC', 'write file', path);
    };
    this.#operate('write file', path, {
      all: () => write(bytes.length),
      part: () => write(this.#random.below(bytes.length + 1)),
    });
  }

  #truncate(path: string, file: SimulatedFile, size: number): void {
    this.#operate('truncate file', path, { all: () => file.truncate(size) });
  }

  #sync(path: string, file: SimulatedFile): void {
    this.#operate('sync file', path, {
      all: () => file.sync(),
      drop: () => file.dropUnsynced(this.#random),
    });
  }

  #makeDirectory(path: string): void {
    const existing = this.#names.nodeAt(path, 'make directory');
    if (existing instanceof SimulatedFile) throw diskError('ENOTDIR', 'make directory', path);
    if (existing !== undefined && this.#durableDirectories.has(path)) return;
    const parent = posix.dirname(path);
    if (existing === undefined) {
      this.#makeDirectory(parent);
      const place = this.#names.placeOf(path, 'make directory');
      const made = new SimulatedDirectory();
      this.#operate('make directory', path, { all: () => this.#names.set(place, made) });
    }
    this.syncDirectory(parent);
    this.#durableDirectories.add(path);
  }

  #discard(temporary: string): void {
    try {
      this.remove(temporary);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }

  #operate(action: string, path: string, effect: Effect): void {
    this.#runBackground(this.operations + 1);
    this.#process.operate(action, path, effect);
  }

  #runBackground(operation: number): void {
    // Its own operations do not set off others.
    if (this.#inBackground || this.#background.length === 0) return;
    const due = this.#background.filter(({ dueAt }) => dueAt <= operation);
    if (due.length === 0) return;
    this.#background = this.#background.filter(({ dueAt }) => dueAt > operation);
    this.#inBackground = true;
    try {
      for (const { paths, done } of due) {
        const failure = this.#syncAll(paths);
        this.#reports.push(() => done(failure));
      }
    } finally {
      this.#inBackground = false;
    }
    // Not at once: on a real disk nobody is called back in the middle of a synchronous call.
    queueMicrotask(() => this.#report());
  }

  #syncAll(paths: readonly string[]): unknown {
    try {
      for (const path of paths) {
        const file = this.#names.nodeAt(path, 'sync file');
        if (!(file instanceof SimulatedFile)) throw diskError('ENOENT', 'sync file', path);
        this.#sync(path, file);
      }
      for (const path of new Set(paths.map((path) => posix.dirname(path)))) this.syncDirectory(path);
      return undefined;
    } catch (error) {
      if (error instanceof DiskError) return error;
      throw error;
    }
  }

  #report(): void {
    const reports = this.#reports;
    this.#reports = [];
    for (const report of reports) if (this.#process.isAlive) report();
  }

  #successor(names: (random: SeededRandom) => SimulatedNames): SimulatedDisk {
    const random = this.#random.fork();
    return new SimulatedDisk({ seed: random.uint32(), capacityBytes: this.capacityBytes }, names(random));
  }
}
