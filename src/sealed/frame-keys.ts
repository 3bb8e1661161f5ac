// Keys of one frame, derived from its epoch's key and its random block id (docs/formats.md, section 4). An epoch key itself
// never encrypts anything, and each derived key encrypts once: that is why a zero nonce is right here.

import { createCipheriv, hash, hkdfSync } from 'node:crypto';

export const EPOCH_KEY_BYTES = 32;

export type SealedLabel = 'requests' | 'dictionary' | 'records' | 'quarantine';

export function deriveFrameKey(
  epochKey: Uint8Array,
  blockId: Uint8Array,
  label: SealedLabel | 'salts',
): Buffer {
  return Buffer.from(hkdfSync('sha256', epochKey, blockId, `portledger/v1/${label}`, 32));
}

/** The salts of a frame's records and quarantined items, 32 bytes each. */
export function frameSalts(epochKey: Uint8Array, blockId: Uint8Array, count: number): Buffer {
  const cipher = createCipheriv('aes-256-ctr', deriveFrameKey(epochKey, blockId, 'salts'), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(32 * count));
}

/** What the ledger records about an epoch's key when it opens, so that a wrong key is told from changed content. */
export function keyCheck(epochKey: Uint8Array): string {
  return hash('sha256', Buffer.concat([Buffer.from('portledger/v1/epoch-key\0', 'latin1'), epochKey]), 'hex');
}

export function associatedData(
  label: SealedLabel,
  origin: string,
  epoch: number,
  frameHeader: Uint8Array,
): Buffer {
  const epochBytes = Buffer.alloc(8);
  epochBytes.writeBigUInt64BE(BigInt(epoch));
  return Buffer.concat([Buffer.from(`portledger/v1/${label}\0${origin}\0`, 'utf8'), epochBytes, frameHeader]);
}
