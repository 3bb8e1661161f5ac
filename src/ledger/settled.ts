// `settled.json` in the cache directory: up to which size every tile is known to be durable, and what cannot be read off the
// tiles there. Recovery starts from it; without it, from the beginning.
//
// It vouches for the memory of idempotency keys: who could write it without being noticed could make a request be taken for a
// retry and be lost. So it is authenticated under a key derived from its epoch's key, which the data directory holds only wrapped.

import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { canonicalText } from '../event/canonical.ts';
import { encodeCheckedJson, type JsonObject, parseCheckedJson } from '../keys/checked-json.ts';
import type { EpochKeys } from '../keys/epoch-keys.ts';
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

export function writeSettled(disk: Disk, paths: LedgerPaths, settled: Settled, epochKey: Uint8Array): void {
  const members = { ...settled, v: 1 } as unknown as JsonObject;
  disk.replaceFile(paths.settled, encodeCheckedJson({ ...members, mac: authenticate(members, epochKey) }));
}

/** Undefined too where the file does not parse or was not written by this ledger's writer: it is only a shortcut. */
export function readSettled(disk: Disk, paths: LedgerPaths, epochKeys: EpochKeys): Settled | undefined {
  const bytes = disk.readFile(paths.settled);
  const { mac, ...members } = (bytes === undefined ? undefined : parseCheckedJson(bytes)) ?? {};
  if (members.v !== 1 || typeof mac !== 'string') return undefined;
  const settled = members as unknown as Settled;
  const epochKey = epochKeys.find(settled.epoch.number);
  if (epochKey === undefined) return undefined;
  const expected = Buffer.from(authenticate(members, epochKey.key));
  const given = Buffer.from(mac);
  return given.length === expected.length && timingSafeEqual(given, expected) ? settled : undefined;
}

function authenticate(members: JsonObject, epochKey: Uint8Array): string {
  const key = Buffer.from(hkdfSync('sha256', epochKey, '', 'portledger/v1/settled', 32));
  return createHmac('sha256', key).update(canonicalText(members)).digest('hex');
}
