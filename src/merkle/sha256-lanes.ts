// SHA-256 of many short messages, four at a time.
//
// A tree hashes nothing but short messages: 34 bytes for a leaf, 65 for a node. For those, node:crypto spends most of its time
// in the call (0.9 µs each), and JavaScript alone is slower still. So the four 32-bit lanes of a WebAssembly vector hold
// the same word of four messages, and one pass over the 64 rounds makes four hashes:
//
//              lane 0      lane 1      lane 2      lane 3
//   word 0   message 0   message 1   message 2   message 3        a … h are vectors too; no lane ever meets another
//   word 1       "           "           "           "
//
// Shapes that look odd and are there for speed:
// - Rounds are unrolled by the emitter, so the eight state variables change names and never move.
// - Messages are read where they lie. A leaf's block is loaded from one byte before its entry, then `keep` cuts away what is
//   not the entry's and `pad` puts in the first byte, the 0x80 and the length; both come from a table by the entry's length.
// - A node's second block holds one byte of message, so there are only 256 of them. Their expanded words, round constants
//   already added, are a table of 64 KiB: no schedule is computed for half of all blocks.
// - Constants come from memory. As immediates, V8 would build each of them from two 64-bit moves.
//
// At the first use both kinds of hash are compared with node:crypto, over every length and every second block there is.

import { hash } from 'node:crypto';
import {
  add,
  and,
  type Code,
  countDown,
  encodeModule,
  get,
  i32,
  type Local,
  load,
  or,
  pick,
  set,
  shiftLeft,
  shiftRight,
  store,
  swapBytes,
  type WasmFunction,
  xor,
} from './wasm-code.ts';

/** Longest entry that fits one block with its prefix, the 0x80 and the length. */
export const LANE_ENTRY_BYTES_MAX = 54;

/** Messages in one call, and the stretch of memory that leaves' entries may lie in. */
const BATCH = 1024;
const STRETCH_BYTES = 128 * 1024;
const HASH_BYTES = 32;
const PAIR_BYTES = 64;
const BLOCK_BYTES = 64;
const LANES = 4;

// Memory. Before the stretch there is always something, because a message is loaded from one byte before it.
const ROUND_CONSTANTS = 0; // 64 × 4 equal lanes
const INITIAL_STATE = ROUND_CONSTANTS + 64 * 16; // 8 × 4 equal lanes
const NODE_PREFIX = INITIAL_STATE + 8 * 16; // keep and pad of a node's first 16 bytes
const LEAF_FRAMES = NODE_PREFIX + 2 * 16; // for each length: keep[64], pad[64]
const SECOND_BLOCKS = LEAF_FRAMES + (LANE_ENTRY_BYTES_MAX + 1) * 2 * BLOCK_BYTES; // for each last byte: 64 words
const STARTS = SECOND_BLOCKS + 256 * 256;
const ENDS = STARTS + 4 * BATCH;
const HASHES = ENDS + 4 * BATCH;
const STRETCH = HASHES + HASH_BYTES * BATCH;
const PAGES = Math.ceil((STRETCH + STRETCH_BYTES + BLOCK_BYTES) / 65_536);

export interface Sha256Lanes {
  /** Leaf hashes of these entries of `bytes`; those too long for one block are left to `other`. */
  hashLeaves(
    bytes: Uint8Array,
    starts: Uint32Array,
    ends: Uint32Array,
    other: (entry: Uint8Array) => Uint8Array,
  ): Uint8Array<ArrayBuffer>;
  hashNodes(pairs: Uint8Array): Uint8Array<ArrayBuffer>;
}

/** Undefined where this runtime has no WebAssembly vectors, or where they do not hash as node:crypto does. */
export function loadSha256Lanes(): Sha256Lanes | undefined {
  const code = encodeModule([leavesFunction(), nodesFunction()], PAGES);
  if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(code)) return undefined;
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  fillTables(memory.buffer);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } });
  const lanes = bind(memory.buffer, exports);
  return hashesAsNodeDoes(lanes) ? lanes : undefined;
}

