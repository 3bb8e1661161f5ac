// One file of the simulated disk: what programs read (the page cache) and what is on the platter beneath it.
//
//   page cache   ████████████████████████████      #bytes, #size
//   platter      ████████▒▒▒▒████▒▒▒▒              where a sector differs or may differ, #pasts knows what it was
//
// Only sectors that are not known to be on the platter are remembered, each with the contents it had before each of the
// latest writes; files are never copied because of a write. A sector (512 bytes) is written whole or not at all, which is
// what drives promise; nothing else is promised: sectors of one write arrive in any order, or some of them never.

import type { SeededRandom } from './seeded-random.ts';

export const SECTOR_BYTES = 512;

/** How many sizes since the last sync are told apart; beyond that, appends run together into one range. */
const SIZES_MAX = 16;

/** How many earlier contents of a sector may turn up after a crash. The one on the platter is always among them. */
const PASTS_MAX = 4;

/** What becomes of changes that were not synced when the power goes. */
export type Survival = 'nothing' | 'everything' | 'prefix' | 'some';

/** Where nobody says which: mostly the ones that leave a mixture. */
export function randomSurvival(random: SeededRandom): Survival {
  return random.pick(['nothing', 'everything', 'prefix', 'prefix', 'some', 'some', 'some', 'some']);
}

/** How likely a change is to survive where `some` do: nearly none, nearly all, or anything between. */
export function randomLikelihood(random: SeededRandom): number {
  return random.pick([0.1, 0.5, 0.5, 0.9]);
}

interface SectorPast {
  /** Oldest first, the platter's own first of all; undefined stands for zeros. */
  readonly contents: (Uint8Array | undefined)[];
  /** A failed sync has marked the page clean without writing it: later syncs pass over it. Ends with the next write. */
  dropped: boolean;
}

/** Sizes that the file may be found to have: any between the ends, which are equal for a truncation. */
interface SizeRange {
  from: number;
  to: number;
}

export class SimulatedFile {
  /** Zero beyond `#size`, always: a file that grows again must not show what was cut off. */
  #bytes: Uint8Array;
  #size: number;
  /** Whether `#bytes` is also another disk's (a clone's): copied before the next change. */
  #shared: boolean;
  /** By sector, 1 where it takes up room: a hole does not. */
  #allocated: Uint8Array;
  #allocatedSectors: number;
  #pasts = new Map<number, SectorPast>();
  /** The platter's own size first, then every size since the last sync. */
  #sizes: SizeRange[];

  constructor(bytes: Uint8Array = new Uint8Array(0), shared = false) {
    this.#bytes = bytes;
    this.#size = bytes.length;
    this.#shared = shared;
    this.#allocated = new Uint8Array(sectorsIn(bytes.length)).fill(1);
    this.#allocatedSectors = this.#allocated.length;
    this.#sizes = [{ from: bytes.length, to: bytes.length }];
  }

  get size(): number {
    return this.#size;
  }

  get allocatedBytes(): number {
    return this.#allocatedSectors * SECTOR_BYTES;
  }

