// The process that uses a simulated disk: its operations are numbered, meet the faults that were planned for them, and end
// with the process. Knows nothing of files.

import { DiskError } from './disk.ts';
import { diskError } from './disk-error.ts';
import type { SeededRandom } from './seeded-random.ts';

export const FAULTS = [
  /** The process ends here; the operation has happened, or in part, or not. */
  'crash',
  /** Nothing happens, EIO. */
  'refuse',
  /** A part of a write happens, EIO. Other operations: as `refuse`. */
  'part',
  /** It happens, and EIO is reported. */
  'lie',
  /** A part of a write happens, ENOSPC. Other operations: nothing happens, ENOSPC. */
  'full',
  /**
   * A file's sync fails with EIO and its unsynced pages are marked clean: later syncs succeed, the data is never written.
   * Other operations: as `refuse`.
   */
  'drop',
] as const;
export type Fault = (typeof FAULTS)[number];

/** Thrown out of the operation at which the process ended, and out of every later call. Programs under test let it pass. */
export class SimulatedCrash extends Error {
  override readonly name = 'SimulatedCrash';
}

export interface Effect {
  all(): void;
  /** Where the operation can happen in part. */
  part?(): void;
  /** Where a failed sync can drop what it should have written. */
  drop?(): void;
}

export class SimulatedProcess {
  readonly history: string[] = [];
  reads = 0;
  readonly #faults = new Map<number, Fault>();
  readonly #readFaults = new Set<number>();
  readonly #random: SeededRandom;
  #ended: string | undefined;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  get isAlive(): boolean {
    return this.#ended === undefined;
  }

  assertAlive(): void {
    if (this.#ended !== undefined) {
      throw new SimulatedCrash(`Cannot use the simulated disk: ${this.#ended}, expected a running process.`);
    }
  }

  /** For ever; how it ended first is what is remembered. */
  end(how: string): void {
    this.#ended ??= how;
  }

  failAt(operation: number, fault: Fault): void {
    this.#faults.set(operation, fault);
  }

  failReadAt(read: number): void {
    this.#readFaults.add(read);
  }

  read(path: string): void {
    this.assertAlive();
    if (this.#readFaults.has(++this.reads)) throw diskError('EIO', 'read file', path);
  }

  operate(action: string, path: string, effect: Effect): void {
    this.assertAlive();
    this.history.push(`${action} ${path}`);
    const number = this.history.length;
    const fault = this.#faults.get(number);
    switch (fault) {
      case undefined:
        effect.all();
        return;
      case 'crash':
        this.#happenSomehow(effect);
        this.end(`the process ended at operation ${number}, "${action} ${path}"`);
        this.assertAlive();
        return;
      case 'refuse':
        throw diskError('EIO', action, path);
      case 'part':
        effect.part?.();
        throw diskError('EIO', action, path);
      case 'lie':
        effect.all();
        throw diskError('EIO', action, path);
      case 'full':
        effect.part?.();
        throw diskError('ENOSPC', action, path);
      case 'drop':
        effect.drop?.();
        throw diskError('EIO', action, path);
      default:
        fault satisfies never;
    }
  }

  #happenSomehow(effect: Effect): void {
    const happen = this.#random.pick([undefined, effect.all, effect.part ?? effect.all]);
    try {
      happen?.call(effect);
    } catch (error) {
      // The disk was full as well; nobody is left to be told.
      if (!(error instanceof DiskError)) throw error;
    }
  }
}