/** What we use of a global that neither the language's nor Node's types declare. */
declare const WebAssembly: {
  validate(code: Uint8Array): boolean;
  Memory: new (pages: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  Module: new (code: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: Exports };
};

interface Exports {
  /** `count` is a multiple of four, and not 0. */
  leaves(count: number): void;
  nodes(count: number): void;
}

function bind(memory: ArrayBuffer, { leaves, nodes }: Exports): Sha256Lanes {
  const stretch = new Uint8Array(memory, STRETCH, STRETCH_BYTES);
  const output = new Uint8Array(memory, HASHES, HASH_BYTES * BATCH);
  const messageStarts = new Uint32Array(memory, STARTS, BATCH);
  const messageEnds = new Uint32Array(memory, ENDS, BATCH);
  const fill = (count: number) => Math.ceil(count / LANES) * LANES;

  return {
    hashLeaves(bytes, starts, ends, other) {
      const count = starts.length;
      const hashes = new Uint8Array(count * HASH_BYTES);
      for (let first = 0; first < count; ) {
        // As many entries as fit the stretch. One that is longer than the stretch ends up alone, with nothing copied.
        const base = starts[first]!;
        let stretchEnd = base;
        let end = first;
        while (
          end < count &&
          end - first < BATCH &&
          starts[end]! >= base &&
          ends[end]! - base <= STRETCH_BYTES
        ) {
          const isShort = ends[end]! - starts[end]! <= LANE_ENTRY_BYTES_MAX;
          const at = STRETCH + starts[end]! - base;
          messageStarts[end - first] = at;
          messageEnds[end - first] = isShort ? STRETCH + ends[end]! - base : at;
          stretchEnd = Math.max(stretchEnd, ends[end]!);
          end++;
        }
        const size = end - first;
        if (size === 0) end++;
        else {
          stretch.set(bytes.subarray(base, stretchEnd));
          messageStarts.fill(STRETCH, size, fill(size));
          messageEnds.fill(STRETCH, size, fill(size));
          leaves(fill(size));
          hashes.set(output.subarray(0, size * HASH_BYTES), first * HASH_BYTES);
        }
        for (let i = first; i < end; i++) {
          if (ends[i]! - starts[i]! <= LANE_ENTRY_BYTES_MAX) continue;
          hashes.set(other(bytes.subarray(starts[i], ends[i])), i * HASH_BYTES);
        }
        first = end;
      }
      return hashes;
    },

    hashNodes(pairs) {
      const count = pairs.length / PAIR_BYTES;
      const hashes = new Uint8Array(count * HASH_BYTES);
      for (let first = 0; first < count; first += BATCH) {
        const size = Math.min(BATCH, count - first);
        stretch.set(pairs.subarray(first * PAIR_BYTES, (first + size) * PAIR_BYTES));
        // Lanes beyond the last pair hash what an earlier call has left there; nobody reads the result.
        nodes(fill(size));
        hashes.set(output.subarray(0, size * HASH_BYTES), first * HASH_BYTES);
      }
      return hashes;
    },
  };
}

function hashesAsNodeDoes(lanes: Sha256Lanes): boolean {
  const sha256 = (prefix: number, message: Uint8Array) =>
    hash('sha256', Buffer.concat([Buffer.of(prefix), message]), 'buffer');
  const other = (entry: Uint8Array) => sha256(0x00, entry);
  const sample = Uint8Array.from({ length: 256 * PAIR_BYTES }, (_, i) => (i * 167 + (i >> 6)) & 0xff);
  for (let last = 0; last < 256; last++) sample[last * PAIR_BYTES + 63] = last;

  const starts = Uint32Array.from({ length: LANE_ENTRY_BYTES_MAX + 1 }, (_, length) => 100 * length);
  const ends = starts.map((start, length) => start + length);
  const leaves = lanes.hashLeaves(sample, starts, ends, other);
  const nodes = lanes.hashNodes(sample);
  const equal = (hashes: Uint8Array, i: number, expected: Uint8Array) =>
    Buffer.compare(hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES), expected) === 0;
  return (
    starts.every((start, i) => equal(leaves, i, other(sample.subarray(start, ends[i])))) &&
    Array.from({ length: 256 }, (_, i) => sample.subarray(i * PAIR_BYTES, (i + 1) * PAIR_BYTES)).every(
      (pair, i) => equal(nodes, i, sha256(0x01, pair)),
    )
  );
}

