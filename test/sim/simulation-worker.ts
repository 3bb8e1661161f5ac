// The thread of one member of the crew: one simulation after the other.

import { inspect } from 'node:util';
import { parentPort } from 'node:worker_threads';
import type { SimulationOutcome } from './crew.ts';
import { type SimulationOptions, simulateLedger } from './ledger-simulation.ts';

parentPort!.on('message', async (options: SimulationOptions) => {
  parentPort!.postMessage(await outcomeOf(options));
});

async function outcomeOf(options: SimulationOptions): Promise<SimulationOutcome> {
  try {
    return { options, result: await simulateLedger(options) };
  } catch (error) {
    return { options, failure: inspect(error) };
  }
}
