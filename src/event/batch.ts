// A batch of accepted records on its way to the ledger.
//
//   slab: [32-byte gap][canonical record][32-byte gap][canonical record]…
//
// The gap before each record is where the ledger's worker writes the record's salt, so that commitment =
// SHA-256(salt ‖ record) hashes one contiguous view and nothing is copied on the hot path. The slab's buffer is
// transferred to the worker: whoever made the batch must not touch it after handing it over.

export const SALT_BYTES = 32;

/** Longest canonical record. Salt and record of one entry must fit the 48 KiB that readers of proof files allow. */
export const RECORD_BYTES_MAX = 32_768;

export interface QuarantinedItem {
  /** Where the item stood in its request: 0-based among the request's records, malformed ones included. */
  readonly position: number;
  /** Which field is wrong and why, in words for the sender. Never contains the value. */
  readonly reason: string;
  /** The item exactly as it was received. */
  readonly raw: Uint8Array;
}

export interface RecordBatch {
  readonly slab: Uint8Array<ArrayBuffer>;
  /** Byte offset of each record in the slab; the 32 bytes before it are the gap. */
  readonly starts: Uint32Array<ArrayBuffer>;
  readonly ends: Uint32Array<ArrayBuffer>;
  readonly quarantined: readonly QuarantinedItem[];
}
