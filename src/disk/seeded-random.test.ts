import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from './seeded-random.ts';

test('SeededRandom gives the same numbers for the same seed, on every machine', () => {
  const random = new SeededRandom(1);
  assert.deepEqual(
    Array.from({ length: 4 }, () => random.uint32()),
    [2_420_951_833, 2_513_034_076, 3_847_892_949, 4_064_752_930],
  );
  assert.deepEqual([...new SeededRandom(7).bytes(64)], [...new SeededRandom(7).bytes(64)]);
});

test('SeededRandom gives unrelated numbers for neighbouring seeds and for seeds that differ above 32 bits', () => {
  const seeds = [0, 1, 2, 3, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1];
  const first = seeds.map((seed) => new SeededRandom(seed).uint32());
  assert.equal(new Set(first).size, seeds.length);
  let differing = 0;
  for (let seed = 0; seed < 1000; seed++) {
    const xor = new SeededRandom(seed).uint32() ^ new SeededRandom(seed + 1).uint32();
    for (let bit = 0; bit < 32; bit++) differing += (xor >>> bit) & 1;
  }
  const share = differing / 32_000;
  assert.ok(share > 0.49 && share < 0.51, `half of the bits should differ, ${share} did`);
});

test('SeededRandom refuses what is no seed', () => {
  for (const seed of [-1, 0.5, Number.NaN, 2 ** 53]) assert.throws(() => new SeededRandom(seed), RangeError);
});

test('SeededRandom.below, chance and pick stay within their bounds and reach all of them', () => {
  const random = new SeededRandom(2);
  const counts = [0, 0, 0, 0, 0];
  for (let draw = 0; draw < 10_000; draw++) counts[random.below(5)]!++;
  assert.equal(counts.length, 5);
  for (const count of counts) assert.ok(count > 1_800 && count < 2_200, `${counts}`);
  assert.equal(random.below(1), 0);
  assert.equal(random.chance(0), false);
  assert.equal(random.chance(1), true);
  assert.equal(random.pick(['only']), 'only');
  assert.throws(() => random.pick([]), RangeError);
});

test('SeededRandom.fork does not let the fork change what its origin says next', () => {
  const [one, other] = [new SeededRandom(3), new SeededRandom(3)];
  one.fork();
  const fork = other.fork();
  for (let draw = 0; draw < 100; draw++) fork.uint32();
  assert.equal(one.uint32(), other.uint32());
});