// SHA-256 (FIPS 180-4) over vectors. Locals of both functions: the parameter, addresses, then vectors.

const COUNT: Local = 0;
const INPUT: Local = 1;
const OUTPUT: Local = 2;
/** Of each lane: where its message or its row of second blocks begins, and where its keep and pad are. */
const MESSAGE: readonly Local[] = [3, 4, 5, 6];
const FRAME: readonly Local[] = [7, 8, 9, 10];
const I32_LOCALS = 10;
const WORD = vectors(0, 16);
const STATE = vectors(16, 8);
/** The state before a block, to be added after it; outside of the rounds, room for transposing. */
const BEFORE = vectors(24, 8);
const T1 = vectors(32, 1)[0]!;
const PAIRWISE = vectors(33, 2);
const V128_LOCALS = 35;
const ZERO = i32.constant(0);

function vectors(first: number, count: number): readonly Local[] {
  return Array.from({ length: count }, (_, i) => 1 + I32_LOCALS + first + i);
}

function leavesFunction(): WasmFunction {
  const stretchOfLane = (lane: number, part: number): Code =>
    or(
      and(load(get(MESSAGE[lane]!), 16 * part), load(get(FRAME[lane]!), LEAF_FRAMES + 16 * part)),
      load(get(FRAME[lane]!), LEAF_FRAMES + BLOCK_BYTES + 16 * part),
    );
  const addresses = MESSAGE.map((message, lane): Code => {
    const start = i32.load(get(INPUT), STARTS + 4 * lane);
    const length = i32.subtract(i32.load(get(INPUT), ENDS + 4 * lane), start);
    return [
      ...set(message, i32.subtract(start, i32.constant(1))),
      ...set(FRAME[lane]!, i32.shiftLeft(length, Math.log2(2 * BLOCK_BYTES))),
    ];
  });
  const four: Code = [
    ...addresses.flat(),
    ...loadBlock(stretchOfLane),
    ...setInitialState(),
    ...rounds(scheduledWord, schedule),
    ...addToState((i) => load(ZERO, INITIAL_STATE + 16 * i)),
    ...storeHashes(),
    ...set(INPUT, i32.add(get(INPUT), i32.constant(4 * LANES))),
  ];
  return { name: 'leaves', ...LOCALS, body: countDown(COUNT, LANES, four) };
}

function nodesFunction(): WasmFunction {
  const pairOfLane = (lane: number, part: number): Code => {
    const bytes = load(get(INPUT), STRETCH - 1 + PAIR_BYTES * lane + 16 * part);
    return part > 0 ? bytes : or(and(bytes, load(ZERO, NODE_PREFIX)), load(ZERO, NODE_PREFIX + 16));
  };
  const secondBlocks = MESSAGE.map((row, lane) =>
    set(row, i32.shiftLeft(i32.loadByte(get(INPUT), STRETCH + 63 + PAIR_BYTES * lane), Math.log2(256))),
  );
  const four: Code = [
    ...loadBlock(pairOfLane),
    ...setInitialState(),
    ...rounds(scheduledWord, schedule),
    ...addToState((i) => load(ZERO, INITIAL_STATE + 16 * i)),
    ...BEFORE.flatMap((before, i) => set(before, get(STATE[i]!))),
    ...secondBlocks.flat(),
    ...rounds(tabledWord, loadTabledWords),
    ...addToState((i) => get(BEFORE[i]!)),
    ...storeHashes(),
    ...set(INPUT, i32.add(get(INPUT), i32.constant(PAIR_BYTES * LANES))),
  ];
  return { name: 'nodes', ...LOCALS, body: countDown(COUNT, LANES, four) };
}

