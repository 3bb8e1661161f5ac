// Entry index → the frame that holds it. Segments say their first index in their headers; inside a segment, headers are walked
// from the nearest known place, and places are remembered every half mebibyte.

import { isProblem, type ProblemFound } from '../bytes/problem.ts';
import { type Disk, DiskError } from '../disk/disk.ts';
import { SEGMENT_HEADER_BYTES } from '../sealed/segment-header.ts';
import type { LedgerPaths } from './paths.ts';
import { listSegments, SegmentReader } from './segment-reader.ts';

export interface FoundFrame {
  readonly frame: Buffer;
  readonly segment: number;
  readonly offset: number;
  readonly epoch: number;
}

interface Place {
  readonly first: number;
  readonly offset: number;
}

const PLACES_EVERY_BYTES = 512 * 1024;

export class FrameFinder {
  readonly #disk: Disk;
  readonly #paths: LedgerPaths;
  /** Known first indexes of segments, ascending. A segment can be written again by recovery, never by a running writer. */
  readonly #segments: { readonly number: number; readonly first: number }[] = [];
  readonly #places = new Map<number, Place[]>();

  constructor(disk: Disk, paths: LedgerPaths) {
    this.#disk = disk;
    this.#paths = paths;
  }

  readFrameAt(index: number): FoundFrame | ProblemFound {
    const segment = this.#segmentOf(index);
    if (segment === undefined) return { problem: `no segment holds entry ${index}` };
    const reader = this.#open(segment);
    if (isProblem(reader)) return reader;
    try {
      const places = this.#placesOf(segment);
      const from = places.findLast((place) => place.first <= index)?.offset ?? SEGMENT_HEADER_BYTES;
      const end = reader.size();
      const offset = reader.findFrame(index, from, end, (first, at) => {
        if (at >= places.at(-1)!.offset + PLACES_EVERY_BYTES) places.push({ first, offset: at });
      });
      if (typeof offset !== 'number') return offset;
      const frame = reader.frameAt(offset, end);
      return isProblem(frame) ? frame : { frame, segment, offset, epoch: reader.header.epoch };
    } finally {
      reader.close();
    }
  }

  #placesOf(segment: number): Place[] {
    let places = this.#places.get(segment);
    if (places === undefined) {
      places = [{ first: 0, offset: SEGMENT_HEADER_BYTES }];
      this.#places.set(segment, places);
    }
    return places;
  }

  #segmentOf(index: number): number | undefined {
    const known = this.#segments.findLast((segment) => segment.first <= index);
    if (known !== undefined && known !== this.#segments.at(-1)) return known.number;
    const after = this.#segments.at(-1)?.number ?? 0;
    for (const number of listSegments(this.#disk, this.#paths)) {
      if (number <= after) continue;
      const reader = this.#open(number);
      if (isProblem(reader)) continue;
      this.#segments.push({ number, first: reader.header.first });
      reader.close();
    }
    return this.#segments.findLast((segment) => segment.first <= index)?.number;
  }

  #open(segment: number): SegmentReader | ProblemFound {
    try {
      return SegmentReader.open(this.#disk, this.#paths, segment);
    } catch (error) {
      if (error instanceof DiskError) return { problem: error.message };
      throw error;
    }
  }
}
