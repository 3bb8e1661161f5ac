// A request's body on its way to the ledger:  bytes → batch → append → answer.
//
// Invariants:
// - the answer comes after the ledger has made the whole request durable, or not at all
// - one body is one submission: it is never split, never merged with another here (the ledger groups commits)
// - requests with the same principal and idempotency key that are under way at the same time are one submission; the later
//   ones get the answer of the first
//
// Nothing here looks at single records; that happens once, in the encoder.

import { hash } from 'node:crypto';
import { encodeJson, encodeNdjson } from '../event/batch-encoder.ts';
import { type Accepted, type Ledger, LedgerError } from '../ledger/ledger.ts';
import { ByteBudget } from './byte-budget.ts';
import { SourceCounters } from './source-counters.ts';

export type BodyFormat = 'json' | 'ndjson';

export interface RecordsIntakeOptions {
  readonly ledger: Ledger;
  /** ms since 1970. */
  readonly now: () => number;
  readonly bytesInFlightMax?: number;
}

export interface RecordsRequest {
  /** Authenticated: the observer of the records and the scope of the key. */
  readonly principal: string;
  readonly format: BodyFormat;
  /** Belongs to the intake from here on. */
  readonly body: Buffer;
  readonly idempotencyKey?: string;
}

interface UnderWay {
  readonly digest: Buffer;
  readonly accepted: Promise<Accepted>;
}

export class RecordsIntake {
  readonly budget: ByteBudget;
  readonly sources = new SourceCounters();
  readonly #options: RecordsIntakeOptions;
  readonly #underWay = new Map<string, UnderWay>();

  constructor(options: RecordsIntakeOptions) {
    this.#options = options;
    this.budget = new ByteBudget(options.bytesInFlightMax);
  }

  get ledger(): Ledger {
    return this.#options.ledger;
  }

  /** Resolves once the records are durable. Throws a LedgerError. */
  async accept(request: RecordsRequest): Promise<Accepted> {
    const { principal, idempotencyKey } = request;
    if (idempotencyKey === undefined) return this.#append(request, undefined);

    const digest = hash('sha256', request.body, 'buffer');
    // Names and keys hold no spaces, so no two pairs share a text.
    const pair = `${principal} ${idempotencyKey}`;
    const first = this.#underWay.get(pair);
    if (first) {
      if (!first.digest.equals(digest)) throw keyReused();
      return { ...(await first.accepted), replayed: true };
    }
    const accepted = this.#append(request, digest);
    this.#underWay.set(pair, { digest, accepted });
    try {
      return await accepted;
    } finally {
      this.#underWay.delete(pair);
    }
  }

  async #append(request: RecordsRequest, bodyDigest: Buffer | undefined): Promise<Accepted> {
    const { ledger, now } = this.#options;
    const { principal, idempotencyKey, body } = request;
    const ingested = `${new Date(now()).toISOString().slice(0, -1)}000000Z`;
    const encode = request.format === 'json' ? encodeJson : encodeNdjson;
    const batch = encode(body, { ingested, observer: principal });
    if (batch.starts.length === 0 && batch.quarantined.length === 0) {
      return { ledger: ledger.name, first: 0, count: 0, quarantined: [], replayed: false };
    }
    const accepted = await ledger.append({
      principal,
      batch,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      ...(bodyDigest === undefined ? {} : { bodyDigest }),
    });
    if (!accepted.replayed) {
      this.sources.count(principal, accepted.count, accepted.quarantined.length, body.length, now());
    }
    return accepted;
  }
}

function keyReused(): LedgerError {
  return new LedgerError(
    'key-reused',
    'Cannot accept records: their idempotency key belongs to another body, expected the same body or another key. Use a new key for each request that is not a retry.',
  );
}
