// The three hashes of an RFC 6962 tree. The first byte keeps them apart: no entry can pass for a node, nor a node for an entry.
//
//   leaf   SHA-256(0x00 ‖ entry)        node   SHA-256(0x01 ‖ left ‖ right)        empty tree   SHA-256("")
//
// Many hashes travel as one Uint8Array of n × 32 bytes, as they stand in a tile. One view or Buffer per hash would cost more
// than the hash itself.

import { hash } from 'node:crypto';
import { loadSha256Lanes, type Sha256Lanes } from './sha256-lanes.ts';

export const HASH_BYTES = 32;

export const EMPTY_ROOT: Uint8Array = hash('sha256', '', 'buffer');

/** Entries lying in one piece of memory: entry i is bytes[starts[i]] up to, without, bytes[ends[i]]. */
export interface EntrySlab {
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

export function leafHash(entry: Uint8Array): Uint8Array {
  const message = Buffer.allocUnsafe(1 + entry.length);
  message[0] = 0x00;
  message.set(entry, 1);
  return hash('sha256', message, 'buffer');
}

// One message buffer for all node hashes: the hash is synchronous and keeps no reference to it.
const nodeMessage = Buffer.alloc(1 + 2 * HASH_BYTES, 0x01);

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  assertHash(left);
  assertHash(right);
  nodeMessage.set(left, 1);
  nodeMessage.set(right, 1 + HASH_BYTES);
  return hash('sha256', nodeMessage, 'buffer');
}

/** Leaf hashes of all entries, in order. */
export function hashLeaves({ bytes, starts, ends }: EntrySlab): Uint8Array<ArrayBuffer> {
  const lanes = lanesFor(starts.length);
  if (lanes !== undefined) return lanes.hashLeaves(bytes, starts, ends, leafHash);
  const hashes = new Uint8Array(starts.length * HASH_BYTES);
  for (let i = 0; i < starts.length; i++) {
    hashes.set(leafHash(bytes.subarray(starts[i], ends[i])), i * HASH_BYTES);
  }
  return hashes;
}

/** n × 64 bytes of pairs → n × 32 bytes: one level of the tree. */
export function hashNodes(pairs: Uint8Array): Uint8Array<ArrayBuffer> {
  if (pairs.length % (2 * HASH_BYTES) !== 0) {
    throw new RangeError(`Cannot hash nodes: ${pairs.length} bytes, expected pairs of 32-byte hashes`);
  }
  const lanes = lanesFor(pairs.length / (2 * HASH_BYTES));
  if (lanes !== undefined) return lanes.hashNodes(pairs);
  const hashes = new Uint8Array(pairs.length / 2);
  for (let at = 0; at < hashes.length; at += HASH_BYTES) {
    nodeMessage.set(pairs.subarray(2 * at, 2 * at + 2 * HASH_BYTES), 1);
    hashes.set(hash('sha256', nodeMessage, 'buffer'), at);
  }
  return hashes;
}

/** Fewer messages than lanes are not worth the copying. */
const LANES_BATCH_MIN = 4;
/** Loading the lanes takes as long as this many hashes by node:crypto, so a command that needs fewer never loads them. */
const LANES_WORTHWHILE = 32_768;

let lanes: Sha256Lanes | undefined;
let hashesBeforeLanes = LANES_WORTHWHILE;

function lanesFor(count: number): Sha256Lanes | undefined {
  if (count < LANES_BATCH_MIN) return undefined;
  if (hashesBeforeLanes > 0) {
    hashesBeforeLanes -= count;
    if (hashesBeforeLanes <= 0) lanes = loadSha256Lanes();
  }
  return lanes;
}

export function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === HASH_BYTES && Buffer.compare(a, b) === 0;
}

function assertHash(bytes: Uint8Array): void {
  if (bytes.length !== HASH_BYTES) {
    throw new RangeError(`Cannot hash node: child hash has ${bytes.length} bytes, expected ${HASH_BYTES}`);
  }
}
