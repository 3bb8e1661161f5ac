// `npm run sim -- --seed N`: one seed of the simulation, as often as needed to find out what went wrong.
// `npm run sim -- --seeds COUNT [--from N]`: many.

import { parseArgs } from 'node:util';
import { simulateLedger } from './ledger-simulation.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    steps: { type: 'string', default: '60' },
  },
});
const first = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const steps = Number(values.steps);

const total = { operations: 0, restarts: 0, acknowledged: 0 };
let failed = 0;
for (let seed = first; seed < first + count; seed++) {
  try {
    const result = await simulateLedger({ seed, steps });
    total.operations += result.operations;
    total.restarts += result.restarts;
    total.acknowledged += result.acknowledged;
  } catch (error) {
    failed++;
    console.error(`seed ${seed} failed: npm run sim -- --seed ${seed} --steps ${steps}`);
    console.error(error);
    if (failed >= 3) break;
  }
}
console.log(
  `${count} seeds: ${total.operations} disk operations, ${total.restarts} restarts, ${total.acknowledged} records acknowledged, ${failed} failed`,
);
process.exitCode = failed === 0 ? 0 : 1;
