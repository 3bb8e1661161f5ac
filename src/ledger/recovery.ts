// What a writer finds when it opens a ledger, and how it gets from there to a log that goes on.
//
//   0 ────────────── settled ─────────────── anchored ──────────── acknowledged ──── torn
//      tiles known       tiles written, maybe     frames synced,       the last write,
//      to be durable     lost: made again         never signed         cut short
//
// 1. Start at the last size whose tiles are known to be durable (`settled.json`; at 0 without it).
// 2. Replay frames. Up to the anchor every byte must be there and lead to the anchor's root: otherwise the ledger is damaged
//    or was rolled back, and nothing is changed or signed.
// 3. Behind the anchor, whole frames are kept: they may have been acknowledged. They are copied to a new segment and synced
//    there before anything else, because a page cache can show bytes that a failed sync never brought to the disk. A `content`
//    entry at the very end belongs to a publication that was cut short; it is dropped, the next publication makes its own.
// 4. Tiles beyond the anchor are removed; those since `settled` are written again.
//
// Recovering twice gives what recovering once gives: each step only repeats what a crash in it left unfinished.

import { hash } from 'node:crypto';
import { isProblem, type ProblemFound } from '../bytes/problem.ts';
import type { Disk } from '../disk/disk.ts';
import type { EpochKeys } from '../keys/epoch-keys.ts';
import { type Checkpoint, openCheckpoint } from '../merkle/checkpoint.ts';
import { ENTRY_KIND } from '../merkle/entry.ts';
import type { VerifierKey } from '../merkle/note.ts';
import { TILE_WIDTH } from '../merkle/tiles.ts';
import { parseControls, parseFrame } from '../sealed/frame-layout.ts';
import { type OpenedFrame, openFrame } from '../sealed/open-frame.ts';
import { EMPTY_CHAIN, extendChain, SEGMENT_HEADER_BYTES } from '../sealed/segment-header.ts';
import { ContentLog, type ContentPosition } from './content-log.ts';
import { type ContentBody, parseControlBody } from './control-entries.ts';
import { DictionaryShelf } from './dictionary-shelf.ts';
import { FrameFinder } from './frame-finder.ts';
import { LedgerError } from './ledger.ts';
import { type LedgerPaths, segmentPath } from './paths.ts';
import { PublishedTiles } from './published-tiles.ts';
import { parseRequestNotes, RequestJournal } from './request-journal.ts';
import { listSegments, SegmentReader } from './segment-reader.ts';
import { readSettled } from './settled.ts';
import { type TileFile, TreeEdge } from './tree-edge.ts';

export interface RecoveryOptions {
  readonly disk: Disk;
  readonly paths: LedgerPaths;
  readonly origin: string;
  readonly verifierKey: VerifierKey;
  readonly epochKeys: EpochKeys;
  /** Take the data directory's own checkpoint for the anchor: an operator has decided so. */
  readonly adopt?: boolean | undefined;
}

export interface Counters {
  records: number;
  quarantined: number;
}

export interface RecoveredLog {
  readonly edge: TreeEdge;
  readonly tiles: PublishedTiles;
  readonly content: ContentLog;
  readonly epoch: { readonly number: number; readonly name: string };
  readonly counters: Counters;
  readonly requests: RequestJournal;
  readonly published: Checkpoint;
  /** Size up to which tiles are known to be durable. */
  readonly settledSize: number;
  /** Tiles up to the published size that were not known to be durable: written again, still to be synced. */
  readonly tilesToSync: readonly string[];
  /** Bytes of a frame that was being written when the previous process ended. */
  readonly tornBytes: number;
}

/** Undefined for a ledger that has never published anything. */
export function recoverLog(options: RecoveryOptions): RecoveredLog | undefined {
  const anchor = findAnchor(options);
  if (anchor === undefined) return undefined;
  return new Replay(options, anchor).run();
}

/** Replays the log as far as the anchor and changes nothing. Throws what `recoverLog` would throw. */
export function assertMatchesAnchor(options: RecoveryOptions): void {
  const anchor = findAnchor(options);
  if (anchor !== undefined) new Replay(options, anchor).look();
}