  read(buffer: Uint8Array, position: number): number {
    const end = Math.min(this.#size, position + buffer.length);
    if (end <= position) return 0;
    buffer.set(this.#bytes.subarray(position, end));
    return end - position;
  }

  /** A copy of the whole content. */
  content(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#bytes.subarray(0, this.#size));
  }

  /** How many of `length` bytes at `position` fit where only `roomBytes` more may be allocated. */
  bytesThatFit(length: number, position: number, roomBytes: number): number {
    let room = Math.floor(roomBytes / SECTOR_BYTES);
    const end = position + length;
    for (let at = position; at < end; at = nextSector(at)) {
      if (this.#allocated[sectorOf(at)] === 1) continue;
      if (room <= 0) return at - position;
      room--;
    }
    return length;
  }

  write(bytes: Uint8Array, position: number): void {
    if (bytes.length === 0) return;
    const end = position + bytes.length;
    this.#makeWritable(end);
    for (let sector = sectorOf(position); sector * SECTOR_BYTES < end; sector++) {
      this.#remember(sector);
      this.#allocatedSectors += 1 - (this.#allocated[sector] as number);
      this.#allocated[sector] = 1;
    }
    this.#bytes.set(bytes, position);
    if (end > this.#size) {
      const last = this.#sizes.at(-1) as SizeRange;
      if (this.#sizes.length >= SIZES_MAX && last.to === this.#size) last.to = end;
      else this.#sizes.push({ from: this.#size, to: end });
      this.#size = end;
    }
  }

  truncate(size: number): void {
    if (size < this.#size) {
      this.#makeWritable(this.#size);
      for (let sector = sectorOf(size); sector * SECTOR_BYTES < this.#size; sector++) this.#remember(sector);
      for (let sector = sectorsIn(size); sector * SECTOR_BYTES < this.#size; sector++) {
        this.#allocatedSectors -= this.#allocated[sector] as number;
        this.#allocated[sector] = 0;
      }
      this.#bytes.fill(0, size, this.#size);
    } else {
      this.#makeWritable(size);
    }
    this.#size = size;
    this.#sizes.push({ from: size, to: size });
  }

  /** All of it is on the platter now, but for pages that an earlier failed sync has dropped. */
  sync(): void {
    for (const [sector, past] of this.#pasts) if (!past.dropped) this.#pasts.delete(sector);
    this.#sizes = [{ from: this.#size, to: this.#size }];
  }

  /**
   * A sync that fails the way Linux has it: some pages arrived, the others did not, all are marked clean. Reads go on to
   * show the new content, later syncs succeed, and the content is gone once the cache is. The size is journalled apart
   * from the pages and stays to be written.
   */
  dropUnsynced(random: SeededRandom): void {
    const arrival = random.pick([0, 0.5, 0.9]);
    for (const [sector, past] of this.#pasts) {
      if (past.dropped) continue;
      if (random.chance(arrival)) {
        this.#pasts.delete(sector);
      } else {
        past.contents.length = 1;
        past.dropped = true;
      }
    }
  }

  /** The file as it is found after the power came back. */
  crashed(random: SeededRandom, survival: Survival): SimulatedFile {
    if (this.#pasts.size === 0 && this.#sizes.length === 1) return this.#twin();
    const size = this.#crashedSize(random, survival);
    const found = new Uint8Array(size);
    found.set(this.#bytes.subarray(0, Math.min(size, this.#size)));
    const likelihood = randomLikelihood(random);
    const firstLost = random.below(this.#pasts.size + 1);
    let nth = 0;
    for (const [sector, past] of this.#pasts) {
      const arrived =
        !past.dropped &&
        (survival === 'everything' ||
          (survival === 'prefix' && nth < firstLost) ||
          (survival === 'some' && random.chance(likelihood)));
      nth++;
      if (arrived || sector * SECTOR_BYTES >= size) continue;
      const content = survival === 'some' ? random.pick(past.contents) : past.contents[0];
      const start = sector * SECTOR_BYTES;
      const room = found.subarray(start, start + SECTOR_BYTES);
      // The last sector of a file is kept without the zeros that follow.
      room.fill(0);
      if (content !== undefined) room.set(content.subarray(0, room.length));
    }
    return new SimulatedFile(found);
  }

  #crashedSize(random: SeededRandom, survival: Survival): number {
    if (survival === 'nothing') return (this.#sizes[0] as SizeRange).to;
    if (survival === 'everything') return this.#size;
    // Anything between is legal; but holes need the size to have arrived, and most mistakes are at the ends.
    if (random.chance(0.5)) return this.#size;
    const { from, to } = random.pick(this.#sizes);
    return random.pick([from, to, from + random.below(to - from + 1)]);
  }

  /** The same file, unsynced changes included, for another disk to go on with. */
  clone(): SimulatedFile {
    const twin = this.#twin();
    // `contents` lists change later, the contents themselves never do.
    for (const [sector, past] of this.#pasts) {
      twin.#pasts.set(sector, { contents: [...past.contents], dropped: past.dropped });
    }
    twin.#sizes = this.#sizes.map((range) => ({ ...range }));
    twin.#allocated = this.#allocated.slice(0, sectorsIn(this.#size));
    twin.#allocatedSectors = this.#allocatedSectors;
    return twin;
  }

  /** Same content, nothing to sync, one buffer for both until either changes. */
  #twin(): SimulatedFile {
    this.#shared = true;
    return new SimulatedFile(this.#bytes.subarray(0, this.#size), true);
  }

  /** Keeps what a sector holds before it is changed. */
  #remember(sector: number): void {
    const past = this.#pasts.get(sector);
    if (past?.dropped) {
      past.dropped = false;
      return;
    }
    const start = sector * SECTOR_BYTES;
    const content = start < this.#size ? this.#bytes.slice(start, start + SECTOR_BYTES) : undefined;
    if (past === undefined) {
      this.#pasts.set(sector, { contents: [content], dropped: false });
      return;
    }
    if (past.contents.length === PASTS_MAX) past.contents.splice(1, 1);
    past.contents.push(content);
  }

  #makeWritable(size: number): void {
    if (size > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(size, this.#bytes.length * 2, 4096));
      grown.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = grown;
      const allocated = new Uint8Array(sectorsIn(grown.length));
      allocated.set(this.#allocated);
      this.#allocated = allocated;
    } else if (this.#shared) {
      this.#bytes = this.#bytes.slice();
    }
    this.#shared = false;
  }
}

function sectorOf(position: number): number {
  return Math.floor(position / SECTOR_BYTES);
}

function sectorsIn(bytes: number): number {
  return Math.ceil(bytes / SECTOR_BYTES);
}

function nextSector(position: number): number {
  return (sectorOf(position) + 1) * SECTOR_BYTES;
}
