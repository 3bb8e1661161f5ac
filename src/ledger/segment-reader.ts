// Reading frames back from segment files, forwards and backwards, with bounded memory. Used by recovery in the writer's
// thread and by readers elsewhere; it trusts nothing it reads.

import { isProblem, type ProblemFound } from '../bytes/problem.ts';
import type { Disk, DiskFile } from '../disk/disk.ts';
import {
  FRAME_HEADER_BYTES,
  FRAME_TRAILER_BYTES,
  type FrameHeader,
  frameCount,
  parseFrameHeader,
} from '../sealed/frame-layout.ts';
import { parseSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from '../sealed/segment-header.ts';
import { type LedgerPaths, segmentPath } from './paths.ts';

export class SegmentReader {
  readonly header: SegmentHeader;
  readonly #file: DiskFile;

  private constructor(header: SegmentHeader, file: DiskFile) {
    this.header = header;
    this.#file = file;
  }

  static open(disk: Disk, paths: LedgerPaths, segment: number): SegmentReader | ProblemFound {
    const file = disk.open(segmentPath(paths, segment), 'read');
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const header = parseSegmentHeader(bytes.subarray(0, file.read(bytes, 0)));
    if (!isProblem(header) && header.segment === segment) return new SegmentReader(header, file);
    file.close();
    return isProblem(header) ? header : { problem: `the header says segment ${header.segment}` };
  }

  size(): number {
    return this.#file.size();
  }

  frameHeaderAt(offset: number): FrameHeader | ProblemFound {
    const bytes = Buffer.alloc(FRAME_HEADER_BYTES);
    return parseFrameHeader(bytes.subarray(0, this.#file.read(bytes, offset)));
  }

  /** The bytes of the frame that begins at `offset` and ends no later than `end`. Its content is for others to check. */
  frameAt(offset: number, end: number): Buffer | ProblemFound {
    const header = this.frameHeaderAt(offset);
    if (isProblem(header)) return header;
    if (header.length > end - offset) return { problem: 'the frame is cut short' };
    const frame = Buffer.allocUnsafeSlow(header.length);
    const read = this.#file.read(frame, offset);
    return read === frame.length ? frame : { problem: 'the frame is cut short' };
  }

  /** Where the frame begins that ends at `end`. */
  frameStartBefore(end: number): number | ProblemFound {
    if (end < SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES + FRAME_TRAILER_BYTES) {
      return { problem: `no frame ends at ${end}` };
    }
    const trailer = Buffer.alloc(4);
    this.#file.read(trailer, end - 4);
    const start = end - trailer.readUInt32BE();
    return start >= SEGMENT_HEADER_BYTES
      ? start
      : { problem: `the frame that ends at ${end} has no beginning` };
  }

  /** Walks headers from a frame's start until the frame that holds `index`; a stretch of file is read at once. */
  findFrame(
    index: number,
    from: number,
    end: number,
    passed: (first: number, offset: number) => void,
  ): number | ProblemFound {
    const stretch = Buffer.allocUnsafeSlow(STRETCH_BYTES);
    let stretchStart = 0;
    let stretchBytes = 0;
    for (let offset = from; offset < end; ) {
      if (offset + FRAME_HEADER_BYTES > stretchStart + stretchBytes || offset < stretchStart) {
        stretchStart = offset;
        stretchBytes = this.#file.read(stretch, offset);
      }
      const header = parseFrameHeader(stretch.subarray(0, stretchBytes), offset - stretchStart);
      if (isProblem(header)) return header;
      if (index < header.first) return { problem: `no frame holds entry ${index}` };
      passed(header.first, offset);
      if (index < header.first + frameCount(header)) return offset;
      offset += header.length;
    }
    return { problem: `no frame holds entry ${index}` };
  }

  bytesAt(offset: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, this.#file.read(bytes, offset));
  }

  close(): void {
    this.#file.close();
  }
}

const STRETCH_BYTES = 1024 * 1024;

/** Numbers of the segments that exist, ascending. Temporary files are not segments. */
export function listSegments(disk: Disk, paths: LedgerPaths): number[] {
  return disk
    .list(paths.content)
    .filter((name) => /^\d{10}\.seg$/.test(name))
    .map((name) => Number(name.slice(0, 10)));
}
