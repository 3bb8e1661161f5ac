// The one writer of a ledger: appends frames, publishes checkpoints. Synchronous, and given everything that is not arithmetic
// (disk, keys, clock, randomness), so that a simulation can stop it at any operation.
//
//   append    seal a frame → write → sync → (acknowledge) → into the tree's edge, in memory
//   publish   append a `content` entry → write tiles → anchor (synced) → checkpoint (synced) → settle tiles in the background
//
// What a crash leaves behind, step by step:
//   before the sync of a frame      a torn or whole frame that nobody was promised: whole ones are kept, torn ones dropped
//   after the sync                  the frame; recovery puts it into the tree again
//   after the content entry         a content entry at the very end: dropped
//   among the tiles                 tiles beyond the anchor: removed
//   after the anchor                a checkpoint behind its anchor: written again from the anchor
//
// While a publication has failed for want of room nothing is appended, so a content entry that no checkpoint followed is
// always the last thing in the log.

import { isProblem } from '../bytes/problem.ts';
import { type Disk, DiskError } from '../disk/disk.ts';
import type { EpochKey, EpochKeys } from '../keys/epoch-keys.ts';
import { type Checkpoint, openCheckpoint, signCheckpoint } from '../merkle/checkpoint.ts';
import { formatVerifierKey, type NoteSigner, type VerifierKey } from '../merkle/note.ts';
import { BLOCK_ID_BYTES } from '../sealed/frame-layout.ts';
import { openRequests } from '../sealed/open-frame.ts';
import { type FrameInput, type SealedFrame, sealFrame } from '../sealed/seal-frame.ts';
import { EMPTY_CHAIN } from '../sealed/segment-header.ts';
import {
  AppendGroup,
  type AppendRequest,
  type EarlierRequests,
  type Outcome,
  type QuarantineNote,
} from './append-group.ts';
import { ContentLog, type ContentPosition, diskFull } from './content-log.ts';
import { type ControlBody, encodeControl } from './control-entries.ts';
import { DictionaryMaker } from './dictionary-maker.ts';
import { FrameFinder } from './frame-finder.ts';
import { LedgerError } from './ledger.ts';
import { type LedgerPaths, parentDirectory, segmentPath } from './paths.ts';
import { PublishedTiles } from './published-tiles.ts';
import { assertMatchesAnchor, type Counters, type RecoveredLog, recoverLog } from './recovery.ts';
import { encodeRequestNotes, parseRequestNotes, RequestJournal } from './request-journal.ts';
import type { RememberedRequest } from './request-memory.ts';
import { listSegments } from './segment-reader.ts';
import { type Settled, writeSettled } from './settled.ts';
import { type TileFile, TreeEdge } from './tree-edge.ts';

export interface WriterOptions {
  readonly disk: Disk;
  readonly paths: LedgerPaths;
  readonly origin: string;
  readonly signer: NoteSigner;
  readonly verifierKey: VerifierKey;
  readonly epochKeys: EpochKeys;
  readonly now: () => Date;
  readonly random: (bytes: number) => Buffer;
  /** The operator's reason for accepting a log that is behind or unlike its anchor. */
  readonly adopt?: { readonly reason: string } | undefined;
}

/** What may be said once these files are durable. */
interface Unsettled {
  readonly paths: readonly string[];
  readonly settled: Settled;
}

/** A segment is closed when it has grown to this: files of a size that backups and object stores like. */
const SEGMENT_BYTES = 1024 * 1024 * 1024;

