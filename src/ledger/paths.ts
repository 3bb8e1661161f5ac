// Where a ledger keeps what. `directory` is `ledgers/<name>` in the data directory; the anchor lives outside of it.

import { segmentFileName } from '../sealed/segment-header.ts';

export interface LedgerPaths {
  readonly directory: string;
  readonly content: string;
  readonly checkpoint: string;
  readonly verifierKey: string;
  /** The last signed checkpoint, in the state directory: what a rolled back data directory is held against. */
  readonly anchor: string;
  /** Derived, deletable: how far tiles are known to be durable, and the memory of idempotency keys. */
  readonly cache: string;
  readonly settled: string;
  readonly reserve: string;
}

export function ledgerPaths(directory: string, anchor: string, cache: string): LedgerPaths {
  return {
    directory,
    content: `${directory}/content`,
    checkpoint: `${directory}/checkpoint`,
    verifierKey: `${directory}/key.pub`,
    anchor,
    cache,
    settled: `${cache}/settled.json`,
    reserve: `${cache}/reserve`,
  };
}

export function segmentPath(paths: LedgerPaths, segment: number): string {
  return `${paths.content}/${segmentFileName(segment)}`;
}

export function parentDirectory(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
