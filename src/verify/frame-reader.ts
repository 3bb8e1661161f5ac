// Frames of one segment file, one after the other, through a window: memory is bounded by the largest frame.

import { isProblem, type ProblemFound } from '../bytes/problem.ts';
import { FRAME_HEADER_BYTES, type FrameHeader, parseFrameHeader } from '../sealed/frame-layout.ts';
import { segmentFileName } from '../sealed/segment-header.ts';
import type { Source } from './source.ts';

export function segmentFile(ledger: string, segment: number): string {
  return `${ledger}content/${segmentFileName(segment)}`;
}

export interface FrameAt {
  readonly header: FrameHeader;
  /** The whole frame, valid until the next call. */
  readonly frame: Buffer;
}

/** Large enough that reading is not what takes the time, small enough for a worker to have several. */
const WINDOW_BYTES = 1024 * 1024;

export class FrameReader {
  readonly file: string;
  readonly #source: Source;
  readonly #windowBytes: number;
  #window: Buffer = Buffer.alloc(0);
  #windowStart = 0;

  constructor(source: Source, file: string, windowBytes = WINDOW_BYTES) {
    this.#source = source;
    this.file = file;
    this.#windowBytes = windowBytes;
  }

  async bytesAt(offset: number, length: number): Promise<Buffer> {
    const at = offset - this.#windowStart;
    if (at < 0 || at + length > this.#window.length) {
      this.#window = await this.#source.read(this.file, offset, Math.max(length, this.#windowBytes));
      this.#windowStart = offset;
      return this.#window.subarray(0, length);
    }
    return this.#window.subarray(at, at + length);
  }

  async headerAt(offset: number, end: number): Promise<FrameHeader | ProblemFound> {
    return parseFrameHeader(await this.bytesAt(offset, Math.min(FRAME_HEADER_BYTES, end - offset)));
  }

  /** The frame that begins at `offset` and ends at `end` or before. Its inside is for others to check. */
  async frameAt(offset: number, end: number): Promise<FrameAt | ProblemFound> {
    const header = await this.headerAt(offset, end);
    if (isProblem(header)) return header;
    if (header.length > end - offset) {
      return { problem: `the frame has ${header.length} bytes, ${end - offset} remain` };
    }
    const frame = await this.bytesAt(offset, header.length);
    if (frame.length < header.length) return { problem: 'the file ends within the frame' };
    return { header, frame };
  }
}
