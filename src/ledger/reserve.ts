// Room that is kept for the custody ledger on a full disk: a file of zeros in its cache directory that is removed when there is
// no room left, so that who read what, and what was purged, can still be recorded. It is made again when there is room.

import { type Disk, DiskError } from '../disk/disk.ts';

const CHUNK_BYTES = 1024 * 1024;
/** A full disk that has just found room should give it to the ledgers first. */
const RESTORE_INTERVAL_MS = 30_000;

export class Reserve {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #bytes: number;
  readonly #nowMs: () => number;
  #isHeld = false;
  #triedAt = Number.NEGATIVE_INFINITY;

  constructor(options: { disk: Disk; path: string; bytes: number; nowMs: () => number }) {
    this.#disk = options.disk;
    this.#path = options.path;
    this.#bytes = options.bytes;
    this.#nowMs = options.nowMs;
  }

  /** Gives the room away. False where there was none to give. */
  release(): boolean {
    if (!this.#isHeld) return false;
    this.#disk.remove(this.#path);
    this.#isHeld = false;
    this.#triedAt = this.#nowMs();
    return true;
  }

  /** Makes sure that the room is held; now and then, and without an error where there is none. */
  restore(): void {
    const now = this.#nowMs();
    if (this.#isHeld || now - this.#triedAt < RESTORE_INTERVAL_MS) return;
    this.#triedAt = now;
    try {
      this.#allocate();
      this.#isHeld = true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#disk.remove(this.#path);
    }
  }

  #allocate(): void {
    this.#disk.remove(this.#path);
    const file = this.#disk.open(this.#path, 'create');
    try {
      // Written and not only made longer: a hole takes no room.
      const zeros = new Uint8Array(CHUNK_BYTES);
      for (let at = 0; at < this.#bytes; at += CHUNK_BYTES) file.write(zeros, at);
      file.sync();
    } finally {
      file.close();
    }
  }
}