export class LedgerWriter {
  readonly #options: WriterOptions;
  readonly #edge: TreeEdge;
  readonly #tiles: PublishedTiles;
  readonly #content: ContentLog;
  readonly #requests: RequestJournal;
  readonly #counters: Counters;
  readonly #dictionary = new DictionaryMaker();
  readonly tornBytes: number;
  #epoch: { number: number; name: string };
  #epochKey: EpochKey;
  /** Control entries that open the next frame: an epoch is announced with its first record. */
  #announcements: Uint8Array[] = [];
  #published: Checkpoint;
  /** Set between a content entry and its checkpoint: the size that is to be published. */
  #publishing: number | undefined;
  #failure: string | undefined;
  /** Tiles of a publication under way that are not on disk yet. */
  readonly #unwritten: TileFile[] = [];
  /** Paths that the next settling syncs, and whether one is under way. */
  #unsettled: string[];
  #settling: readonly string[] | undefined;
  #settledSize = 0;
  /** What was true of the log when the last checkpoint was published. */
  #atPublication: Pick<Settled, 'records' | 'quarantined' | 'epoch'>;
  /** Published sizes since the settled one: their partial tiles go once the full ones are durable. */
  #publishedSizes: number[] = [];

  private constructor(options: WriterOptions, log: RecoveredLog) {
    this.#options = options;
    this.#edge = log.edge;
    this.#tiles = log.tiles;
    this.#content = log.content;
    this.#requests = log.requests;
    this.#counters = log.counters;
    this.#epoch = log.epoch;
    this.#epochKey = options.epochKeys.get(log.epoch.number);
    this.#published = log.published;
    this.#unsettled = [...log.tilesToSync];
    this.#settledSize = log.settledSize;
    this.#publishedSizes = [log.settledSize, log.published.size];
    this.#atPublication = { ...log.counters, epoch: log.epoch };
    this.tornBytes = log.tornBytes;
  }

  static open(options: WriterOptions): LedgerWriter {
    const { disk, paths } = options;
    for (const directory of [paths.content, paths.cache, parentDirectory(paths.anchor)])
      disk.makeDirectory(directory);
    const mismatch = options.adopt === undefined ? undefined : mismatchWithAnchor(options);
    const recovered = recoverLog({ ...options, adopt: mismatch !== undefined });
    if (recovered === undefined) return LedgerWriter.#found(options);
    const writer = new LedgerWriter(options, recovered);
    writer.#restorePublicFiles(mismatch !== undefined);
    if (options.adopt !== undefined && mismatch !== undefined) writer.#recordAdoption(options.adopt.reason);
    writer.publish();
    return writer;
  }

