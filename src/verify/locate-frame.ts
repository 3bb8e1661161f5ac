// Where is the frame of a given entry? A frame compressed against a dictionary names the frame that holds it by index, and a
// check may begin anywhere after it.
//
// The newest content entry before the wanted one says where its own frame begins; from there it is a matter of walking headers.

import { isProblem, type ProblemFound } from '../bytes/problem.ts';
import { ENTRY_KIND } from '../merkle/entry.ts';
import { TILE_WIDTH } from '../merkle/tiles.ts';
import { parseSegmentHeader, SEGMENT_HEADER_BYTES } from '../sealed/segment-header.ts';
import { parseControlBody } from './control-entries.ts';
import { type FrameAt, FrameReader, segmentFile } from './frame-reader.ts';
import type { Source } from './source.ts';
import { readBundle } from './tile-files.ts';

/** A million entries: content entries are written every second, if there is anything to publish. */
const BUNDLES_BACK_MAX = 4096;

export async function locateFrame(
  source: Source,
  ledger: string,
  size: number,
  first: number,
): Promise<FrameAt | ProblemFound> {
  const place = await contentBefore(source, ledger, size, first);
  if (isProblem(place)) return place;
  let { segment, offset } = place;
  for (;;) {
    const end = await segmentEnd(source, ledger, segment);
    if (end === undefined) return { problem: `segment ${segment} is missing` };
    const reader = new FrameReader(source, segmentFile(ledger, segment), 64 * 1024);
    while (offset < end) {
      const header = await reader.headerAt(offset, end);
      if (isProblem(header)) return header;
      if (header.first === first) return reader.frameAt(offset, end);
      if (header.first > first) return { problem: 'no frame begins with that entry' };
      offset += header.length;
    }
    segment++;
    offset = SEGMENT_HEADER_BYTES;
  }
}

async function contentBefore(
  source: Source,
  ledger: string,
  size: number,
  index: number,
): Promise<{ readonly segment: number; readonly offset: number } | ProblemFound> {
  let last = Math.min(index, size - 1);
  for (let back = 0; back < BUNDLES_BACK_MAX && last >= 0; back++) {
    const bundle = Math.floor(last / TILE_WIDTH);
    const width = Math.min(TILE_WIDTH, size - bundle * TILE_WIDTH);
    const found = await readBundle(source, ledger, { index: bundle, width });
    if (isProblem(found)) return found;
    const { bytes, starts, ends } = found.entries;
    for (let at = last % TILE_WIDTH; at >= 0; at--) {
      if (bytes[starts[at]!] !== ENTRY_KIND.control) continue;
      const control = parseControlBody(bytes.subarray(starts[at]! + 1, ends[at]));
      if (!isProblem(control) && control.type === 'content') return control;
    }
    last = bundle * TILE_WIDTH - 1;
  }
  return last < 0
    ? { segment: 1, offset: SEGMENT_HEADER_BYTES }
    : { problem: 'there is no content entry near it' };
}

async function segmentEnd(source: Source, ledger: string, segment: number): Promise<number | undefined> {
  const size = await source.size(segmentFile(ledger, segment));
  if (size === undefined) return undefined;
  const next = parseSegmentHeader(
    await source.read(segmentFile(ledger, segment + 1), 0, SEGMENT_HEADER_BYTES),
  );
  return isProblem(next) ? size : Math.min(size, next.previousLength);
}
