// Several simulations at once, one thread for each core. Every one is a world of its own, so nothing depends on the order.

import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { SimulationOptions, SimulationResult } from './ledger-simulation.ts';

export type SimulationOutcome =
  | { readonly options: SimulationOptions; readonly result: SimulationResult }
  | { readonly options: SimulationOptions; readonly failure: string };

/** Stops early once this many have failed: they mostly have one cause. */
const FAILURES_MAX = 3;

export interface Summary {
  readonly simulations: number;
  readonly operations: number;
  readonly restarts: number;
  readonly acknowledged: number;
  readonly failures: readonly { readonly options: SimulationOptions; readonly failure: string }[];
}

export async function simulateAll(all: Iterable<SimulationOptions>): Promise<Summary> {
  const remaining = all[Symbol.iterator]();
  const summary = { simulations: 0, operations: 0, restarts: 0, acknowledged: 0 };
  const failures: { options: SimulationOptions; failure: string }[] = [];
  const work = async (): Promise<void> => {
    const worker = new Worker(new URL('./simulation-worker.ts', import.meta.url));
    try {
      while (failures.length < FAILURES_MAX) {
        const { value: options, done } = remaining.next();
        if (done) return;
        worker.postMessage(options);
        const [outcome] = (await once(worker, 'message')) as [SimulationOutcome];
        summary.simulations++;
        if ('failure' in outcome) {
          failures.push(outcome);
          continue;
        }
        summary.operations += outcome.result.operations;
        summary.restarts += outcome.result.restarts;
        summary.acknowledged += outcome.result.acknowledged;
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return { ...summary, failures };
}

/** What reproduces it. */
export function commandFor({ seed, steps, faults }: SimulationOptions): string {
  const planned = faults?.map(([operation, fault]) => ` --fault ${operation}:${fault}`).join('') ?? '';
  return `npm run sim -- --seed ${seed} --steps ${steps}${planned}`;
}