const LOCALS = { parameters: 1, i32Locals: I32_LOCALS, v128Locals: V128_LOCALS } as const;

/** Sixteen words of each lane's block, from its four parts of 16 bytes. */
function loadBlock(partOfLane: (lane: number, part: number) => Code): Code {
  const rows = BEFORE.slice(0, 4);
  return [0, 1, 2, 3].flatMap((part) => [
    ...rows.flatMap((row, lane) => [...set(row, partOfLane(lane, part)), ...set(row, swapBytes(row))]),
    ...transpose(rows, BEFORE.slice(4), WORD.slice(4 * part, 4 * part + 4)),
  ]);
}

/** Four vectors of four words of one lane ↔ four vectors of one word of four lanes. */
function transpose(from: readonly Local[], between: readonly Local[], to: readonly Local[]): Code {
  const zip = (
    from: readonly Local[],
    to: readonly Local[],
    low: readonly number[],
    high: readonly number[],
  ) =>
    [0, 2].flatMap((i) => [
      ...set(to[i]!, pick(get(from[i / 2]!), get(from[i / 2 + 2]!), low)),
      ...set(to[i + 1]!, pick(get(from[i / 2]!), get(from[i / 2 + 2]!), high)),
    ]);
  return [...zip(from, between, [0, 4, 1, 5], [2, 6, 3, 7]), ...zip(between, to, [0, 4, 1, 5], [2, 6, 3, 7])];
}

function setInitialState(): Code {
  return STATE.flatMap((state, i) => set(state, load(ZERO, INITIAL_STATE + 16 * i)));
}

function addToState(term: (i: number) => Code): Code {
  return STATE.flatMap((state, i) => set(state, add(get(state), term(i))));
}

/** Writes each lane's state as 32 bytes, one after the other. */
function storeHashes(): Code {
  const halves = [0, 1].flatMap((half) => {
    const rows = WORD.slice(8 * half, 8 * half + 4);
    return [
      ...transpose(STATE.slice(4 * half, 4 * half + 4), BEFORE.slice(0, 4), rows),
      ...rows.flatMap((row, lane) =>
        store(get(OUTPUT), swapBytes(row), HASHES + HASH_BYTES * lane + 16 * half),
      ),
    ];
  });
  return [...halves, ...set(OUTPUT, i32.add(get(OUTPUT), i32.constant(HASH_BYTES * LANES)))];
}

/**
 * The 64 rounds. `word(t)` is the t-th word of the expanded message with the t-th round constant added; `prepare(t)` does
 * what has to be done for it before.
 */
function rounds(word: (t: number) => Code, prepare: (t: number) => Code): Code {
  let [a, b, c, d, e, f, g, h] = STATE as Names;
  let [aXorB, bXorC] = PAIRWISE as [Local, Local];
  const code: Code[] = [set(bXorC, xor(get(b), get(c)))];
  for (let t = 0; t < 64; t++) {
    // choice = (e ∧ f) ⊕ (¬e ∧ g) and majority = (a ∧ b) ⊕ (a ∧ c) ⊕ (b ∧ c), each with one operation less.
    // One round's b ⊕ c is the a ⊕ b of the round before.
    const choice = xor(get(g), and(get(e), xor(get(f), get(g))));
    const majority = xor(get(b), and(get(aXorB), get(bXorC)));
    code.push(
      prepare(t),
      set(T1, add(get(h), word(t), choice, xor(...rotate(e, 6), ...rotate(e, 11), ...rotate(e, 25)))),
      set(d, add(get(d), get(T1))),
      set(aXorB, xor(get(a), get(b))),
      set(h, add(get(T1), majority, xor(...rotate(a, 2), ...rotate(a, 13), ...rotate(a, 22)))),
    );
    [a, b, c, d, e, f, g, h] = [h, a, b, c, d, e, f, g];
    [aXorB, bXorC] = [bXorC, aXorB];
  }
  // After 64 rounds every variable has its first name again.
  return code.flat();
}