function findAnchor(options: RecoveryOptions): Checkpoint | undefined {
  const { disk, paths } = options;
  const published = readCheckpoint(options, paths.checkpoint);
  const anchor = readCheckpoint(options, paths.anchor);
  if (options.adopt && published !== undefined) return published;
  if (anchor === undefined) {
    if (published !== undefined) {
      throw new LedgerError(
        'unlike-anchor',
        `Cannot open ledger "${options.origin}": it has a checkpoint of size ${published.size}, but "${paths.anchor}" does not exist, expected the anchor of the last signed checkpoint. Restore the state directory, or accept the log as it is with: portledger doctor --adopt --yes`,
      );
    }
    // Something was settled, so a checkpoint was published: also where the whole content is gone.
    if (holdsMoreThanAFounding(disk, paths) || disk.readFile(paths.settled) !== undefined) {
      throw new LedgerError(
        'damaged',
        `Cannot open ledger "${options.origin}": it was published before, but has neither a checkpoint nor an anchor any more. Restore both.`,
      );
    }
    return undefined;
  }
  if (published !== undefined && published.size > anchor.size) {
    throw new LedgerError(
      'unlike-anchor',
      `Cannot open ledger "${options.origin}": its checkpoint has size ${published.size}, its anchor "${paths.anchor}" only ${anchor.size}: the state directory is older than the data. Restore the newest state directory, or accept the log as it is with: portledger doctor --adopt --yes`,
    );
  }
  return anchor;
}

/** More than two control entries in two frames and their segment's header take. */
const FOUNDING_BYTES_MAX = 1024;

/**
 * A first start that a crash cut short leaves one segment without anything that was ever acknowledged, and that is swept away.
 * What is more was published once: its checkpoint and its anchor have been lost since.
 */
function holdsMoreThanAFounding(disk: Disk, paths: LedgerPaths): boolean {
  const segments = listSegments(disk, paths);
  if (segments.length === 0) return false;
  if (segments.length > 1 || segments[0] !== 1) return true;
  const reader = SegmentReader.open(disk, paths, 1);
  if (isProblem(reader)) return true;
  try {
    if (reader.size() > FOUNDING_BYTES_MAX) return true;
    for (let offset = SEGMENT_HEADER_BYTES; ; ) {
      const header = reader.frameHeaderAt(offset);
      if (isProblem(header)) return false;
      if (header.records + header.quarantined > 0) return true;
      offset += header.length;
    }
  } finally {
    reader.close();
  }
}

export function readCheckpoint(
  options: Pick<RecoveryOptions, 'disk' | 'origin' | 'verifierKey'>,
  path: string,
): Checkpoint | undefined {
  const bytes = options.disk.readFile(path);
  if (bytes === undefined) return undefined;
  const checkpoint = openCheckpoint(bytes, options.verifierKey);
  if (!isProblem(checkpoint)) return checkpoint;
  throw new LedgerError(
    'damaged',
    `Cannot open ledger "${options.origin}": "${path}" is not a checkpoint signed by its key: ${checkpoint.problem}.`,
  );
}

/** What lies behind the anchor. */
interface FoundTail {
  readonly tail: Buffer[];
  readonly lastSegment: number;
  /** A content entry at the very end, whose checkpoint never came. */
  readonly droppedFrame: boolean;
  readonly tornBytes: number;
}

class Replay {
  readonly #options: RecoveryOptions;
  readonly #anchor: Checkpoint;
  readonly #tiles: PublishedTiles;
  readonly #requests: RequestJournal;
  readonly #dictionaries: DictionaryShelf;
  #edge = TreeEdge.empty();
  #epoch = { number: 0, name: '' };
  #counters: Counters = { records: 0, quarantined: 0 };
  /** Where the replay stands, and where it stood at the anchor. */
  #position: ContentPosition = { segment: 0, offset: 0, chain: Buffer.from(EMPTY_CHAIN) };
  #anchored: ContentPosition | undefined;
  #settledSize = 0;
  /** What the published size needs on disk and settling had not reached. */
  #anchorTiles: TileFile[] = [];

  constructor(options: RecoveryOptions, anchor: Checkpoint) {
    this.#options = options;
    this.#anchor = anchor;
    this.#tiles = new PublishedTiles(options.disk, options.paths.directory);
    this.#requests = new RequestJournal(options.disk, options.paths.cache);
    const finder = new FrameFinder(options.disk, options.paths);
    this.#dictionaries = new DictionaryShelf(finder, options.origin, options.epochKeys);
  }

