// Checks inclusion and consistency proofs (RFC 9162, 2.1.3.2 and 2.1.4.2) against roots that somebody has signed.
//
// Everything handed in may come from an attacker, roots and leaf hash excepted: the answer is true or false, never an exception.
// A proof is right only with exactly the hashes it needs, each of exactly 32 bytes: a hash that is too short or too long would
// move the border between its neighbours without changing the message that is hashed.

import { EMPTY_ROOT, HASH_BYTES, nodeHash, sameHash } from './hashes.ts';

export interface InclusionClaim {
  readonly index: number;
  readonly size: number;
  readonly leafHash: Uint8Array;
  readonly proof: readonly Uint8Array[];
  readonly root: Uint8Array;
}

export function verifyInclusion({ index, size, leafHash, proof, root }: InclusionClaim): boolean {
  if (!isWhole(index) || !isWhole(size) || index >= size) return false;
  if (!areHashes([leafHash, root, ...proof])) return false;
  // `node` is our place in its row, `last` the last place of that row; both move up one row with every hash.
  let node = index;
  let last = size - 1;
  let hash = leafHash;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sibling, hash);
      // A last node without a sibling stands in for its parent until it is a right child.
      while (node % 2 === 0 && node !== 0) {
        node /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && sameHash(hash, root);
}

export interface ConsistencyClaim {
  readonly oldSize: number;
  readonly oldRoot: Uint8Array;
  readonly size: number;
  readonly root: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

export function verifyConsistency({ oldSize, oldRoot, size, root, proof }: ConsistencyClaim): boolean {
  if (!isWhole(oldSize) || !isWhole(size) || oldSize > size) return false;
  if (!areHashes([oldRoot, root, ...proof])) return false;
  // Everything grows from the empty tree, so there is nothing to prove, and a proof would be a proof of something else.
  if (oldSize === 0 && !sameHash(oldRoot, EMPTY_ROOT)) return false;
  if (oldSize === size) return proof.length === 0 && sameHash(oldRoot, root);
  if (oldSize === 0) return proof.length === 0;

  // The proof climbs from the largest complete subtree at the old tree's right edge.
  let node = oldSize - 1;
  let last = size - 1;
  while (node % 2 === 1) {
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  // At row 0 the old tree is that one complete subtree, whose hash we have.
  const path = node === 0 ? [oldRoot, ...proof] : [...proof];
  const first = path.shift();
  if (first === undefined) return false;
  let oldHash = first;
  let hash = first;
  for (const sibling of path) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      oldHash = nodeHash(sibling, oldHash);
      hash = nodeHash(sibling, hash);
      while (node % 2 === 0 && node !== 0) {
        node /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && sameHash(oldHash, oldRoot) && sameHash(hash, root);
}

function isWhole(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function areHashes(hashes: readonly Uint8Array[]): boolean {
  // 2 × 53 rows are more than any tree has: a longer proof is not looked at.
  return hashes.length <= 2 + 2 * 53 && hashes.every((hash) => hash.length === HASH_BYTES);
}
