// How many leaf and node hashes a second one core makes, in lanes and with node:crypto.
//
//   node src/merkle/sha256-lanes.bench.ts

import { hash } from 'node:crypto';
import { encodeCommittedEntries } from './entry.ts';
import { loadSha256Lanes } from './sha256-lanes.ts';
import { parseBundle } from './tiles.ts';

const COUNT = 4096;
const SECONDS = 1;

const began = performance.now();
const lanes = loadSha256Lanes();
if (lanes === undefined) throw new Error('Cannot measure lanes: this runtime has no WebAssembly vectors');
console.log(`load and self-check  ${(performance.now() - began).toFixed(1)} ms`);

const commitments = Uint8Array.from({ length: 32 * COUNT }, (_, i) => (i * 131) >> 3);
const slab = parseBundle(encodeCommittedEntries('record', commitments), COUNT);
if ('problem' in slab) throw new Error(slab.problem);
const { bytes, starts, ends } = slab;
const pairs = Uint8Array.from({ length: 64 * COUNT }, (_, i) => (i * 137) >> 3);
const leafMessage = Buffer.alloc(34);
const nodeMessage = Buffer.alloc(65, 1);

const rows: Record<string, () => unknown> = {
  'leaves, lanes': () => lanes.hashLeaves(bytes, starts, ends, () => new Uint8Array(32)),
  'leaves, node:crypto': () => {
    for (let i = 0; i < COUNT; i++) {
      leafMessage.set(bytes.subarray(starts[i], ends[i]), 1);
      hash('sha256', leafMessage, 'buffer');
    }
  },
  'nodes, lanes': () => lanes.hashNodes(pairs),
  'nodes, node:crypto': () => {
    for (let i = 0; i < COUNT; i++) {
      nodeMessage.set(pairs.subarray(64 * i, 64 * i + 64), 1);
      hash('sha256', nodeMessage, 'buffer');
    }
  },
};

for (const [name, run] of Object.entries(rows)) {
  // The first calls are not counted: V8 replaces its first translation of the module while it runs.
  for (let i = 0; i < 50; i++) run();
  let hashes = 0;
  const start = performance.now();
  let now = start;
  while (now - start < 1000 * SECONDS) {
    run();
    hashes += COUNT;
    now = performance.now();
  }
  console.log(`${name.padEnd(20)} ${(hashes / (now - start) / 1000).toFixed(2)} M/s`);
}
