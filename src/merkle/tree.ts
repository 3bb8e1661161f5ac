// Roots and proofs of an RFC 6962 tree, computed from the hashes of its complete subtrees.
//
//   level 3              h(3,0)
//                   ┌──────┴──────┐
//   level 2       h(2,0)        h(2,1)            a subtree is complete when it has 2^level leaves;
//                ┌──┴──┐       ┌──┴──┐            its first leaf is index × 2^level
//   level 1   h(1,0) h(1,1) h(1,2) h(1,3)  …
//
// Nothing here knows where hashes come from: a HashReader answers for one complete subtree at a time, from tiles
// (`tiles.ts`) or from memory. Every function asks for O(log size) hashes, always the same ones for the same arguments.
// Sizes and indices go up to 2^53 − 1, so halving is division; bitwise operators would cut them to 32 bits.

import { EMPTY_ROOT, nodeHash } from './hashes.ts';

/** The hash of the complete subtree of 2^level leaves whose first leaf is index × 2^level. */
export type HashReader = (level: number, index: number) => Uint8Array;

/** The root of the tree of the first `size` leaves. */
export function treeRoot(size: number, read: HashReader): Uint8Array {
  assertWhole(size, 'size');
  return size === 0 ? EMPTY_ROOT : rangeRoot(0, size, read);
}

/**
 * The hash over leaves `start` up to, without, `end`, for a range that can stand as a subtree: `start` is a multiple of the
 * smallest power of two that is not less than the range's length.
 */
export function rangeRoot(start: number, end: number, read: HashReader): Uint8Array {
  assertWhole(start, 'start');
  assertWhole(end, 'end');
  const count = end - start;
  if (count < 1) throw new RangeError(`Cannot hash range: ${start} to ${end} is empty, expected leaves`);
  const { level, size } = completeSubtree(count);
  if (start % (size === count ? size : 2 * size) !== 0) {
    throw new RangeError(`Cannot hash range: ${start} to ${end} is no subtree, expected an aligned start`);
  }
  const left = read(level, start / size);
  return size === count ? left : nodeHash(left, rangeRoot(start + size, end, read));
}

/** The hashes from the leaf's sibling up to the root's child (RFC 9162, 2.1.3.1). */
export function inclusionProof(index: number, size: number, read: HashReader): Uint8Array[] {
  assertWhole(index, 'index');
  assertWhole(size, 'size');
  if (index >= size) {
    throw new RangeError(`Cannot prove inclusion: index is ${index}, expected less than the size ${size}`);
  }
  const proof: Uint8Array[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const middle = start + largestPowerBelow(end - start);
    if (index < middle) {
      proof.push(rangeRoot(middle, end, read));
      end = middle;
    } else {
      proof.push(rangeRoot(start, middle, read));
      start = middle;
    }
  }
  return proof.reverse();
}

/** Proves that the tree of `oldSize` leaves is a prefix of the tree of `size` leaves (RFC 9162, 2.1.4.1). */
export function consistencyProof(oldSize: number, size: number, read: HashReader): Uint8Array[] {
  assertWhole(oldSize, 'old size');
  assertWhole(size, 'size');
  if (oldSize > size) {
    throw new RangeError(
      `Cannot prove consistency: old size is ${oldSize}, expected at most the size ${size}`,
    );
  }
  if (oldSize === 0 || oldSize === size) return [];
  const proof: Uint8Array[] = [];
  let start = 0;
  let end = size;
  while (end !== oldSize) {
    const middle = start + largestPowerBelow(end - start);
    if (oldSize <= middle) {
      proof.push(rangeRoot(middle, end, read));
      end = middle;
    } else {
      proof.push(rangeRoot(start, middle, read));
      start = middle;
    }
  }
  // Where the old tree is itself the leftmost complete subtree, the verifier has its hash: the old root.
  if (start > 0) proof.push(rangeRoot(start, end, read));
  return proof.reverse();
}

/** Asks a range's left subtree from below: the largest complete one that is not larger than `count`. */
function completeSubtree(count: number): { level: number; size: number } {
  let level = 0;
  let size = 1;
  while (size * 2 <= count) {
    size *= 2;
    level++;
  }
  return { level, size };
}

/** The largest power of two less than `count`: where RFC 6962 splits a tree in two. */
function largestPowerBelow(count: number): number {
  let size = 1;
  while (size * 2 < count) size *= 2;
  return size;
}

function assertWhole(value: number, name: string): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(
      `Cannot compute in tree: ${name} is ${value}, expected a whole number from 0 to 2^53 - 1`,
    );
  }
}
