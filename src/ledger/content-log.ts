// The segment file that is being written. One frame at a time: write, sync, and only then anything else. Nothing here knows
// what is in a frame.
//
// After a sync that failed nobody can say what is on the disk, so nothing more is written by this process: `broken` says why.
// A write that failed for want of room is different: nothing of it was acknowledged, the file is cut back to where it was,
// and the next attempt may find room again.

import { type Disk, DiskError, type DiskFile } from '../disk/disk.ts';
import {
  encodeSegmentHeader,
  extendChain,
  originHash,
  SEGMENT_HEADER_BYTES,
} from '../sealed/segment-header.ts';
import { LedgerError } from './ledger.ts';
import { type LedgerPaths, segmentPath } from './paths.ts';

/** Where the next frame goes, and the chain over everything before it. */
export interface ContentPosition {
  readonly segment: number;
  readonly offset: number;
  readonly chain: Buffer;
}

export class ContentLog {
  readonly #disk: Disk;
  readonly #paths: LedgerPaths;
  readonly #originHash: Buffer;
  #position: ContentPosition;
  /** Where the segment before this one ends. */
  #previous: ContentPosition;
  #file: DiskFile;
  #broken: string | undefined;

  private constructor(
    disk: Disk,
    paths: LedgerPaths,
    origin: string,
    position: ContentPosition,
    previous: ContentPosition,
  ) {
    this.#disk = disk;
    this.#paths = paths;
    this.#originHash = originHash(origin);
    this.#position = position;
    this.#previous = previous;
    this.#file = disk.open(segmentPath(paths, position.segment), 'write');
  }

  /** Goes on at the end of an existing segment that has frames. */
  static resume(disk: Disk, paths: LedgerPaths, origin: string, position: ContentPosition): ContentLog {
    return new ContentLog(disk, paths, origin, position, position);
  }

  /** Begins a new segment, holding `frames` that are already part of the log, behind the one that ends at `previous`. */
  static begin(
    disk: Disk,
    paths: LedgerPaths,
    origin: string,
    start: { previous: ContentPosition; epoch: number; first: number; frames: Iterable<Buffer> },
  ): ContentLog {
    const position = writeSegment(disk, paths, originHash(origin), start);
    disk.syncDirectory(paths.content);
    return new ContentLog(disk, paths, origin, position, start.previous);
  }

  get position(): ContentPosition {
    return this.#position;
  }

  get broken(): string | undefined {
    return this.#broken;
  }

  /** Makes the frame durable, or throws and leaves the log as it was (or broken). */
  append(frame: Buffer): void {
    this.assertWritable();
    const { segment, offset, chain } = this.#position;
    try {
      this.#file.write(frame, offset);
    } catch (error) {
      this.#cutBack(error, offset);
    }
    try {
      this.#file.sync();
    } catch (error) {
      throw this.#breakDown(`a sync of "${this.#file.path}" failed`, error);
    }
    this.#position = { segment, offset: offset + frame.length, chain: extendChain(chain, frame) };
  }

  /**
   * Closes the current segment and begins the next one. A segment without frames is replaced instead, so that only the last
   * one of a log can be without: recovery relies on it.
   */
  roll(epoch: number, first: number): void {
    this.assertWritable();
    const previous = this.#position.offset === SEGMENT_HEADER_BYTES ? this.#previous : this.#position;
    const start = { previous, epoch, first, frames: [] };
    let position: ContentPosition;
    try {
      position = writeSegment(this.#disk, this.#paths, this.#originHash, start);
    } catch (error) {
      if (error instanceof DiskError && error.code === 'full') throw diskFull(error);
      throw this.#breakDown(`segment ${this.#position.segment + 1} could not be begun`, error);
    }
    try {
      this.#disk.syncDirectory(this.#paths.content);
      this.#file.close();
      this.#file = this.#disk.open(segmentPath(this.#paths, position.segment), 'write');
    } catch (error) {
      // For want of room too: the new name is there, and would cut off whatever followed in the old segment.
      throw this.#breakDown(`segment ${position.segment} could not be put in place`, error);
    }
    this.#position = position;
    this.#previous = previous;
  }

  close(): void {
    this.#file.close();
  }

  assertWritable(): void {
    if (this.#broken !== undefined) {
      throw new LedgerError(
        'stopped',
        `Cannot append: the writer has stopped because ${this.#broken}. Find out what is wrong with the disk, then restart; what was acknowledged is safe.`,
      );
    }
  }

  #cutBack(error: unknown, offset: number): never {
    if (!(error instanceof DiskError && error.code === 'full')) {
      throw this.#breakDown(`a write to "${this.#file.path}" failed`, error);
    }
    try {
      this.#file.truncate(offset);
      this.#file.sync();
    } catch (cause) {
      throw this.#breakDown(`"${this.#file.path}" could not be cut back on a full disk`, cause);
    }
    throw diskFull(error);
  }

  #breakDown(why: string, cause: unknown): LedgerError {
    this.#broken = `${why}: ${cause instanceof Error ? cause.message : String(cause)}`;
    return new LedgerError(
      'stopped',
      `Cannot append: ${this.#broken}. Nothing more is written until a restart.`,
      {
        cause,
      },
    );
  }
}

export function diskFull(cause: DiskError): LedgerError {
  return new LedgerError(
    'disk-full',
    `Cannot append: ${cause.message}. Nothing of it was kept; free some room and send it again.`,
    { cause, retryAfterSeconds: 10 },
  );
}

/**
 * Writes a whole segment under a temporary name and renames it, so that a segment of this name either does not exist or is
 * complete. A crash before the caller has made the name durable leaves a temporary file, which the next attempt overwrites.
 */
function writeSegment(
  disk: Disk,
  paths: LedgerPaths,
  origin: Buffer,
  start: { previous: ContentPosition; epoch: number; first: number; frames: Iterable<Buffer> },
): ContentPosition {
  const { previous, epoch, first, frames } = start;
  const segment = previous.segment + 1;
  const path = segmentPath(paths, segment);
  const temporary = `${path}.tmp`;
  disk.remove(temporary);
  const file = disk.open(temporary, 'create');
  const header = encodeSegmentHeader({
    segment,
    epoch,
    first,
    previousChain: previous.chain,
    previousLength: previous.segment === 0 ? 0 : previous.offset,
    originHash: origin,
  });
  let offset = header.length;
  let chain = extendChain(previous.chain, header);
  try {
    file.write(header, 0);
    for (const frame of frames) {
      file.write(frame, offset);
      offset += frame.length;
      chain = extendChain(chain, frame);
    }
    file.sync();
  } finally {
    file.close();
  }
  disk.rename(temporary, path);
  return { segment, offset, chain };
}
