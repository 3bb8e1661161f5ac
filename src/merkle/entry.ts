// The entries of a ledger's tree (docs/formats.md, section 2).
//
//   0x01 ‖ commitment[32]      a record             commitment = SHA-256(salt[32] ‖ bytes)
//   0x02 ‖ commitment[32]      a quarantined item   the salt is secret, so that nobody can guess bytes and compare
//   0x10 ‖ canonical JSON      a control entry      readable by anybody

import { hash } from 'node:crypto';
import type { ProblemFound } from '../bytes/problem.ts';
import { SALT_BYTES } from '../event/batch.ts';
import { ENTRY_BYTES_MAX } from './tiles.ts';

export const ENTRY_KIND = { record: 0x01, quarantined: 0x02, control: 0x10 } as const;
export type EntryKind = keyof typeof ENTRY_KIND;
/** The kinds whose content is disclosed with a salt. */
export type CommittedKind = Exclude<EntryKind, 'control'>;

export const COMMITMENT_BYTES = 32;

export type Entry =
  | { readonly kind: CommittedKind; readonly commitment: Uint8Array }
  | { readonly kind: 'control'; readonly body: Uint8Array };

export function commitment(salt: Uint8Array, bytes: Uint8Array): Uint8Array {
  if (salt.length !== SALT_BYTES) {
    throw new RangeError(`Cannot commit to bytes: salt has ${salt.length} bytes, expected ${SALT_BYTES}`);
  }
  return hash('sha256', Buffer.concat([salt, bytes]), 'buffer');
}

export function encodeEntry(entry: Entry): Uint8Array {
  const content = entry.kind === 'control' ? entry.body : entry.commitment;
  if (entry.kind === 'control' ? content.length >= ENTRY_BYTES_MAX : content.length !== COMMITMENT_BYTES) {
    throw new RangeError(`Cannot encode ${entry.kind} entry: its content has ${content.length} bytes`);
  }
  return Buffer.concat([Buffer.of(ENTRY_KIND[entry.kind]), content]);
}

/** What an entry says; of a control entry's body nothing is checked. */
export function parseEntry(bytes: Uint8Array): Entry | ProblemFound {
  const kind = entryKind(bytes[0]);
  if (kind === undefined) {
    return {
      problem: bytes.length === 0 ? 'the entry is empty' : `the entry is of unknown kind ${bytes[0]}`,
    };
  }
  const content = bytes.subarray(1);
  if (kind === 'control') return { kind, body: content };
  if (content.length !== COMMITMENT_BYTES) {
    return { problem: `the ${kind} entry has ${bytes.length} bytes, expected ${1 + COMMITMENT_BYTES}` };
  }
  return { kind, commitment: content };
}

export function entryKind(byte: number | undefined): EntryKind | undefined {
  switch (byte) {
    case ENTRY_KIND.record:
      return 'record';
    case ENTRY_KIND.quarantined:
      return 'quarantined';
    case ENTRY_KIND.control:
      return 'control';
    default:
      return undefined;
  }
}

const COMMITTED_ENTRY_BYTES = 1 + COMMITMENT_BYTES;

/**
 * n × 32 bytes of commitments → n entries as they stand in a bundle, each `uint16 length ‖ kind ‖ commitment`. This and
 * `parseBundle` and `hashLeaves` are the way of a group commit into the tree.
 */
export function encodeCommittedEntries(
  kind: CommittedKind,
  commitments: Uint8Array,
): Uint8Array<ArrayBuffer> {
  if (commitments.length % COMMITMENT_BYTES !== 0) {
    throw new RangeError(
      `Cannot encode entries: ${commitments.length} bytes, expected commitments of 32 bytes`,
    );
  }
  const count = commitments.length / COMMITMENT_BYTES;
  const stride = 2 + COMMITTED_ENTRY_BYTES;
  const bundle = new Uint8Array(count * stride);
  for (let i = 0; i < count; i++) {
    const at = i * stride;
    bundle[at + 1] = COMMITTED_ENTRY_BYTES;
    bundle[at + 2] = ENTRY_KIND[kind];
    bundle.set(commitments.subarray(i * COMMITMENT_BYTES, (i + 1) * COMMITMENT_BYTES), at + 3);
  }
  return bundle;
}
