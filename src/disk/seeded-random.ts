// Randomness that can be had again: the same seed gives the same numbers on every machine, so that a failing simulation is
// reproduced by its seed alone. It decides what a simulated crash destroys; it must never make a key, a salt or an id.
//
// The generator is Chris Doty-Humphrey's sfc32 (128 bits of state, period at least 2^32, passes PractRand), seeded by
// splitmix32, which turns neighbouring seeds (1, 2, 3 …) into unrelated states.

export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** `seed` is a whole number from 0 to 2^53 − 1. */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new RangeError(
        `Cannot seed randomness: seed is ${seed}, expected a whole number from 0 to 2^53 - 1.`,
      );
    }
    let state = seed >>> 0;
    const splitmix32 = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let mixed = state ^ (state >>> 16);
      mixed = Math.imul(mixed, 0x21f0aaad);
      mixed ^= mixed >>> 15;
      mixed = Math.imul(mixed, 0x735a2d97);
      return mixed ^ (mixed >>> 15);
    };
    this.#a = splitmix32();
    state ^= Math.floor(seed / 2 ** 32);
    this.#b = splitmix32();
    this.#c = splitmix32();
    // sfc32 needs a few rounds until every bit of the state depends on every bit of the seed.
    for (let round = 0; round < 12; round++) this.uint32();
  }

  /** 0 … 2^32 − 1 */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** 0 … bound − 1. Not free of bias for bounds near 2^32, which no simulation notices. */
  below(bound: number): number {
    return Math.floor((this.uint32() / 2 ** 32) * bound);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.uint32() < probability * 2 ** 32;
  }

  pick<T>(choices: readonly T[]): T {
    if (choices.length === 0)
      throw new RangeError('Cannot pick: the list is empty, expected at least one choice.');
    return choices[this.below(choices.length)] as T;
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at++) bytes[at] = this.uint32();
    return bytes;
  }

  /** A generator of its own: what it is asked for does not change what this one says next. */
  fork(): SeededRandom {
    return new SeededRandom(this.uint32());
  }
}