  /** The first start of a ledger. Nothing was ever published, so whatever an earlier attempt left is swept away. */
  static #found(options: WriterOptions): LedgerWriter {
    const { disk, paths, origin } = options;
    for (const segment of listSegments(disk, paths)) disk.remove(segmentPath(paths, segment));
    const tiles = new PublishedTiles(disk, paths.directory);
    tiles.removeBeyond(0);
    const previous: ContentPosition = { segment: 0, offset: 0, chain: Buffer.from(EMPTY_CHAIN) };
    const content = ContentLog.begin(disk, paths, origin, { previous, epoch: 1, first: 0, frames: [] });
    options.epochKeys.create(1);
    const edge = TreeEdge.empty();
    const writer = new LedgerWriter(options, {
      edge,
      tiles,
      content,
      epoch: { number: 1, name: epochName(options.now()) },
      counters: { records: 0, quarantined: 0 },
      requests: new RequestJournal(disk, paths.cache),
      published: { origin, size: 0, root: edge.root() },
      settledSize: 0,
      tilesToSync: [],
      tornBytes: 0,
    });
    writer.#restorePublicFiles(false);
    writer.#appendFrame([writer.#epochOpened()], new AppendGroup());
    writer.publish();
    return writer;
  }

  get size(): number {
    return this.#edge.size;
  }

  get published(): Checkpoint {
    return this.#published;
  }

  get position(): ContentPosition {
    return this.#content.position;
  }

  get epoch(): number {
    return this.#epoch.number;
  }

  get counters(): Readonly<Counters> {
    return this.#counters;
  }

  get root(): Uint8Array {
    return this.#edge.root();
  }

  /** Why nothing is written any more, if so. */
  get stopped(): string | undefined {
    return this.#failure ?? this.#content.broken;
  }

  /**
   * Makes all requests durable with one frame and tells what became of each, in order. Requests that repeat an idempotency key
   * add nothing. Throws a LedgerError when nothing was kept.
   */
  append(requests: readonly AppendRequest[]): Outcome[] {
    this.#assertRunning();
    const now = this.#options.now();
    const group = new AppendGroup();
    const outcomes = requests.map((request) => group.add(request, this.#earlier, now));
    if (group.isEmpty) return outcomes.map((outcome) => outcome(this.size));
    if (this.#publishing !== undefined) this.publish();

    const today = epochName(now);
    if (today > this.#epoch.name) {
      this.publish();
      this.#openEpoch(today);
    } else if (this.#content.position.offset > SEGMENT_BYTES) {
      this.publish();
      this.#content.roll(this.#epoch.number, this.size);
    }
    const first = this.#appendFrame(this.#announcements, group);
    this.#announcements = [];
    return outcomes.map((outcome) => outcome(first));
  }

  /** Signs a checkpoint over everything that is durable, if there is anything new. Throws a LedgerError when it cannot. */
  publish(): void {
    this.#assertRunning();
    if (this.size === this.#published.size) return;
    if (this.#publishing === undefined) {
      const { segment, offset, chain } = this.#content.position;
      const body: ControlBody = { type: 'content', segment, offset, chain: chain.toString('hex') };
      this.#appendFrame([encodeControl(body)], new AppendGroup());
      this.#publishing = this.size;
    }
    const { disk, paths, origin, signer } = this.#options;
    const checkpoint: Checkpoint = { origin, size: this.size, root: this.#edge.root() };
    const note = signCheckpoint(checkpoint, [signer]);
    try {
      // Full tiles leave the edge once: what a full disk kept from being written must be there at the next attempt.
      this.#unwritten.push(...this.#edge.takeTiles(this.#published.size));
      this.#unsettled.push(...this.#tiles.write(this.#unwritten));
      this.#unwritten.length = 0;
      disk.replaceFile(paths.anchor, note);
      disk.replaceFile(paths.checkpoint, note);
    } catch (error) {
      if (error instanceof DiskError && error.code === 'full') throw diskFull(error);
      throw this.#fail('a checkpoint could not be published', error);
    }
    this.#published = checkpoint;
    this.#publishing = undefined;
    this.#publishedSizes.push(checkpoint.size);
    this.#atPublication = { ...this.#counters, epoch: this.#epoch };
    this.#settle();
  }

  /** Publishes and settles everything, so that the next start has nothing to do. */
  close(): void {
    try {
      if (this.stopped === undefined) {
        this.publish();
        this.#settleNow();
      }
    } finally {
      this.#content.close();
    }
  }

  readonly #earlier: EarlierRequests = {
    find: (key, nowMs) => this.#requests.find(key, nowMs),
    quarantinedOf: (request) => this.#readRequestNote(request),
  };

  /** Seals, writes and syncs one frame; returns the index of its first record. */
  #appendFrame(controls: readonly Uint8Array[], group: AppendGroup): number {
    const first = this.size;
    const dictionaries = this.#dictionary.choose(group.records, first);
    const { frame, commitments } = this.#seal(controls, group, first, dictionaries);
    this.#content.append(frame);
    // From here on the frame is durable. What follows only brings memory up to date; recovery would do the same.
    this.#edge.appendControls(controls);
    this.#edge.appendCommitments('record', commitments.subarray(0, 32 * group.recordCount));
    this.#edge.appendCommitments('quarantined', commitments.subarray(32 * group.recordCount));
    this.#counters.records += group.recordCount;
    this.#counters.quarantined += group.quarantinedCount;
    if (dictionaries.newDictionary !== undefined) this.#dictionary.written(dictionaries.newDictionary, first);
    if (group.notes.length > 0) this.#requests.remember(first, controls.length, group.notes);
    return first + controls.length;
  }

  #seal(
    controls: readonly Uint8Array[],
    group: AppendGroup,
    first: number,
    dictionaries: Pick<FrameInput, 'dictionary' | 'newDictionary'>,
  ): SealedFrame {
    const blockId = group.isEmpty ? Buffer.alloc(BLOCK_ID_BYTES) : this.#options.random(BLOCK_ID_BYTES);
    return sealFrame({
      origin: this.#options.origin,
      epoch: this.#epoch.number,
      epochKey: this.#epochKey.key,
      first,
      blockId,
      controls,
      records: group.records,
      quarantined: group.quarantined,
      requests: group.notes.length > 0 ? encodeRequestNotes(group.notes) : undefined,
      ...dictionaries,
    });
  }

  #openEpoch(name: string): void {
    const number = this.#epoch.number + 1;
    const key = this.#createEpochKey(number);
    this.#content.roll(number, this.size);
    // Number and key together, and only now: without room for a new segment the present epoch goes on.
    this.#epoch = { number, name };
    this.#epochKey = key;
    this.#dictionary.reset();
    this.#announcements = [this.#epochOpened()];
  }

  #createEpochKey(number: number): EpochKey {
    try {
      return this.#options.epochKeys.create(number);
    } catch (error) {
      if (error instanceof DiskError && error.code === 'full') throw diskFull(error);
      throw this.#fail(`the key of epoch ${number} could not be made`, error);
    }
  }

  #epochOpened(): Uint8Array {
    return encodeControl({
      type: 'epoch-opened',
      epoch: this.#epoch.number,
      name: this.#epoch.name,
      opened: this.#options.now().toISOString(),
      keyCheck: this.#epochKey.check,
    });
  }

  #readRequestNote(request: RememberedRequest): readonly QuarantineNote[] {
    const { disk, paths, origin, epochKeys } = this.#options;
    const found = new FrameFinder(disk, paths).readFrameAt(request.frame);
    if (isProblem(found)) throw this.#unreadable(request, found.problem);
    const secrets = { origin, epoch: found.epoch, epochKey: epochKeys.get(found.epoch).key };
    const section = openRequests(found.frame, secrets);
    if (section === undefined) throw this.#unreadable(request, 'the frame has no requests section');
    if (isProblem(section)) throw this.#unreadable(request, section.problem);
    const key = Buffer.from(request.key).toString('hex');
    return parseRequestNotes(section).find((note) => note.key === key)?.quarantined ?? [];
  }

  #unreadable(request: RememberedRequest, problem: string): LedgerError {
    return new LedgerError(
      'damaged',
      `Cannot repeat the answer to an earlier request: the frame at entry ${request.frame} cannot be read: ${problem}.`,
    );
  }

  /** The checkpoint of the anchor, where a crash came between the two, and the verifier key. */
  #restorePublicFiles(adopted: boolean): void {
    const { disk, paths, verifierKey } = this.#options;
    const anchor = disk.readFile(paths.anchor);
    // Adoption goes the other way: there the directory's own checkpoint counts, and publishing renews the anchor.
    if (anchor !== undefined && !adopted) {
      // What the page cache shows may be what a failed sync never brought to the disk. The checkpoint must not outlive it.
      disk.replaceFile(paths.anchor, anchor);
      const published = disk.readFile(paths.checkpoint);
      if (published === undefined || Buffer.compare(anchor, published) !== 0) {
        disk.replaceFile(paths.checkpoint, anchor);
      }
    }
    const keyFile = Buffer.from(`${formatVerifierKey(verifierKey)}\n`);
    if (Buffer.compare(disk.readFile(paths.verifierKey) ?? Buffer.alloc(0), keyFile) !== 0) {
      disk.replaceFile(paths.verifierKey, keyFile);
    }
  }

  #recordAdoption(reason: string): void {
    const { disk, paths, verifierKey } = this.#options;
    const anchorBytes = disk.readFile(paths.anchor);
    const anchor = anchorBytes === undefined ? undefined : openCheckpoint(anchorBytes, verifierKey);
    const known = anchor === undefined || isProblem(anchor) ? undefined : anchor;
    const body: ControlBody = {
      type: 'adopted',
      reason,
      previousSize: known?.size ?? 0,
      previousRoot: known === undefined ? '' : Buffer.from(known.root).toString('hex'),
    };
    this.#appendFrame([encodeControl(body)], new AppendGroup());
  }

  /** Makes tiles durable behind everybody's back and, once they are, lets recovery start after them. */
  #settle(): void {
    if (this.#settling !== undefined || this.#unsettled.length === 0) return;
    let settled: Unsettled;
    try {
      settled = this.#prepareSettled();
    } catch (error) {
      // Without room the next publication tries again; until then a start has more to replay.
      if (!(error instanceof DiskError && error.code === 'full'))
        this.#fail('the memory of idempotency keys could not be written', error);
      return;
    }
    this.#settling = settled.paths;
    this.#options.disk.syncInBackground(settled.paths, (error) => {
      this.#settling = undefined;
      if (error !== undefined) {
        // The content is durable, so nothing is lost; but a disk that fails here will fail elsewhere.
        this.#fail('tiles could not be made durable', error);
        return;
      }
      this.#finishSettling(settled);
      if (this.stopped === undefined) this.#settle();
    });
  }

  #settleNow(): void {
    const settled = this.#prepareSettled();
    // What is being synced in the background is not durable yet: sync it too.
    const paths = new Set([...(this.#settling ?? []), ...settled.paths]);
    for (const path of paths) {
      const file = this.#options.disk.open(path, 'read');
      try {
        file.sync();
      } finally {
        file.close();
      }
    }
    for (const directory of new Set([...paths].map(parentDirectory)))
      this.#options.disk.syncDirectory(directory);
    this.#finishSettling(settled);
  }

  #prepareSettled(): Unsettled {
    const journal = this.#requests.write();
    const paths = [...this.#unsettled.splice(0), ...journal.paths];
    const settled: Settled = {
      size: this.#published.size,
      root: Buffer.from(this.#published.root).toString('hex'),
      ...this.#atPublication,
      requests: journal.marks,
    };
    return { paths, settled };
  }

  #finishSettling({ settled }: { readonly settled: Settled }): void {
    const { disk, paths } = this.#options;
    if (settled.size < this.#settledSize) return;
    try {
      writeSettled(disk, paths, settled, this.#options.epochKeys.get(settled.epoch.number).key);
      this.#settledSize = settled.size;
      // Only now: until here recovery might have needed the partial tiles of the size settled before.
      for (const size of this.#publishedSizes) this.#tiles.removeSuperseded(size, settled.size);
      this.#publishedSizes = this.#publishedSizes.filter((size) => size >= settled.size);
    } catch (error) {
      if (!(error instanceof DiskError && error.code === 'full'))
        this.#fail('settled.json could not be written', error);
    }
  }

  #assertRunning(): void {
    this.#content.assertWritable();
    if (this.#failure !== undefined) throw stoppedError(this.#failure);
  }

  #fail(what: string, cause: unknown): LedgerError {
    this.#failure = `${what}: ${cause instanceof Error ? cause.message : String(cause)}`;
    return stoppedError(this.#failure, cause);
  }
}

/** Why the log does not open as it is, where an operator's word can help. A log that fits its anchor has nothing to adopt. */
function mismatchWithAnchor(options: WriterOptions): LedgerError | undefined {
  try {
    assertMatchesAnchor({ ...options, adopt: false });
    return undefined;
  } catch (error) {
    if (error instanceof LedgerError && (error.code === 'behind-anchor' || error.code === 'unlike-anchor'))
      return error;
    throw error;
  }
}

function stoppedError(failure: string, cause?: unknown): LedgerError {
  return new LedgerError(
    'stopped',
    `Cannot append: the writer has stopped because ${failure}. Find out what is wrong with the disk, then restart; what was acknowledged is safe.`,
    { cause },
  );
}

/** An epoch is a day of acceptance, UTC. */
function epochName(now: Date): string {
  return now.toISOString().slice(0, 10);
}
