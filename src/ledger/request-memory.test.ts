import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { type RememberedRequest, RequestMemory, SLOT_BYTES } from './request-memory.ts';

const NOW = Date.UTC(2026, 10, 20);
const DAY_MS = 24 * 3600 * 1000;

/** A million SHA-256 digests would take longer than the test. */
function keyOf(number: number): Buffer {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(Math.imul(number, 2_654_435_761) >>> 0);
  key.writeUInt32LE(number, 8);
  return key;
}

function requestOf(number: number, timeMs = NOW): RememberedRequest {
  const body = hash('sha256', String(number), 'buffer').subarray(0, 16);
  const first = 2 ** 40 + number;
  return {
    key: keyOf(number),
    body,
    first,
    count: number % 7,
    frame: first - 1,
    hasQuarantined: number % 2 === 1,
    timeMs,
  };
}

function plain(request: RememberedRequest | undefined): unknown {
  return request && { ...request, key: Buffer.from(request.key), body: Buffer.from(request.body) };
}

test('RequestMemory finds what it remembers, whole, for 24 hours', () => {
  const memory = new RequestMemory();
  for (let number = 0; number < 5000; number++) memory.remember(requestOf(number, NOW + number));
  for (let number = 0; number < 5000; number += 17) {
    const expected = plain(requestOf(number, NOW + number));
    assert.deepEqual(plain(memory.find(keyOf(number), NOW + number)), expected);
    assert.deepEqual(plain(memory.find(keyOf(number), NOW + number + DAY_MS)), expected);
    assert.equal(memory.find(keyOf(number), NOW + number + DAY_MS + 1), undefined);
  }
  assert.equal(memory.find(keyOf(5000), NOW), undefined);
});

test('RequestMemory answers like a map, whatever the keys collide in', () => {
  // Few different keys with the same first bytes: long probe sequences, and keys that are used again.
  const keys = fc.array(fc.tuple(fc.nat(40), fc.nat(3)), { maxLength: 200 });
  fc.assert(
    fc.property(keys, (used) => {
      const memory = new RequestMemory();
      const expected = new Map<string, number>();
      for (const [number, group] of used) {
        const key = Buffer.alloc(16);
        key[0] = group;
        key[15] = number;
        const first = expected.size + 1;
        memory.remember({ ...requestOf(1), key, first });
        expected.set(key.toString('hex'), first);
      }
      for (const [key, first] of expected) {
        assert.equal(memory.find(Buffer.from(key, 'hex'), NOW)?.first, first);
      }
    }),
  );
});

test('RequestMemory keeps the latest million keys, in bounded memory, and gives them back after a restart', () => {
  const memory = new RequestMemory();
  const kept = 1_000_000;
  const total = 1_500_000;
  const request = requestOf(0);
  for (let number = 0; number < total; number++) {
    memory.remember({ ...request, key: keyOf(number), first: number });
  }
  const restored = new RequestMemory();
  const generations = memory.generations();
  assert.equal(restored.restore(generations), true);
  for (const remembered of [memory, restored]) {
    for (let number = total - kept; number < total; number += 997) {
      assert.equal(remembered.find(keyOf(number), NOW)?.first, number);
    }
    assert.equal(remembered.find(keyOf(0), NOW), undefined);
  }
  const bytes = generations.reduce((sum, generation) => sum + generation.bytes.length, 0);
  assert.ok(bytes <= 1.4 * kept * SLOT_BYTES, `${bytes} bytes`);
  const numbers = generations.map(({ number }) => number);
  assert.deepEqual(
    numbers,
    [...numbers].sort((a, b) => a - b),
  );
  // A restored memory goes on where the other one was.
  restored.remember({ ...request, key: keyOf(total), first: total });
  assert.equal(restored.find(keyOf(total), NOW)?.first, total);
  assert.equal(restored.generations().at(-1)?.number, numbers.at(-1));
});

test('RequestMemory.restore refuses what cannot be whole generations', () => {
  const memory = new RequestMemory();
  memory.remember(requestOf(1));
  for (const length of [1, SLOT_BYTES - 1, SLOT_BYTES + 1, 262_145 * SLOT_BYTES]) {
    assert.equal(memory.restore([{ number: 0, bytes: new Uint8Array(length) }]), false);
  }
  assert.equal(memory.find(keyOf(1), NOW)?.first, requestOf(1).first, 'a refusal leaves it as it was');
  assert.equal(new RequestMemory().restore([]), true);
});
