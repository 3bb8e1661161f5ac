// A crash against a plain model: the model keeps a whole copy of the file after every change since the last sync, so that it
// can say of each sector whether what was found had ever been there.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeededRandom } from './seeded-random.ts';
import { SECTOR_BYTES, SimulatedFile } from './simulated-file.ts';

type Change =
  | { readonly kind: 'write'; readonly length: number; readonly position: number }
  | { readonly kind: 'truncate'; readonly size: number }
  | { readonly kind: 'sync' | 'clone' };

const sizes = fc.integer({ min: 0, max: 2600 });
const changes: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('write' as const), length: sizes, position: sizes }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('truncate' as const), size: sizes }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('sync' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clone' as const) }) },
);

/** The bytes of a sector in a file of any length, zeros beyond its end. */
function sectorOf(content: Uint8Array, sector: number): string {
  const bytes = Buffer.alloc(SECTOR_BYTES);
  bytes.set(content.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES));
  return bytes.toString('latin1');
}

test('SimulatedFile reads what was written, and a crash finds nothing that was never there', () => {
  fc.assert(
    fc.property(fc.array(changes, { maxLength: 12 }), fc.nat(), (program, seed) => {
      let file = new SimulatedFile();
      let now = new Uint8Array(0);
      let sinceSync = [now];
      let stamp = 0;
      for (const change of program) {
        switch (change.kind) {
          case 'write': {
            const bytes = new Uint8Array(change.length).fill(++stamp);
            file.write(bytes, change.position);
            if (bytes.length === 0) break;
            const next = new Uint8Array(Math.max(now.length, change.position + bytes.length));
            next.set(now);
            next.set(bytes, change.position);
            now = next;
            break;
          }
          case 'truncate': {
            file.truncate(change.size);
            const next = new Uint8Array(change.size);
            next.set(now.subarray(0, change.size));
            now = next;
            break;
          }
          case 'sync':
            file.sync();
            sinceSync = [];
            break;
          case 'clone': {
            const origin = file;
            file = file.clone();
            // Whatever becomes of the original is nothing to the clone.
            origin.write(new Uint8Array(3000).fill(0xff), 0);
            break;
          }
          default:
            change satisfies never;
        }
        sinceSync.push(now);
        assert.deepEqual(file.content(), now);
      }
      const random = new SeededRandom(seed);
      for (let outcome = 0; outcome < 10; outcome++) {
        const found = file.crashed(random, random.pick(['nothing', 'everything', 'prefix', 'some', 'some']));
        const content = found.content();
        const lengths = sinceSync.map((past) => past.length);
        assert.ok(content.length >= Math.min(...lengths) && content.length <= Math.max(...lengths));
        for (let sector = 0; sector * SECTOR_BYTES < content.length; sector++) {
          const end = Math.min(SECTOR_BYTES, content.length - sector * SECTOR_BYTES);
          const pasts = sinceSync.map((past) => sectorOf(past, sector).slice(0, end));
          assert.ok(pasts.includes(sectorOf(content, sector).slice(0, end)), `sector ${sector}`);
        }
      }
      assert.deepEqual(file.crashed(random, 'nothing').content(), sinceSync[0]);
      assert.deepEqual(file.crashed(random, 'everything').content(), now);
      file.sync();
      assert.deepEqual(file.crashed(random, 'some').content(), now);
    }),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 200) },
  );
});

test('SimulatedFile remembers sectors, not files: its cost does not grow with what is already there', () => {
  const file = new SimulatedFile();
  file.write(new Uint8Array(8 << 20), 0);
  file.sync();
  const twin = file.clone();
  assert.equal(twin.size, 8 << 20);
  for (let nth = 0; nth < 20_000; nth++) {
    file.write(new Uint8Array(100), (nth * 7919) % (8 << 20));
    file.sync();
  }
});
