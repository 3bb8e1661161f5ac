// Reading a ledger's entries back: forwards from an index, backwards from the end, one frame in memory at a time. Independent
// of the writer but for one thing: the caller says where the log ends, because a frame that is being written is not there yet.

import { isProblem, type ProblemFound } from '../bytes/problem.ts';
import { type Disk, DiskError } from '../disk/disk.ts';
import type { EpochKeys } from '../keys/epoch-keys.ts';
import { KeyError } from '../keys/root-key.ts';
import { type Checkpoint, openCheckpoint } from '../merkle/checkpoint.ts';
import type { VerifierKey } from '../merkle/note.ts';
import { discloseCommitted, discloseControl, encodeProofFile } from '../merkle/proof-file.ts';
import { tileHashReader } from '../merkle/tiles.ts';
import { inclusionProof } from '../merkle/tree.ts';
import { frameCount, parseControls, parseFrame } from '../sealed/frame-layout.ts';
import { openFrame } from '../sealed/open-frame.ts';
import { SEGMENT_HEADER_BYTES } from '../sealed/segment-header.ts';
import { DictionaryShelf } from './dictionary-shelf.ts';
import { type FoundFrame, FrameFinder } from './frame-finder.ts';
import { type EntryKind, LedgerError, type StoredEntry } from './ledger.ts';
import type { LedgerPaths } from './paths.ts';
import { PublishedTiles } from './published-tiles.ts';
import { SegmentReader } from './segment-reader.ts';

export interface LogEnd {
  readonly segment: number;
  readonly offset: number;
}

export interface ReaderOptions {
  readonly disk: Disk;
  readonly paths: LedgerPaths;
  readonly origin: string;
  readonly verifierKey: VerifierKey;
  readonly epochKeys: EpochKeys;
}

/** The entries of one frame, in the order of the log. */
export interface FrameEntries {
  readonly first: number;
  readonly entries: readonly StoredEntry[];
  /** 32 bytes for each entry that is not a control entry. */
  readonly salts: Buffer;
}

