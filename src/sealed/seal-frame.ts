// One group commit's records → the bytes of a frame and the commitments of its entries.
//
// This is the hottest code below the encoder. Salts are written into the gaps that the batch left before each record, so that
// a commitment is one native hash over one contiguous view; the records are copied once, into the text that zstd reads.

import { createCipheriv, hash } from 'node:crypto';
import { constants, zstdCompressSync } from 'node:zlib';
import { writeVarint } from '../bytes/varint.ts';
import { SALT_BYTES } from '../event/batch.ts';
import { associatedData, deriveFrameKey, frameSalts, type SealedLabel } from './frame-keys.ts';
import {
  encodeControls,
  FRAME_HEADER_BYTES,
  FRAME_TRAILER_BYTES,
  type SectionName,
  writeFrameHeader,
  writeSections,
} from './frame-layout.ts';

/** Items in a slab, each with a 32-byte gap before it (event/batch.ts). */
export interface SlabItems {
  readonly slab: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

export interface FrameInput {
  readonly origin: string;
  readonly epoch: number;
  readonly epochKey: Uint8Array;
  readonly first: number;
  readonly blockId: Uint8Array;
  readonly controls: readonly Uint8Array[];
  readonly records: readonly SlabItems[];
  readonly quarantined: readonly SlabItems[];
  /** JSON of the requests section, or undefined where no request had an idempotency key. */
  readonly requests?: Uint8Array | undefined;
  /** The dictionary these records are compressed against, and the first index of the frame that holds it. */
  readonly dictionary?: { readonly bytes: Uint8Array; readonly frame: number } | undefined;
  /** A dictionary for later frames to refer to. */
  readonly newDictionary?: Uint8Array | undefined;
}

export interface SealedFrame {
  readonly frame: Buffer;
  /** 32 bytes for each record, then for each quarantined item. */
  readonly commitments: Buffer;
}

const TAG_BYTES = 16;
const COMMITMENT_BYTES = 32;
const ZERO_NONCE = Buffer.alloc(12);

export function sealFrame(input: FrameInput): SealedFrame {
  if (input.dictionary?.frame === 0)
    throw new Error('Frame 0 cannot be referred to: its index says "no dictionary"');
  const recordCount = countItems(input.records);
  const quarantinedCount = countItems(input.quarantined);
  const commitments = commit(input, recordCount + quarantinedCount);

  const plain: { [name in SectionName]?: Buffer } = {};
  if (input.requests !== undefined) plain.requests = compress(input.requests);
  if (input.newDictionary !== undefined) plain.dictionary = compress(input.newDictionary);
  if (recordCount > 0) plain.records = compress(joinItems(input.records), input.dictionary?.bytes);
  if (quarantinedCount > 0) plain.quarantine = compress(joinItems(input.quarantined));

  // The header is associated data and holds the frame's length, so lengths are settled before anything is encrypted.
  const controls = input.controls.length > 0 ? encodeControls(input.controls) : undefined;
  let length = FRAME_HEADER_BYTES + FRAME_TRAILER_BYTES;
  if (controls !== undefined) length += 4 + controls.length;
  for (const text of Object.values(plain)) length += 4 + text.length + TAG_BYTES;

  const frame = Buffer.allocUnsafeSlow(length);
  writeFrameHeader(
    {
      length,
      first: input.first,
      controls: input.controls.length,
      records: recordCount,
      quarantined: quarantinedCount,
      hasRequests: input.requests !== undefined,
      hasDictionary: input.newDictionary !== undefined,
      dictionaryFrame: recordCount > 0 ? (input.dictionary?.frame ?? 0) : 0,
      blockId: input.blockId,
    },
    frame,
  );
  const header = frame.subarray(0, FRAME_HEADER_BYTES);
  const sections: { [name in SectionName]?: Buffer } = {};
  if (controls !== undefined) sections.control = controls;
  for (const [name, text] of Object.entries(plain) as [SectionName, Buffer][]) {
    sections[name] = encrypt(text, sectionLabel(name), input, header);
  }
  writeSections(frame, sections);
  return { frame, commitments };
}

export function sectionLabel(name: SectionName): SealedLabel {
  if (name === 'control') throw new Error('The control section is not encrypted');
  return name;
}

function countItems(items: readonly SlabItems[]): number {
  let count = 0;
  for (const { starts } of items) count += starts.length;
  return count;
}

function commit(input: FrameInput, count: number): Buffer {
  const commitments = Buffer.allocUnsafeSlow(count * COMMITMENT_BYTES);
  if (count === 0) return commitments;
  const salts = frameSalts(input.epochKey, input.blockId, count);
  let n = 0;
  for (const { slab, starts, ends } of [...input.records, ...input.quarantined]) {
    for (let i = 0; i < starts.length; i++, n++) {
      const start = starts[i]!;
      const salted = slab.subarray(start - SALT_BYTES, ends[i]!);
      salts.copy(salted, 0, n * SALT_BYTES, (n + 1) * SALT_BYTES);
      // As a string of bytes: half the time of a Buffer, which is a backing store and work for the garbage collector each.
      commitments.write(hash('sha256', salted, 'binary'), n * COMMITMENT_BYTES, 'binary');
    }
  }
  return commitments;
}

// One buffer for the text of every frame: it is read by zstd before the next one is joined, and megabytes allocated for each
// frame would keep the garbage collector busy.
let scratch = Buffer.allocUnsafeSlow(64 * 1024);
const SCRATCH_BYTES_KEPT = 16 * 1024 * 1024;

function scratchOf(size: number): Buffer {
  if (size <= scratch.length) return scratch;
  const larger = Buffer.allocUnsafeSlow(size + (size >>> 1));
  if (larger.length <= SCRATCH_BYTES_KEPT) scratch = larger;
  return larger;
}

/** Lengths as varints, then the bytes: text that compresses well because equal things stand side by side. */
function joinItems(items: readonly SlabItems[]): Buffer {
  let size = 0;
  for (const { starts, ends } of items) {
    for (let i = 0; i < starts.length; i++) size += ends[i]! - starts[i]! + 5;
  }
  const text = scratchOf(size);
  let at = 0;
  for (const { starts, ends } of items) {
    for (let i = 0; i < starts.length; i++) {
      at = writeVarint(text, at, ends[i]! - starts[i]!);
    }
  }
  for (const { slab, starts, ends } of items) {
    for (let i = 0; i < starts.length; i++) {
      const record = slab.subarray(starts[i]!, ends[i]!);
      text.set(record, at);
      at += record.length;
    }
  }
  return text.subarray(0, at);
}

const COMPRESSION_LEVEL = 1;

function compress(text: Uint8Array, dictionary?: Uint8Array): Buffer {
  return zstdCompressSync(text, {
    params: { [constants.ZSTD_c_compressionLevel]: COMPRESSION_LEVEL },
    pledgedSrcSize: text.length,
    ...(dictionary === undefined ? {} : { dictionary }),
  });
}

function encrypt(text: Buffer, label: SealedLabel, input: FrameInput, header: Buffer): Buffer {
  const cipher = createCipheriv(
    'aes-256-gcm',
    deriveFrameKey(input.epochKey, input.blockId, label),
    ZERO_NONCE,
  );
  cipher.setAAD(associatedData(label, input.origin, input.epoch, header));
  const ciphertext = cipher.update(text);
  cipher.final();
  return Buffer.concat([ciphertext, cipher.getAuthTag()]);
}
