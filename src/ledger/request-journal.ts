// The memory of idempotency keys together with its files: one per generation, `requests-<number>` in the cache directory,
//
//   slot[64] slot[64] …                  appended as requests are remembered, synced in the background
//
// `settled.json` says how much of which file was durable when tiles were last settled; everything after that is replayed from
// frames. A file that does not match its digest is not believed: the memory is then rebuilt from the content.

import { createHash, type Hash, hash } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { type RememberedRequest, RequestMemory } from './request-memory.ts';

/** One request as a frame's requests section tells it. */
export interface RequestNote {
  readonly key: string;
  readonly body: string;
  /** Where its records begin among the frame's records. */
  readonly offset: number;
  readonly count: number;
  readonly quarantined: readonly { readonly position: number; readonly reason: string }[];
  readonly time: number;
}

export function encodeRequestNotes(notes: readonly RequestNote[]): Buffer {
  return Buffer.from(JSON.stringify(notes), 'utf8');
}

export function parseRequestNotes(bytes: Uint8Array): RequestNote[] {
  return JSON.parse(Buffer.from(bytes).toString('utf8'));
}

/** How much of a generation's file counts. */
export interface JournalMark {
  readonly number: number;
  readonly bytes: number;
  /** SHA-256 of those bytes, so that a damaged cache is noticed and thrown away. */
  readonly digest: string;
}

export class RequestJournal {
  readonly #disk: Disk;
  readonly #directory: string;
  #memory = new RequestMemory();
  /** What has been written of each generation's file. */
  readonly #written = new Map<number, { bytes: number; readonly digest: Hash }>();

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  find(key: Uint8Array, nowMs: number): RememberedRequest | undefined {
    return this.#memory.find(key, nowMs);
  }

  /** Takes in a frame's requests. `first` and `controls` are the frame's. */
  remember(first: number, controls: number, notes: readonly RequestNote[]): void {
    for (const note of notes) {
      this.#memory.remember({
        key: Buffer.from(note.key, 'hex'),
        body: Buffer.from(note.body, 'hex'),
        first: first + controls + note.offset,
        count: note.count,
        frame: first,
        hasQuarantined: note.quarantined.length > 0,
        timeMs: note.time,
      });
    }
  }

  /** Writes what is new; returns the files that must be synced, and what may be said once they are. */
  write(): { readonly paths: string[]; readonly marks: JournalMark[] } {
    const paths: string[] = [];
    const alive = this.#memory.generations();
    for (const { number, bytes } of alive) {
      const written = this.#written.get(number) ?? { bytes: 0, digest: createHash('sha256') };
      if (written.bytes === bytes.length) continue;
      const path = this.#path(number);
      if (written.bytes === 0) this.#disk.remove(path);
      const file = this.#disk.open(path, written.bytes === 0 ? 'create' : 'write');
      const added = bytes.subarray(written.bytes);
      try {
        file.write(added, written.bytes);
      } finally {
        file.close();
      }
      written.digest.update(added);
      written.bytes = bytes.length;
      this.#written.set(number, written);
      paths.push(path);
    }
    for (const number of this.#written.keys()) {
      if (alive.some((generation) => generation.number === number)) continue;
      this.#disk.remove(this.#path(number));
      this.#written.delete(number);
    }
    const marks = [...this.#written].map(([number, { bytes, digest }]) => {
      return { number, bytes, digest: digest.copy().digest('hex') };
    });
    return { paths, marks };
  }

  restore(marks: readonly JournalMark[]): boolean {
    const stored: { number: number; bytes: Uint8Array }[] = [];
    for (const { number, bytes, digest } of marks) {
      const found = this.#disk.readFile(this.#path(number))?.subarray(0, bytes) ?? new Uint8Array(0);
      if (found.length !== bytes || hash('sha256', found, 'hex') !== digest) return false;
      stored.push({ number, bytes: found });
      this.#written.set(number, { bytes, digest: createHash('sha256').update(found) });
    }
    return this.#memory.restore(stored);
  }

  clear(): void {
    this.#memory = new RequestMemory();
    this.#written.clear();
  }

  #path(number: number): string {
    return `${this.#directory}/requests-${number}`;
  }
}