export class LedgerReader {
  readonly #options: ReaderOptions;
  readonly #finder: FrameFinder;
  readonly #dictionaries: DictionaryShelf;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#finder = new FrameFinder(options.disk, options.paths);
    this.#dictionaries = new DictionaryShelf(this.#finder, options.origin, options.epochKeys);
  }

  /** Frames from the newest to the one that holds `from`. */
  *backwards(end: LogEnd, from = 0): Generator<FrameEntries> {
    let { segment, offset } = end;
    while (segment >= 1) {
      const reader = this.#open(segment);
      try {
        while (offset > SEGMENT_HEADER_BYTES) {
          const start = reader.frameStartBefore(offset);
          if (typeof start !== 'number') throw this.#unreadable(segment, offset, start);
          const frame = this.#openFrameAt(reader, start, offset);
          yield frame;
          if (frame.first <= from) return;
          offset = start;
        }
        segment = reader.header.segment - 1;
        offset = reader.header.previousLength;
      } finally {
        reader.close();
      }
    }
  }

  /** Frames from the one that holds `from` to the end. */
  *forwards(from: number, end: LogEnd): Generator<FrameEntries> {
    const found = this.#finder.readFrameAt(from);
    if (isProblem(found)) return;
    let { segment, offset } = found;
    for (;;) {
      const reader = this.#open(segment);
      try {
        const stop = segment === end.segment ? end.offset : this.#endOf(segment);
        while (offset < stop) {
          const header = reader.frameHeaderAt(offset);
          if (isProblem(header)) throw this.#unreadable(segment, offset, header);
          yield this.#openFrameAt(reader, offset, offset + header.length);
          offset += header.length;
        }
      } finally {
        reader.close();
      }
      if (segment >= end.segment) return;
      segment++;
      offset = SEGMENT_HEADER_BYTES;
    }
  }

  /** Where the frame ends that holds the entry. */
  endOfFrameWith(index: number): LogEnd {
    const found = this.#find(index);
    return { segment: found.segment, offset: found.offset + found.frame.length };
  }

  /** One entry with its salt (empty for a control entry). */
  entryAt(index: number): { readonly entry: StoredEntry; readonly salt: Buffer } {
    const found = this.#finder.readFrameAt(index);
    if (isProblem(found)) {
      throw new LedgerError(
        'not-found',
        `Cannot read entry ${index} of "${this.#options.origin}": ${found.problem}.`,
      );
    }
    const frame = this.#openFrame(found.frame, found.epoch);
    if (isProblem(frame)) throw this.#unreadable(found.segment, found.offset, frame);
    const at = index - frame.first;
    const entry = frame.entries[at]!;
    const controls = frame.entries.length - frame.salts.length / 32;
    const salt = frame.salts.subarray(32 * Math.max(0, at - controls), 32 * Math.max(0, at - controls + 1));
    return { entry, salt };
  }

  checkpoint(): { readonly checkpoint: Checkpoint; readonly note: Uint8Array } {
    const note = this.#options.disk.readFile(this.#options.paths.checkpoint);
    const checkpoint = note === undefined ? undefined : openCheckpoint(note, this.#options.verifierKey);
    if (note !== undefined && checkpoint !== undefined && !isProblem(checkpoint)) return { checkpoint, note };
    throw new LedgerError(
      'damaged',
      `Cannot prove: "${this.#options.paths.checkpoint}" is not a checkpoint of this log.`,
    );
  }

  /** The tlog-proof file for an entry under the newest checkpoint. */
  prove(index: number): Buffer {
    const { checkpoint, note } = this.checkpoint();
    if (index >= checkpoint.size) {
      throw new LedgerError(
        'not-found',
        `Cannot prove entry ${index} of "${checkpoint.origin}": the newest checkpoint covers entries 0 to ${checkpoint.size - 1}.`,
      );
    }
    const { entry, salt } = this.entryAt(index);
    const extra =
      entry.kind === 'control'
        ? discloseControl(entry.bytes)
        : discloseCommitted(entry.kind, salt, entry.bytes);
    const tiles = new PublishedTiles(this.#options.disk, this.#options.paths.directory);
    const proof = inclusionProof(index, checkpoint.size, tileHashReader(checkpoint.size, tiles.read));
    return encodeProofFile({ extra, index, proof, checkpoint: note });
  }

  #find(index: number): FoundFrame {
    const found = this.#finder.readFrameAt(index);
    if (!isProblem(found)) return found;
    throw new LedgerError(
      'not-found',
      `Cannot read entry ${index} of "${this.#options.origin}": ${found.problem}.`,
    );
  }

  #openFrameAt(reader: SegmentReader, start: number, end: number): FrameEntries {
    const { segment, epoch } = reader.header;
    const bytes = reader.frameAt(start, end);
    const frame = isProblem(bytes) ? bytes : this.#openFrame(bytes, epoch);
    if (isProblem(frame)) throw this.#unreadable(segment, start, frame);
    return frame;
  }

  #openFrame(bytes: Buffer, epoch: number): FrameEntries | ProblemFound {
    const parsed = parseFrame(bytes);
    if (isProblem(parsed)) return parsed;
    const { header, sections } = parsed;
    const entries: StoredEntry[] = [];
    const add = (kind: EntryKind, items: readonly Uint8Array[]): void => {
      for (const item of items) entries.push({ index: header.first + entries.length, kind, bytes: item });
    };
    if (sections.control !== undefined) {
      const controls = parseControls(sections.control, header.controls);
      if (isProblem(controls)) return controls;
      add(
        'control',
        controls.map((entry) => entry.subarray(1)),
      );
    }
    if (frameCount(header) === header.controls)
      return { first: header.first, entries, salts: Buffer.alloc(0) };
    const { origin, epochKeys } = this.#options;
    const secrets = { origin, epoch, epochKey: epochKeys.get(epoch).key };
    const opened = openFrame(bytes, secrets, (index) => this.#dictionaries.fetch(index, epoch));
    if (isProblem(opened)) return opened;
    add('record', opened.records);
    add('quarantined', opened.quarantined);
    return { first: header.first, entries, salts: opened.salts };
  }

  #endOf(segment: number): number {
    const next = this.#open(segment + 1);
    next.close();
    return next.header.previousLength;
  }

  #open(segment: number): SegmentReader {
    try {
      const reader = SegmentReader.open(this.#options.disk, this.#options.paths, segment);
      if (!isProblem(reader)) return reader;
      throw this.#unreadable(segment, 0, reader);
    } catch (cause) {
      if (cause instanceof LedgerError || cause instanceof KeyError || !(cause instanceof DiskError))
        throw cause;
      throw new LedgerError('damaged', `Cannot read ledger "${this.#options.origin}": ${cause.message}`, {
        cause,
      });
    }
  }

  #unreadable(segment: number, offset: number, { problem }: ProblemFound): LedgerError {
    return new LedgerError(
      'damaged',
      `Cannot read ledger "${this.#options.origin}": segment ${segment} at byte ${offset}: ${problem}. Run portledger verify to see the extent.`,
    );
  }
}