  run(): RecoveredLog {
    return this.#goOn(this.look());
  }

  /** Reads everything and changes nothing. Throws where the log is damaged or does not match its anchor. */
  look(): FoundTail {
    this.#startAtSettled();
    const tail: Buffer[] = [];
    let tornBytes = 0;
    let droppedFrame = false;
    const segments = listSegments(this.#options.disk, this.#options.paths);
    const last = segments.at(-1) ?? 0;
    for (let segment = Math.max(1, this.#position.segment); segment <= last; segment++) {
      const reader = this.#openSegment(segment);
      try {
        const end = segment === last ? reader.size() : this.#endOf(segment);
        if (this.#position.segment < segment) this.#enterSegment(reader);
        while (this.#position.offset < end) {
          const frame = this.#readFrame(reader, end);
          if (isProblem(frame)) {
            tornBytes = this.#acceptTornEnd(reader, segment === last, end, frame.problem);
            break;
          }
          if (this.#anchored !== undefined && this.#isUnfinishedPublication(frame)) {
            droppedFrame = true;
            tornBytes = end - this.#position.offset - frame.length;
            break;
          }
          this.#apply(frame, reader.header.epoch);
          if (this.#anchored !== undefined) tail.push(frame);
          this.#checkAnchor();
        }
      } finally {
        reader.close();
      }
    }
    if (this.#anchored === undefined) this.#refuseRollback();
    return { tail, lastSegment: last, droppedFrame, tornBytes };
  }

  #startAtSettled(): void {
    const { disk, paths } = this.#options;
    const settled = readSettled(disk, paths, this.#options.epochKeys);
    if (
      settled === undefined ||
      settled.size > this.#anchor.size ||
      !this.#requests.restore(settled.requests)
    ) {
      // Without the cache everything is replayed from the beginning: slower, the same result.
      this.#requests.clear();
      return;
    }
    const width = settled.size % TILE_WIDTH;
    try {
      const tile = { level: 0, index: Math.floor(settled.size / TILE_WIDTH), width };
      const bundle = width > 0 ? this.#tiles.readBundle(tile) : undefined;
      this.#edge = TreeEdge.fromTiles(settled.size, this.#tiles.read, bundle);
    } catch (cause) {
      throw this.#damaged(`the tiles at size ${settled.size} cannot be read`, cause);
    }
    if (Buffer.from(this.#edge.root()).toString('hex') !== settled.root) {
      throw this.#damaged(`the tiles at the right edge of size ${settled.size} do not give its root`);
    }
    this.#counters = { records: settled.records, quarantined: settled.quarantined };
    this.#epoch = settled.epoch;
    this.#settledSize = settled.size;
    this.#position = this.#positionAfterPublication(settled.size);
    this.#checkAnchor();
  }

  /** Where the frame ends whose content entry is the last entry of a published size. */
  #positionAfterPublication(size: number): ContentPosition {
    const index = Math.floor((size - 1) / TILE_WIDTH);
    const at = (size - 1) % TILE_WIDTH;
    const slab = this.#tiles.readBundle({ level: 0, index, width: at + 1 });
    const entry = Buffer.from(slab.bytes.subarray(slab.starts[at], slab.ends[at]));
    const body = entry[0] === ENTRY_KIND.control ? parseControlBody(entry.subarray(1)) : undefined;
    if (body?.type !== 'content') {
      throw this.#damaged(`entry ${size - 1}, the last of a published size, does not say where content ends`);
    }
    const content: ContentBody = body;
    const reader = this.#openSegment(content.segment);
    try {
      const frame = reader.frameAt(content.offset, reader.size());
      if (isProblem(frame))
        throw this.#damaged(`segment ${content.segment} at byte ${content.offset}: ${frame.problem}`);
      const chain = extendChain(Buffer.from(content.chain, 'hex'), frame);
      return { segment: content.segment, offset: content.offset + frame.length, chain };
    } finally {
      reader.close();
    }
  }

  #enterSegment(reader: SegmentReader): void {
    const { segment, first, previousChain, previousLength } = reader.header;
    const expectedLength = this.#position.segment === 0 ? 0 : this.#position.offset;
    if (
      first !== this.#edge.size ||
      previousLength !== expectedLength ||
      !this.#position.chain.equals(previousChain)
    ) {
      throw this.#damaged(`segment ${segment} does not go on where segment ${segment - 1} ends`);
    }
    const chain = extendChain(this.#position.chain, reader.bytesAt(0, SEGMENT_HEADER_BYTES));
    this.#position = { segment, offset: SEGMENT_HEADER_BYTES, chain };
  }

  /** A segment ends where the next one says, which need not be where the file ends. */
  #endOf(segment: number): number {
    const next = this.#openSegment(segment + 1);
    next.close();
    return next.header.previousLength;
  }

  #readFrame(reader: SegmentReader, end: number): Buffer | ProblemFound {
    const frame = reader.frameAt(this.#position.offset, end);
    if (isProblem(frame)) return frame;
    const parsed = parseFrame(frame);
    if (isProblem(parsed)) return parsed;
    if (parsed.header.first !== this.#edge.size) {
      return { problem: `the frame begins at entry ${parsed.header.first}, expected ${this.#edge.size}` };
    }
    return frame;
  }

  #isUnfinishedPublication(frame: Buffer): boolean {
    const parsed = parseFrame(frame);
    if (isProblem(parsed) || parsed.header.records > 0 || parsed.header.quarantined > 0) return false;
    const entries = parseControls(parsed.sections.control!, parsed.header.controls);
    return !isProblem(entries) && parseControlBody(entries[0]!.subarray(1))?.type === 'content';
  }

  #apply(frame: Buffer, epoch: number): void {
    const parsed = parseFrame(frame);
    if (isProblem(parsed)) throw this.#damaged(parsed.problem);
    const { header, sections } = parsed;
    if (sections.control !== undefined) this.#applyControls(sections.control, header.controls);
    if (header.records + header.quarantined > 0) {
      const secrets = {
        origin: this.#options.origin,
        epoch,
        epochKey: this.#options.epochKeys.get(epoch).key,
      };
      const opened = openFrame(frame, secrets, (index) => this.#dictionaries.fetch(index, epoch));
      if (isProblem(opened)) {
        throw this.#damaged(
          `segment ${this.#position.segment} at byte ${this.#position.offset}: ${opened.problem}`,
        );
      }
      const commitments = commitmentsOf(opened);
      this.#edge.appendCommitments('record', commitments.subarray(0, 32 * header.records));
      this.#edge.appendCommitments('quarantined', commitments.subarray(32 * header.records));
      this.#counters.records += header.records;
      this.#counters.quarantined += header.quarantined;
      if (opened.requests !== undefined)
        this.#requests.remember(header.first, header.controls, parseRequestNotes(opened.requests));
    }
    const { segment, offset, chain } = this.#position;
    this.#position = { segment, offset: offset + frame.length, chain: extendChain(chain, frame) };
  }

  #applyControls(section: Buffer, count: number): void {
    const entries = parseControls(section, count);
    if (isProblem(entries)) throw this.#damaged(entries.problem);
    for (const entry of entries) {
      const body = parseControlBody(entry.subarray(1));
      if (body?.type === 'epoch-opened') this.#epoch = { number: body.epoch, name: body.name };
    }
    this.#edge.appendControls(entries);
  }

  #checkAnchor(): void {
    if (this.#anchored !== undefined || this.#edge.size < this.#anchor.size) return;
    const same =
      this.#edge.size === this.#anchor.size && Buffer.compare(this.#edge.root(), this.#anchor.root) === 0;
    if (!same) {
      throw new LedgerError(
        'unlike-anchor',
        `Cannot open ledger "${this.#options.origin}": its content gives another root than the anchor of size ${this.#anchor.size}. It was changed, or belongs to another history. Restore the data directory, or accept the log as it is with: portledger doctor --adopt --yes`,
      );
    }
    this.#anchored = this.#position;
    this.#anchorTiles = this.#edge.takeTiles(this.#settledSize);
  }

  /** A frame that does not parse: right at the end of the log's last, unsigned write, and damage anywhere else. */
  #acceptTornEnd(reader: SegmentReader, isLastSegment: boolean, end: number, problem: string): number {
    const { segment, offset } = this.#position;
    const where = `segment ${segment} at byte ${offset} (entry ${this.#edge.size}): ${problem}`;
    if (this.#anchored === undefined || !isLastSegment) throw this.#damaged(where);
    const rest = reader.bytesAt(offset + 1, end - offset - 1);
    // One frame is in flight at a time, so nothing whole can follow a torn one.
    for (
      let at = rest.indexOf('PLF\x01', 0, 'latin1');
      at >= 0;
      at = rest.indexOf('PLF\x01', at + 1, 'latin1')
    ) {
      const frame = reader.frameAt(offset + 1 + at, end);
      if (!isProblem(frame) && !isProblem(parseFrame(frame)))
        throw this.#damaged(`${where}; whole frames follow it`);
    }
    return end - offset;
  }

  #refuseRollback(): never {
    throw new LedgerError(
      'behind-anchor',
      `Cannot open ledger "${this.#options.origin}": it holds ${this.#edge.size} entries, its anchor says ${this.#anchor.size} were signed. The data directory is an old copy, or its end is missing. Restore the newest data directory, or accept the log as it is with: portledger doctor --adopt --yes`,
    );
  }

