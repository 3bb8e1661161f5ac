// The 128 bytes at the start of every segment file (docs/formats.md, section 3).

import { createHash, hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { ProblemFound } from '../bytes/problem.ts';

export const SEGMENT_HEADER_BYTES = 128;

const MAGIC = Buffer.from('PLSEG\x00\x00\x01', 'latin1');

export interface SegmentHeader {
  readonly segment: number;
  readonly epoch: number;
  readonly first: number;
  /** Frame chain where the previous segment ends, and that place: what lies beyond it was never part of the log. */
  readonly previousChain: Uint8Array;
  readonly previousLength: number;
  readonly originHash: Uint8Array;
}

export function originHash(origin: string): Buffer {
  return hash('sha256', Buffer.from(origin, 'utf8'), 'buffer');
}

/** The chain after one more header or frame. */
export function extendChain(chain: Uint8Array, bytes: Uint8Array): Buffer {
  return createHash('sha256')
    .update(chain)
    .update(hash('sha256', bytes, 'buffer'))
    .digest();
}

export const EMPTY_CHAIN: Uint8Array = new Uint8Array(32);

export function segmentFileName(segment: number): string {
  return `${String(segment).padStart(10, '0')}.seg`;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes.set(MAGIC, 0);
  bytes.writeBigUInt64BE(BigInt(header.segment), 8);
  bytes.writeBigUInt64BE(BigInt(header.epoch), 16);
  bytes.writeBigUInt64BE(BigInt(header.first), 24);
  bytes.set(header.previousChain, 32);
  bytes.writeBigUInt64BE(BigInt(header.previousLength), 64);
  bytes.set(header.originHash, 72);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 124)), 124);
  return bytes;
}

export function parseSegmentHeader(bytes: Buffer): SegmentHeader | ProblemFound {
  if (bytes.length < SEGMENT_HEADER_BYTES) return { problem: 'the segment header is cut short' };
  if (!bytes.subarray(0, 8).equals(MAGIC)) return { problem: 'this is not a segment file' };
  if (bytes.readUInt32BE(124) !== crc32(bytes.subarray(0, 124))) {
    return { problem: 'the segment header’s checksum does not match its bytes' };
  }
  const numbers = [8, 16, 24, 64].map((at) => bytes.readBigUInt64BE(at));
  if (
    numbers.some((n) => n > BigInt(Number.MAX_SAFE_INTEGER)) ||
    bytes.subarray(104, 124).some((b) => b !== 0)
  ) {
    return { problem: 'the segment header holds impossible values' };
  }
  const [segment, epoch, first, previousLength] = numbers.map(Number) as [number, number, number, number];
  return {
    segment,
    epoch,
    first,
    previousChain: bytes.subarray(32, 64),
    previousLength,
    originHash: bytes.subarray(72, 104),
  };
}
