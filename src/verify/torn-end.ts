// What may stand behind the last whole frame of a ledger's content: nothing, or the frame that was being written when the
// process or the machine stopped. One frame is in flight at a time and nothing of it was acknowledged, so that is no damage.
// Anything else is: nobody writes there.

import { isProblem, type ProblemFound } from '../bytes/problem.ts';
import {
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  frameCount,
  parseFrame,
  parseFrameHeader,
} from '../sealed/frame-layout.ts';
import { FrameReader } from './frame-reader.ts';
import type { Source } from './source.ts';

const MAGIC = Buffer.from('PLF\x01', 'latin1');
/** A power cut loses whole sectors; what was never written there reads as zeros. */
const SECTOR_BYTES = 512;
/** Zeros that are too few for chance not to have made them say nothing. */
const ZEROS_MIN = 16;

/** `index` is that of the entry expected next. A note where there is something to say about it. */
export async function judgeEnd(
  source: Source,
  file: string,
  offset: number,
  size: number,
  index: number,
): Promise<{ readonly note?: string } | ProblemFound> {
  const rest = await source.read(file, offset, Math.min(size - offset, FRAME_BYTES_MAX + 1));
  // A log that is being written has moved on meanwhile: what looked torn has been finished, or cut off by a restart.
  if (rest.length === 0 || ((await source.size(file)) ?? 0) !== size) return {};
  const torn = {
    note: `${file}: ${rest.length} bytes of a frame that was never finished stand at byte ${offset}`,
  };

  if (rest.length < FRAME_HEADER_BYTES) {
    const head = rest.subarray(0, MAGIC.length);
    if (head.equals(MAGIC.subarray(0, head.length)) || isZero(rest)) return torn;
    return { problem: `${rest.length} bytes at byte ${offset} are no frame` };
  }
  const header = parseFrameHeader(rest);
  if (isProblem(header)) {
    const end = firstSector(offset);
    if (rest.length <= FRAME_BYTES_MAX && isZero(rest.subarray(0, Math.max(end, FRAME_HEADER_BYTES))))
      return torn;
    return { problem: `${rest.length} bytes at byte ${offset} are no frame: ${header.problem}` };
  }
  if (header.first !== index) {
    return { problem: `the frame at byte ${offset} begins with entry ${header.first}, expected ${index}` };
  }
  if (header.length > rest.length) return torn;
  if (header.length === rest.length && lostSector(rest, offset)) return torn;
  const parsed = parseFrame(rest.subarray(0, header.length));
  return {
    problem: `the frame at byte ${offset} is damaged: ${isProblem(parsed) ? parsed.problem : 'it changed'}`,
  };
}

/** Checks what stands behind the end of a segment that a later one has superseded: whole frames, then perhaps a torn one. */
export async function checkLeftover(
  source: Source,
  file: string,
  range: { readonly end: number; readonly size: number; readonly index: number },
): Promise<{ readonly note?: string } | ProblemFound> {
  const reader = new FrameReader(source, file);
  let { end: offset, index } = range;
  while (offset < range.size) {
    const found = await reader.frameAt(offset, range.size);
    const parsed = isProblem(found) ? found : parseFrame(found.frame);
    if (isProblem(found) || isProblem(parsed) || found.header.first !== index) {
      const judged = await judgeEnd(source, file, offset, range.size, index);
      if (isProblem(judged)) return judged;
      break;
    }
    index += frameCount(found.header);
    offset += found.header.length;
  }
  return { note: `${file}: ${range.size - range.end} bytes behind byte ${range.end} were left by a crash` };
}

function firstSector(offset: number): number {
  return SECTOR_BYTES - (offset % SECTOR_BYTES);
}

function lostSector(frame: Buffer, offset: number): boolean {
  for (let from = 0, to = firstSector(offset); from < frame.length; from = to, to += SECTOR_BYTES) {
    const sector = frame.subarray(from, Math.min(to, frame.length));
    if (sector.length >= ZEROS_MIN && isZero(sector)) return true;
  }
  return false;
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
