// How many bytes of request bodies may be in memory at once, over all requests. Where there is no room the sender is told
// to come back: bytes that wait in the sender's memory or disk are safe, bytes that wait in ours are lost with us.

import { LedgerError } from '../ledger/ledger.ts';

export const BYTES_IN_FLIGHT_MAX = 128 * 1024 * 1024;
const RETRY_AFTER_SECONDS = 1;

export class ByteBudget {
  readonly max: number;
  #used = 0;

  constructor(max = BYTES_IN_FLIGHT_MAX) {
    this.max = max;
  }

  get used(): number {
    return this.#used;
  }

  /** A lease of nothing yet. */
  open(): ByteLease {
    return new ByteLease(this);
  }

  take(bytes: number): void {
    if (this.#used + bytes > this.max) {
      throw new LedgerError(
        'overloaded',
        `Cannot accept records: ${this.#used} bytes are waiting to become durable, expected at most ${this.max}. Send again after ${RETRY_AFTER_SECONDS} s.`,
        { retryAfterSeconds: RETRY_AFTER_SECONDS },
      );
    }
    this.#used += bytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}

/** What one request holds of the budget. */
export class ByteLease implements Disposable {
  readonly #budget: ByteBudget;
  #bytes = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** Makes sure that the lease covers so many bytes. Throws a LedgerError 'overloaded'. */
  cover(bytes: number): void {
    if (bytes <= this.#bytes) return;
    this.#budget.take(bytes - this.#bytes);
    this.#bytes = bytes;
  }

  [Symbol.dispose](): void {
    this.#budget.give(this.#bytes);
    this.#bytes = 0;
  }
}
