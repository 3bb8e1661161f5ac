// What the rest of the house may ask of a ledger. The implementation lives behind this interface in a worker of its own
// (`worker-ledger.ts`), so that fsync never waits for anybody else's work and nobody waits for fsync.

import type { RecordBatch } from '../event/batch.ts';

export interface Submission {
  /** Who sends: the scope of the idempotency key. */
  readonly principal: string;
  readonly idempotencyKey?: string;
  /** SHA-256 of the request's body: the same key with another body is refused. */
  readonly bodyDigest?: Uint8Array;
  readonly batch: RecordBatch;
}

export interface Accepted {
  readonly ledger: string;
  /** Index of the first record of the submission; its records follow without holes. Meaningless when `count` is 0. */
  readonly first: number;
  readonly count: number;
  readonly quarantined: readonly { readonly position: number; readonly reason: string }[];
  /** True when the idempotency key had been seen: nothing was added, this is the earlier answer. */
  readonly replayed: boolean;
}

export interface LedgerStatus {
  readonly name: string;
  readonly origin: string;
  /** Entries that are durable, published or not. */
  readonly size: number;
  /** Entries under the signed checkpoint. */
  readonly published: number;
  readonly root: string;
  readonly epoch: number;
  readonly records: number;
  readonly quarantined: number;
  readonly contentBytes: number;
  readonly queuedBytes: number;
  /** Set once the writer has stopped: why. Reading goes on. */
  readonly stopped?: string;
}

export type EntryKind = 'record' | 'quarantined' | 'control';

/** One entry as it was stored. `bytes` are canonical record bytes, the quarantined item's JSON, or the control body. */
export interface StoredEntry {
  readonly index: number;
  readonly kind: EntryKind;
  readonly bytes: Uint8Array;
}

export interface ScanOptions {
  /** Newest first (default) or oldest first. */
  readonly order?: 'newest' | 'oldest';
  /** First index to consider, inclusive. */
  readonly from?: number;
  /** End of the range, exclusive. Default: everything durable now. */
  readonly to?: number;
  readonly kinds?: readonly EntryKind[];
  readonly signal?: AbortSignal;
}

export interface Ledger extends AsyncDisposable {
  readonly name: string;
  readonly origin: string;
  readonly verifierKey: string;
  /** Resolves once the submission is durable. Throws a LedgerError. */
  append(submission: Submission): Promise<Accepted>;
  status(): LedgerStatus;
  /** Batches of entries, decrypted; bounded memory. */
  scan(options?: ScanOptions): AsyncIterable<readonly StoredEntry[]>;
  /** Resolves as soon as entries beyond `size` are durable (with the new size), or when the signal aborts. */
  waitBeyond(size: number, signal: AbortSignal): Promise<number>;
  /** Publishes what is durable, if anything is unpublished, and resolves with the published size. */
  publish(): Promise<number>;
  /** The tlog-proof file for one entry, against the newest checkpoint; publishes first where the entry is not yet under one. */
  prove(index: number): Promise<Uint8Array>;
}

export type LedgerErrorCode =
  /** Too much is waiting: try again after `retryAfterSeconds`. */
  | 'overloaded'
  /** The idempotency key was used with another body. */
  | 'key-reused'
  /** The writer has stopped (failed fsync, damage, disk full): reading goes on. */
  | 'stopped'
  | 'disk-full'
  | 'not-found'
  /** Recovery found damage at or below the anchor, or a log behind or unlike its anchor. */
  | 'damaged'
  | 'behind-anchor'
  | 'unlike-anchor'
  | 'locked';

export class LedgerError extends Error {
  override readonly name = 'LedgerError';
  readonly code: LedgerErrorCode;
  readonly retryAfterSeconds: number | undefined;
  constructor(
    code: LedgerErrorCode,
    message: string,
    options?: { cause?: unknown; retryAfterSeconds?: number },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryAfterSeconds = options?.retryAfterSeconds;
  }
}