  #goOn({ tail, lastSegment, droppedFrame, tornBytes }: FoundTail): RecoveredLog {
    const { disk, paths, origin } = this.#options;
    const anchored = this.#anchored!;
    removeTemporaryFiles(disk, paths);
    let content: ContentLog;
    if (tail.length > 0 || tornBytes > 0 || droppedFrame || lastSegment > anchored.segment) {
      // Takes the place of a segment that was begun behind the anchor: by a roll, which only happens where everything is
      // published, or by a recovery like this one.
      content = ContentLog.begin(disk, paths, origin, {
        previous: anchored,
        epoch: this.#epoch.number,
        first: this.#anchor.size,
        frames: tail,
      });
    } else {
      content = ContentLog.resume(disk, paths, origin, anchored);
    }
    cutSupersededEnds(disk, paths);
    this.#tiles.removeBeyond(this.#anchor.size);
    return {
      edge: this.#edge,
      tiles: this.#tiles,
      content,
      epoch: this.#epoch,
      counters: this.#counters,
      requests: this.#requests,
      published: this.#anchor,
      settledSize: this.#settledSize,
      tilesToSync: this.#tiles.write(this.#anchorTiles),
      tornBytes,
    };
  }

  #openSegment(segment: number): SegmentReader {
    try {
      const reader = SegmentReader.open(this.#options.disk, this.#options.paths, segment);
      if (!isProblem(reader)) return reader;
      throw this.#damaged(`segment ${segment}: ${reader.problem}`);
    } catch (cause) {
      if (cause instanceof LedgerError) throw cause;
      throw this.#damaged(`segment ${segment} cannot be read`, cause);
    }
  }

  #damaged(what: string, cause?: unknown): LedgerError {
    return new LedgerError(
      'damaged',
      `Cannot open ledger "${this.#options.origin}": ${what}. Nothing was changed. Run portledger verify to see the extent, and restore the data directory.`,
      { cause },
    );
  }
}