type Names = [Local, Local, Local, Local, Local, Local, Local, Local];

/** The two halves of a word turned right, to be joined by ⊕. */
function rotate(word: Local, bits: number): readonly Code[] {
  return [shiftRight(get(word), bits), shiftLeft(get(word), 32 - bits)];
}

const word = (t: number): Local => WORD[t % 16]!;

function scheduledWord(t: number): Code {
  return add(get(word(t)), load(ZERO, ROUND_CONSTANTS + 16 * t));
}

/** Each word of the schedule takes the place of the one sixteen before it. */
function schedule(t: number): Code {
  if (t < 16) return [];
  const [early, late] = [word(t - 15), word(t - 2)];
  const sigma0 = xor(...rotate(early, 7), ...rotate(early, 18), shiftRight(get(early), 3));
  const sigma1 = xor(...rotate(late, 17), ...rotate(late, 19), shiftRight(get(late), 10));
  return set(word(t), add(get(word(t)), sigma0, get(word(t - 7)), sigma1));
}

function tabledWord(t: number): Code {
  return get(WORD[t % 4]!);
}

function loadTabledWords(t: number): Code {
  if (t % 4 !== 0) return [];
  const rows = WORD.slice(4, 8);
  return [
    ...rows.flatMap((row, lane) => set(row, load(get(MESSAGE[lane]!), SECOND_BLOCKS + 4 * t))),
    ...transpose(rows, WORD.slice(8, 12), WORD.slice(0, 4)),
  ];
}

function fillTables(memory: ArrayBuffer): void {
  const bytes = new Uint8Array(memory);
  const view = new DataView(memory);
  const setLanes = (at: number, word: number) => {
    for (let lane = 0; lane < LANES; lane++) view.setUint32(at + 4 * lane, word, true);
  };
  for (const [t, k] of K.entries()) setLanes(ROUND_CONSTANTS + 16 * t, k);
  for (const [i, h] of H.entries()) setLanes(INITIAL_STATE + 16 * i, h);
  bytes.fill(0xff, NODE_PREFIX + 1, NODE_PREFIX + 16);
  bytes[NODE_PREFIX + 16] = 0x01;
  for (let length = 0; length <= LANE_ENTRY_BYTES_MAX; length++) {
    const keep = LEAF_FRAMES + length * 2 * BLOCK_BYTES;
    const pad = keep + BLOCK_BYTES;
    bytes.fill(0xff, keep + 1, keep + 1 + length);
    bytes[pad + 1 + length] = 0x80;
    view.setUint32(pad + 60, 8 * (1 + length));
  }
  for (let last = 0; last < 256; last++) {
    for (const [t, word] of secondBlock(last).entries()) {
      view.setUint32(SECOND_BLOCKS + 256 * last + 4 * t, word + K[t]!, true);
    }
  }
}

/** The expanded words of a node's second block: one byte of the right hash, 0x80, and the length of 65 bytes. */
function secondBlock(last: number): readonly number[] {
  const words = new Uint32Array(64);
  words[0] = (last << 24) | 0x80_0000;
  words[15] = 8 * 65;
  const turn = (x: number, bits: number) => (x >>> bits) | (x << (32 - bits));
  for (let t = 16; t < 64; t++) {
    const [early, late] = [words[t - 15]!, words[t - 2]!];
    const sigma0 = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3);
    const sigma1 = turn(late, 17) ^ turn(late, 19) ^ (late >>> 10);
    words[t] = words[t - 16]! + sigma0 + words[t - 7]! + sigma1;
  }
  return [...words];
}

// FIPS 180-4, 4.2.2 and 5.3.3: fractional parts of the cube roots of the first 64 primes, of the square roots of the first 8.
// biome-ignore format: a table
const K = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];
const H = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
