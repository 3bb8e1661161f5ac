// `npm run sim -- --seed N`: one seed of the simulation, as often as needed to find out what went wrong.
// `npm run sim -- --seed N --fault 123:crash`: with this fault at this operation of the first life, in place of random ones.
// `npm run sim -- --seeds COUNT [--from N]`: many.

import { parseArgs } from 'node:util';
import { FAULTS, type Fault } from '../../src/disk/simulated-process.ts';
import { simulateLedger } from './ledger-simulation.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    steps: { type: 'string', default: '60' },
    fault: { type: 'string', multiple: true },
  },
});
const first = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const steps = Number(values.steps);
const faults = values.fault?.map(parseFault);

const total = { operations: 0, restarts: 0, acknowledged: 0 };
let failed = 0;
for (let seed = first; seed < first + count; seed++) {
  try {
    const result = await simulateLedger({ seed, steps, ...(faults === undefined ? {} : { faults }) });
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

function parseFault(text: string): readonly [operation: number, fault: Fault] {
  const [operation, name] = text.split(':');
  const fault = FAULTS.find((one) => one === name);
  if (fault !== undefined && Number(operation) > 0) return [Number(operation), fault];
  throw new Error(
    `Cannot plan fault "${text}": expected an operation's number, a colon, and one of ${FAULTS.join(', ')}.`,
  );
}