function commitmentsOf({ records, quarantined, salts }: OpenedFrame): Buffer {
  const items = [...records, ...quarantined];
  const commitments = Buffer.allocUnsafe(32 * items.length);
  const longest = items.reduce((length, item) => Math.max(length, item.length), 0);
  const salted = Buffer.allocUnsafe(32 + longest);
  for (const [i, item] of items.entries()) {
    salts.copy(salted, 0, 32 * i, 32 * (i + 1));
    item.copy(salted, 32);
    commitments.write(hash('sha256', salted.subarray(0, 32 + item.length), 'binary'), 32 * i, 'binary');
  }
  return commitments;
}

function removeTemporaryFiles(disk: Disk, paths: LedgerPaths): void {
  for (const name of disk.list(paths.content)) {
    if (name.endsWith('.tmp')) disk.remove(`${paths.content}/${name}`);
  }
}

/** Cuts each segment where the next one says it ends. What lies beyond was copied there, or never part of the log. */
function cutSupersededEnds(disk: Disk, paths: LedgerPaths): void {
  const segments = listSegments(disk, paths);
  for (const segment of segments.slice(1)) {
    const reader = SegmentReader.open(disk, paths, segment);
    if (isProblem(reader)) continue;
    const { previousLength } = reader.header;
    reader.close();
    if (!segments.includes(segment - 1)) continue;
    const file = disk.open(segmentPath(paths, segment - 1), 'write');
    try {
      if (file.size() > previousLength) {
        file.truncate(previousLength);
        file.sync();
      }
    } finally {
      file.close();
    }
  }
}
