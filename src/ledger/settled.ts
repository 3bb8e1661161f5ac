// `settled.json` in the cache directory: up to which size every tile is known to be durable, and what cannot be read off the
// tiles there. Recovery starts from it; without it, from the beginning.

import type { Disk } from '../disk/disk.ts';
import { encodeCheckedJson, type JsonObject, parseCheckedJson } from '../keys/checked-json.ts';
import type { LedgerPaths } from './paths.ts';
import type { JournalMark } from './request-journal.ts';

export interface Settled {
  readonly size: number;
  readonly root: string;
  readonly records: number;
  readonly quarantined: number;
  readonly epoch: { readonly number: number; readonly name: string };
  readonly requests: readonly JournalMark[];
}

export function writeSettled(disk: Disk, paths: LedgerPaths, settled: Settled): void {
  disk.replaceFile(paths.settled, encodeCheckedJson({ ...settled, v: 1 } as unknown as JsonObject));
}

/** Undefined too where the file does not parse: it is only a shortcut. */
export function readSettled(disk: Disk, paths: LedgerPaths): Settled | undefined {
  const bytes = disk.readFile(paths.settled);
  const members = bytes === undefined ? undefined : parseCheckedJson(bytes);
  return members?.v === 1 ? (members as unknown as Settled) : undefined;
}
