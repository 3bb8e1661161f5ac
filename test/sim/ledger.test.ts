// Goal: no crash and no failing disk breaks a promise of the ledger. What one simulation does and checks is told in
// ledger-simulation.ts; here it is run with many seeds, with one that nobody has tried, and with one fault at every place.
//
// SIM_SEEDS (1000): how many seeds.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { FAULTS, type Fault } from '../../src/disk/simulated-process.ts';
import { commandFor, simulateAll } from './crew.ts';
import { type SimulationOptions, simulateLedger } from './ledger-simulation.ts';

const SEEDS = Number(process.env.SIM_SEEDS ?? 1000);
const STEPS = 60;

/** Short enough to be run once for each of its operations; it publishes, quarantines, retries and sees a day pass. */
const WORKLOAD = { seed: 9, steps: 25 };

async function expectKept(t: TestContext, all: Iterable<SimulationOptions>): Promise<void> {
  const { failures, ...summary } = await simulateAll(all);
  t.diagnostic(JSON.stringify(summary));
  for (const { options, failure } of failures) console.error(`Failed: ${commandFor(options)}\n${failure}`);
  assert.deepEqual(
    failures.map(({ options }) => commandFor(options)),
    [],
  );
}

test(`the ledger keeps its promises with seeds 1 to ${SEEDS}`, async (t) => {
  const seeds = Array.from({ length: SEEDS }, (_, i) => ({ seed: i + 1, steps: STEPS }));
  await expectKept(t, seeds);
});

test('the ledger keeps its promises with a seed that nobody has tried', async (t) => {
  const fresh = { seed: randomInt(2 ** 32, 2 ** 47), steps: STEPS };
  t.diagnostic(commandFor(fresh));
  await expectKept(t, [fresh]);
});

/** One run of the workload for each `every`-th operation at which something can go wrong. */
async function withFaults(faults: readonly Fault[], every: number): Promise<SimulationOptions[]> {
  const { operations } = await simulateLedger({ ...WORKLOAD, faults: [] });
  const runs: SimulationOptions[] = [];
  for (let operation = 1; operation <= operations; operation += every) {
    for (const fault of faults) runs.push({ ...WORKLOAD, faults: [[operation, fault]] });
  }
  return runs;
}

test('the ledger keeps its promises with a crash at every operation', async (t) => {
  await expectKept(t, await withFaults(['crash'], 1));
});

test('the ledger keeps its promises with every other fault at every third operation', async (t) => {
  const others = FAULTS.filter((fault) => fault !== 'crash');
  await expectKept(t, await withFaults(others, 3));
});
