// The bytes of a frame without its secrets (docs/formats.md, section 3): header, section bounds, trailer. Everything here
// works without a key, on bytes that may have been changed by anybody; a problem is returned as text, never thrown.

import { crc32 } from 'node:zlib';
import { isProblem, type ProblemFound } from '../bytes/problem.ts';

export const FRAME_HEADER_BYTES = 68;
export const FRAME_TRAILER_BYTES = 8;
/** A frame holds whole requests, and a request is at most 16 MiB; the rest is room for what encryption adds. */
export const FRAME_BYTES_MAX = 64 * 1024 * 1024;
export const BLOCK_ID_AT = 36;
export const BLOCK_ID_BYTES = 32;

const MAGIC = 0x504c4601; // "PLF\x01"
const FLAG_REQUESTS = 1;
const FLAG_DICTIONARY = 2;

export interface FrameHeader {
  readonly length: number;
  readonly first: number;
  readonly controls: number;
  readonly records: number;
  readonly quarantined: number;
  readonly hasRequests: boolean;
  readonly hasDictionary: boolean;
  /** 0, or the first index of the frame that holds the dictionary: a name that stays true when recovery copies frames. */
  readonly dictionaryFrame: number;
  readonly blockId: Uint8Array;
}

export type SectionName = 'control' | 'requests' | 'dictionary' | 'records' | 'quarantine';
export type Sections = { readonly [name in SectionName]?: Buffer };

export function frameCount(header: FrameHeader): number {
  return header.controls + header.records + header.quarantined;
}

export function writeFrameHeader(header: FrameHeader, into: Buffer): void {
  into.writeUInt32BE(MAGIC, 0);
  into.writeUInt32BE(header.length, 4);
  into.writeBigUInt64BE(BigInt(header.first), 8);
  into.writeUInt16BE(
    (header.hasRequests ? FLAG_REQUESTS : 0) | (header.hasDictionary ? FLAG_DICTIONARY : 0),
    16,
  );
  into.writeUInt16BE(header.controls, 18);
  into.writeUInt32BE(header.records, 20);
  into.writeUInt32BE(header.quarantined, 24);
  into.writeBigUInt64BE(BigInt(header.dictionaryFrame), 28);
  into.set(header.blockId, BLOCK_ID_AT);
}

/** Reads the header at `offset`. Does not look beyond it, so it serves for scanning headers alone. */
export function parseFrameHeader(bytes: Buffer, offset = 0): FrameHeader | ProblemFound {
  if (bytes.length - offset < FRAME_HEADER_BYTES) return { problem: 'the frame header is cut short' };
  if (bytes.readUInt32BE(offset) !== MAGIC) return { problem: 'no frame begins here' };
  const length = bytes.readUInt32BE(offset + 4);
  if (length < FRAME_HEADER_BYTES + FRAME_TRAILER_BYTES || length > FRAME_BYTES_MAX) {
    return { problem: `the frame claims ${length} bytes` };
  }
  const first = bytes.readBigUInt64BE(offset + 8);
  const dictionaryFrame = bytes.readBigUInt64BE(offset + 28);
  if (first > BigInt(Number.MAX_SAFE_INTEGER) || (dictionaryFrame >= first && dictionaryFrame > 0n)) {
    return { problem: `the frame claims first index ${first} and dictionary ${dictionaryFrame}` };
  }
  const flags = bytes.readUInt16BE(offset + 16);
  if ((flags & ~(FLAG_REQUESTS | FLAG_DICTIONARY)) !== 0) {
    return { problem: `the frame has unknown flags 0x${flags.toString(16)}` };
  }
  const header: FrameHeader = {
    length,
    first: Number(first),
    controls: bytes.readUInt16BE(offset + 18),
    records: bytes.readUInt32BE(offset + 20),
    quarantined: bytes.readUInt32BE(offset + 24),
    hasRequests: (flags & FLAG_REQUESTS) !== 0,
    hasDictionary: (flags & FLAG_DICTIONARY) !== 0,
    dictionaryFrame: Number(dictionaryFrame),
    blockId: bytes.subarray(offset + BLOCK_ID_AT, offset + FRAME_HEADER_BYTES),
  };
  const count = frameCount(header);
  // Every entry takes at least one byte of some section: a bound on what a forged count can make a reader allocate.
  if (count === 0 || count > length * 1024) return { problem: `the frame claims ${count} entries` };
  return header;
}

/** Splits a whole frame into its sections after checking its checksum and that nothing is left over. */
export function parseFrame(frame: Buffer): { header: FrameHeader; sections: Sections } | ProblemFound {
  const header = parseFrameHeader(frame);
  if (isProblem(header)) return header;
  if (frame.length !== header.length) {
    return { problem: `the frame has ${frame.length} bytes, its header says ${header.length}` };
  }
  const end = frame.length - FRAME_TRAILER_BYTES;
  if (frame.readUInt32BE(end + 4) !== header.length) {
    return { problem: 'the length at the frame’s end differs' };
  }
  if (frame.readUInt32BE(end) !== crc32(frame.subarray(0, end))) {
    return { problem: 'the frame’s checksum does not match its bytes' };
  }
  const expected: SectionName[] = [];
  if (header.controls > 0) expected.push('control');
  if (header.hasRequests) expected.push('requests');
  if (header.hasDictionary) expected.push('dictionary');
  if (header.records > 0) expected.push('records');
  if (header.quarantined > 0) expected.push('quarantine');
  const sections: { [name in SectionName]?: Buffer } = {};
  let at = FRAME_HEADER_BYTES;
  for (const name of expected) {
    if (at + 4 > end) return { problem: `the ${name} section is cut short` };
    const length = frame.readUInt32BE(at);
    at += 4;
    if (length > end - at) return { problem: `the ${name} section is cut short` };
    sections[name] = frame.subarray(at, at + length);
    at += length;
  }
  if (at !== end) return { problem: `${end - at} bytes follow the last section` };
  return { header, sections };
}

/** Puts sections (already encrypted where they must be) between header and trailer. `frame` has the right length. */
export function writeSections(frame: Buffer, sections: Sections): void {
  let at = FRAME_HEADER_BYTES;
  for (const name of SECTION_ORDER) {
    const bytes = sections[name];
    if (bytes === undefined) continue;
    at = frame.writeUInt32BE(bytes.length, at);
    frame.set(bytes, at);
    at += bytes.length;
  }
  frame.writeUInt32BE(crc32(frame.subarray(0, at)), at);
  frame.writeUInt32BE(frame.length, at + 4);
}

export const SECTION_ORDER: readonly SectionName[] = [
  'control',
  'requests',
  'dictionary',
  'records',
  'quarantine',
];

export function encodeControls(entries: readonly Uint8Array[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(entry.length);
    parts.push(length, entry);
  }
  return Buffer.concat(parts);
}

export function parseControls(section: Buffer, count: number): Buffer[] | ProblemFound {
  const entries: Buffer[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 2 > section.length) return { problem: 'the control section is cut short' };
    const length = section.readUInt16BE(at);
    at += 2;
    if (length > section.length - at) return { problem: 'the control section is cut short' };
    entries.push(section.subarray(at, at + length));
    at += length;
  }
  if (at !== section.length) return { problem: 'bytes follow the last control entry' };
  return entries;
}
