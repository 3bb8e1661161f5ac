// What is remembered of requests that carried an idempotency key, so that a retry adds nothing and gets the same answer: for
// 24 hours or a million keys, whichever ends first, and across restarts.
//
// The truth is in the frames' requests sections. This is a table over them: fixed slots in a few generations of typed arrays
// (a million JavaScript objects would cost three times the memory and long pauses), the oldest generation dropped whole.
// Each generation is written, in the order of its slots, to a file of its own in the cache directory.

export interface RememberedRequest {
  /** 16-byte digest of principal and key, and of the body. */
  readonly key: Uint8Array;
  readonly body: Uint8Array;
  readonly first: number;
  readonly count: number;
  /** First index of the frame that holds the request: where the reasons of quarantined items can be read again. */
  readonly frame: number;
  readonly hasQuarantined: boolean;
  readonly timeMs: number;
}

/** A slot: key 16, body 16, first 8, frame 8, time 8, count 4, flags 4. */
export const SLOT_BYTES = 64;
const GENERATION_SLOTS = 262_144;
/** Four full ones and the one being filled: never fewer than a million keys once that many were seen. */
const GENERATIONS = 5;
const LIFETIME_MS = 24 * 3600 * 1000;

interface Generation {
  /** Grows by doubling; `count` slots are used. */
  slots: Buffer;
  count: number;
  /** Open addressing over the slots: slot number + 1, or 0. A power of two, at least twice the number of slots. */
  table: Int32Array;
  readonly number: number;
}

export class RequestMemory {
  #generations: Generation[] = [newGeneration(0)];

  find(key: Uint8Array, nowMs: number): RememberedRequest | undefined {
    for (let g = this.#generations.length - 1; g >= 0; g--) {
      const generation = this.#generations[g]!;
      const slot = findSlot(generation, key);
      if (slot < 0) continue;
      const request = readSlot(generation.slots, slot);
      return nowMs - request.timeMs > LIFETIME_MS ? undefined : request;
    }
    return undefined;
  }

  remember(request: RememberedRequest): void {
    let generation = this.#generations.at(-1)!;
    if (generation.count === GENERATION_SLOTS) {
      generation = newGeneration(generation.number + 1);
      this.#generations.push(generation);
      if (this.#generations.length > GENERATIONS) this.#generations.shift();
    }
    if ((generation.count + 1) * SLOT_BYTES > generation.slots.length) grow(generation);
    writeSlot(generation.slots, generation.count, request);
    insert(generation, generation.count);
    generation.count++;
  }

  /** The generations that are alive, oldest first: their numbers and the bytes of their slots. */
  generations(): { readonly number: number; readonly bytes: Buffer }[] {
    return this.#generations.map(({ number, slots, count }) => ({
      number,
      bytes: slots.subarray(0, count * SLOT_BYTES),
    }));
  }

  /** Takes in stored generations, oldest first. Bytes that cannot be whole generations are refused. */
  restore(stored: readonly { readonly number: number; readonly bytes: Uint8Array }[]): boolean {
    const sound = stored.every(
      ({ bytes }) => bytes.length % SLOT_BYTES === 0 && bytes.length <= GENERATION_SLOTS * SLOT_BYTES,
    );
    if (!sound) return false;
    if (stored.length === 0) return true;
    this.#generations = stored.map(({ number, bytes }) => {
      const generation = newGeneration(number);
      const count = bytes.length / SLOT_BYTES;
      while (generation.slots.length < bytes.length) grow(generation);
      generation.slots.set(bytes);
      for (let slot = 0; slot < count; slot++) insert(generation, slot);
      generation.count = count;
      return generation;
    });
    return true;
  }
}

const SLOTS_AT_FIRST = 1024;

function newGeneration(number: number): Generation {
  return {
    number,
    slots: Buffer.alloc(SLOTS_AT_FIRST * SLOT_BYTES),
    count: 0,
    table: new Int32Array(2 * SLOTS_AT_FIRST),
  };
}

function grow(generation: Generation): void {
  const slots = Buffer.alloc(2 * generation.slots.length);
  slots.set(generation.slots);
  generation.slots = slots;
  generation.table = new Int32Array((2 * slots.length) / SLOT_BYTES);
  for (let slot = 0; slot < generation.count; slot++) insert(generation, slot);
}

/** The key is itself a digest, so four of its bytes are as good as any hash. */
function insert(generation: Generation, slot: number): void {
  const mask = generation.table.length - 1;
  let at = generation.slots.readUInt32LE(slot * SLOT_BYTES) & mask;
  while (generation.table[at] !== 0) at = (at + 1) & mask;
  generation.table[at] = slot + 1;
}

/** The newest slot with this key, or -1. Equal keys stand in insertion order along the probe sequence. */
function findSlot(generation: Generation, key: Uint8Array): number {
  const mask = generation.table.length - 1;
  const wanted = Buffer.from(key.buffer, key.byteOffset, 16);
  let found = -1;
  for (let at = wanted.readUInt32LE(0) & mask; generation.table[at] !== 0; at = (at + 1) & mask) {
    const slot = generation.table[at]! - 1;
    const start = slot * SLOT_BYTES;
    if (wanted.compare(generation.slots, start, start + 16) === 0) found = slot;
  }
  return found;
}

function writeSlot(slots: Buffer, slot: number, request: RememberedRequest): void {
  const at = slot * SLOT_BYTES;
  slots.set(request.key, at);
  slots.set(request.body, at + 16);
  slots.writeDoubleBE(request.first, at + 32);
  slots.writeDoubleBE(request.frame, at + 40);
  slots.writeDoubleBE(request.timeMs, at + 48);
  slots.writeUInt32BE(request.count, at + 56);
  slots.writeUInt32BE(request.hasQuarantined ? 1 : 0, at + 60);
}

function readSlot(slots: Buffer, slot: number): RememberedRequest {
  const at = slot * SLOT_BYTES;
  return {
    key: slots.subarray(at, at + 16),
    body: slots.subarray(at + 16, at + 32),
    first: slots.readDoubleBE(at + 32),
    frame: slots.readDoubleBE(at + 40),
    timeMs: slots.readDoubleBE(at + 48),
    count: slots.readUInt32BE(at + 56),
    hasQuarantined: slots.readUInt32BE(at + 60) === 1,
  };
}
