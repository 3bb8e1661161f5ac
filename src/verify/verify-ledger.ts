// The check of one ledger, from the checkpoint down to the last byte of content.
//
//   checkpoint ── signed by whom? older than one that is remembered? (ledger-identity.ts)
//       │ size, root
//   chunks of 65,536 entries (check-chunk.ts) ──► tiles above them, root (upper-tiles.ts)
//       │ content entries: segment, offset, chain
//   spans of frames between them, and the end behind the last one (check-span.ts)
//       │ was something published meanwhile?
//   newest checkpoint
//
// The checkpoint is read first and sizes of files after it, so on a log that is being written everything the checkpoint speaks of
// is there. What lies behind it is either not published yet, and a moment later it will be, or it does not belong there, or the
// writer stopped (or its disk was full) between the content entry of a publication and its checkpoint. The last looks exactly like
// the checkpoint before the newest put back in place, so only a remembered checkpoint tells the two apart.

import type { Checkpoint } from '../merkle/checkpoint.ts';
import { sameHash } from '../merkle/hashes.ts';
import { segmentFileName } from '../sealed/segment-header.ts';
import { CHUNK_ENTRIES, type ChunkResult, type ControlFact, type EdgeDispute } from './check-chunk.ts';
import { type EpochFact, isKeyOf } from './check-sealed.ts';
import {
  type EarlyTile,
  furthestTiles,
  listTileDirectories,
  type TileDirectoryResult,
} from './check-tile-directory.ts';
import { type Crew, Pipeline } from './crew.ts';
import { type IdentityOptions, LedgerIdentity } from './ledger-identity.ts';
import { Findings, type LedgerReport, type Verdict } from './report.ts';
import { listSegments, type SegmentInfo } from './segments.ts';
import { type Anchor, BEGINNING, type MissingContent, type SpanResult, type SpanTask } from './span-task.ts';
import { UpperTiles } from './upper-tiles.ts';

export interface LedgerCheckOptions extends IdentityOptions {
  readonly crew: Crew;
  readonly publicHalfOnly: boolean;
  readonly epochKey: ((ledger: string, epoch: number) => Uint8Array | undefined) | undefined;
  readonly onProgress: (entries: number, of: number) => void;
}

/** A report, and what the keys beside the ledger are held against. */
export interface LedgerOutcome {
  readonly report: LedgerReport;
  /** Undefined where neither key nor checkpoint says. */
  readonly origin: string | undefined;
  /** Undefined where the tree could not be read far enough to know. */
  readonly epochs: EpochsFound | undefined;
}

export interface EpochsFound {
  readonly opened: readonly number[];
  readonly destroyed: ReadonlySet<number>;
  /** Seen behind the checkpoint. */
  readonly late: ReadonlySet<number>;
}

export async function verifyLedger(options: LedgerCheckOptions): Promise<LedgerOutcome> {
  return new LedgerCheck(options).run();
}

class LedgerCheck {
  readonly #options: LedgerCheckOptions;
  readonly #directory: string;
  readonly #findings = new Findings();
  readonly #identity: LedgerIdentity;
  #segments: readonly SegmentInfo[] = [];
  readonly #epochs: EpochFact[] = [];
  readonly #destroyed = new Set<number>();
  readonly #replaced = new Set<number>();
  readonly #late = new Set<number>();
  readonly #missing: MissingContent[] = [];
  /** The last content entry that a span was given for. */
  #anchor: Anchor = BEGINNING;
  /** Size that the next checkpoint must have, as content behind this one says. */
  #publishing = 0;
  /** The same, of the content entry before that one. */
  #publishedBefore = 0;
  /** Index behind the last frame of the log. */
  #end = 0;
  #early: EarlyTile[] = [];
  /** What was published last cannot be told from here. */
  #newestIsOpen = false;
  #treeIsKnown = false;
  readonly #checked = { entries: 0, frames: 0, decrypted: 0, contentBytes: 0 };

  constructor(options: LedgerCheckOptions) {
    this.#options = options;
    this.#directory = options.directory;
    this.#identity = new LedgerIdentity(options, this.#findings);
  }

  async run(): Promise<LedgerOutcome> {
    await this.#identity.read();
    await this.#checkNames();
    const { checkpoint, key, origin } = this.#identity;
    if (checkpoint === undefined || key === undefined) {
      this.#findings.note('Without a checkpoint and its key nothing else could be checked.');
    } else {
      if (this.#options.publicHalfOnly) {
        this.#findings.note('Content was not checked: only the public half was read.');
      } else {
        this.#segments = await listSegments(this.#options.source, this.#directory, key.name, this.#findings);
      }
      await this.#checkTileNames(checkpoint.size);
      await this.#checkTreeAndContent(checkpoint);
      await this.#identity.compareRemembered();
      this.#judgeMissing();
      await this.#awaitPublication(checkpoint.size);
      this.#findings.settle();
    }
    const opened = this.#epochs.map(({ epoch }) => epoch);
    const epochs = this.#treeIsKnown ? { opened, destroyed: this.#destroyed, late: this.#late } : undefined;
    return { report: this.#report(), origin, epochs };
  }

  #report(): LedgerReport {
    const { checkpoint, isTrusted, note } = this.#identity;
    const isSettled = isTrusted && !this.#newestIsOpen;
    const verdict: Verdict = this.#findings.found ? 'problems' : isSettled ? 'ok' : 'inconclusive';
    if (verdict === 'inconclusive' && !isTrusted) {
      this.#findings.note(
        'Neither a trusted key nor a remembered checkpoint was given: this may be another log than it should be.',
      );
    }
    return {
      name: this.#options.name,
      size: checkpoint?.size ?? 0,
      root: checkpoint === undefined ? '' : Buffer.from(checkpoint.root).toString('base64'),
      checkpoint: note,
      verdict,
      problems: this.#findings.problems(),
      notes: this.#findings.notes(),
      checked: this.#checked,
    };
  }

  async #checkNames(): Promise<void> {
    const { source, publicHalfOnly } = this.#options;
    if (publicHalfOnly) return;
    for (const { name, kind } of (await source.list(this.#directory)) ?? []) {
      const file = `${this.#directory}${name}`;
      if (kind === 'file' && (name === 'checkpoint' || name === 'key.pub')) continue;
      if (kind === 'directory' && (name === 'tile' || name === 'content')) continue;
      if (kind === 'file' && name.endsWith('.tmp')) {
        this.#findings.note(`${file}: a temporary file, not part of the ledger`);
      } else {
        this.#findings.problem(file, 0, 0, 'this does not belong here');
      }
    }
  }

  async #checkTileNames(size: number): Promise<void> {
    const { source, crew } = this.#options;
    const pipeline = new Pipeline(crew);
    const directories: string[] = [];
    const take = (result: TileDirectoryResult) => {
      this.#findings.add(...result.problems);
      this.#findings.addDifferences(...result.differences);
      this.#findings.note(...result.notes);
      this.#early = furthestTiles([...this.#early, ...result.early]);
      directories.push(...result.directories);
    };
    take(await listTileDirectories(source, this.#directory));
    while (directories.length > 0) {
      for (const directory of directories.splice(0)) {
        await pipeline.give({ kind: 'tiles', ledger: this.#directory, directory, size }, take);
      }
      await pipeline.drain();
    }
  }

  async #checkTreeAndContent(checkpoint: Checkpoint): Promise<void> {
    const { source, crew, publicHalfOnly, onProgress } = this.#options;
    const { size } = checkpoint;
    const chunks = new Pipeline(crew);
    const spans = new Pipeline(crew);
    const upper = new UpperTiles(source, this.#directory, this.#findings);
    let edge: Uint8Array | undefined = new Uint8Array(0);
    let dispute: EdgeDispute | undefined;
    this.#treeIsKnown = true;

    for (let chunk = 0; chunk * CHUNK_ENTRIES < size; chunk++) {
      const task = { kind: 'chunk' as const, ledger: this.#directory, chunk, size };
      await chunks.give(task, async (result: ChunkResult) => {
        const entries = Math.min(CHUNK_ENTRIES, size - chunk * CHUNK_ENTRIES);
        this.#findings.add(...result.problems);
        this.#treeIsKnown &&= result.isKnown;
        await upper.addChunk(result.tileRoots, entries);
        edge = result.edge;
        dispute = result.edgeDispute;
        for (const fact of result.facts) await this.#meetFact(fact, spans);
        this.#checked.entries += entries;
        onProgress(this.#checked.entries, size);
      });
    }
    await chunks.drain();
    await upper.finish();
    this.#judgeRoot(checkpoint, upper, edge, dispute);

    if (!publicHalfOnly) {
      if (size > 0 && this.#treeIsKnown && this.#anchor.index !== size - 1) {
        const from = this.#anchor === BEGINNING ? 0 : this.#anchor.index + 1;
        const file = `${this.#directory}checkpoint`;
        this.#findings.problem(
          file,
          from,
          size,
          'no content entry follows these entries, so nothing vouches for their content',
        );
      }
      await this.#giveSpan(spans, undefined);
    }
    await spans.drain();
  }

  /** Which of bundle and tile is wrong at the right edge, and whether the rest leads to the signed root. */
  #judgeRoot(
    checkpoint: Checkpoint,
    upper: UpperTiles,
    edge: Uint8Array | undefined,
    dispute: EdgeDispute | undefined,
  ): void {
    const root = upper.root(edge);
    const isRight = root !== undefined && sameHash(root, checkpoint.root);
    if (dispute !== undefined) {
      const { bundle, tile, from, to, stored } = dispute;
      if (isRight) this.#findings.problem(tile, from, to, `hashes differ from the entries in ${bundle}`);
      else this.#findings.problem(bundle, from, to, `entries differ from their hashes in ${tile}`);
      const other = upper.root(stored);
      if (other !== undefined && sameHash(other, checkpoint.root)) return;
    }
    if (root === undefined || isRight) return;
    const [computed, signed] = [root, checkpoint.root].map((hash) => Buffer.from(hash).toString('base64'));
    const problem = `the entries have the root ${computed}, the checkpoint says ${signed}`;
    this.#findings.problem(`${this.#directory}checkpoint`, 0, checkpoint.size, problem);
  }

  async #meetFact(fact: ControlFact, spans: Pipeline): Promise<void> {
    switch (fact.type) {
      case 'epoch-opened':
        return this.#openEpoch(fact);
      case 'key-destroyed':
        this.#destroyed.add(fact.epoch);
        return;
      case 'segment-replaced':
        this.#replaced.add(fact.segment);
        return;
      case 'content':
        if (!this.#options.publicHalfOnly) await this.#giveSpan(spans, fact);
        return;
      default:
        fact satisfies never;
    }
  }

  #openEpoch({ index, epoch, keyCheck }: Extract<ControlFact, { type: 'epoch-opened' }>): void {
    const { name, epochKey } = this.#options;
    const expected = (this.#epochs.at(-1)?.epoch ?? 0) + 1;
    if (epoch !== expected && this.#treeIsKnown) {
      const file = `${this.#directory}content`;
      this.#findings.problem(file, index, index + 1, `epoch ${epoch} was opened, expected ${expected}`);
    }
    let key = epochKey?.(name, epoch);
    if (epochKey !== undefined && key === undefined) {
      this.#findings.note(`Epoch ${epoch} was not decrypted: its key is not at hand.`);
    } else if (key !== undefined && !isKeyOf({ keyCheck }, key)) {
      const file = `keys/${name}/${String(epoch).padStart(10, '0')}.json`;
      this.#findings.problem(
        file,
        index,
        index + 1,
        `this is not the key that epoch ${epoch} was opened with`,
      );
      key = undefined;
    }
    this.#epochs.push({ epoch, opened: index, keyCheck, key });
  }

  /** A task for the content up to the next content entry, or up to the end. */
  async #giveSpan(
    spans: Pipeline,
    content: Extract<ControlFact, { type: 'content' }> | undefined,
  ): Promise<void> {
    const from = this.#anchor;
    const to = content && {
      index: content.index,
      segment: content.segment,
      offset: content.offset,
      chain: content.chain,
    };
    if (to !== undefined && (to.segment - from.segment || to.offset - from.offset) < 0) {
      // It is signed, so the log itself says so: its writer was wrong, or not ours.
      const file = `${this.#directory}content`;
      this.#findings.problem(
        file,
        to.index,
        to.index + 1,
        'the content entry says that content went backwards',
      );
      return;
    }
    const last = to?.segment ?? Number.POSITIVE_INFINITY;
    const current = this.#epochs.findLastIndex(({ opened }) => opened <= from.index);
    const task: SpanTask = {
      kind: 'span',
      ledger: this.#directory,
      origin: this.#identity.key!.name,
      size: this.#identity.checkpoint!.size,
      from,
      to,
      segments: this.#segments.filter(({ number }) => number >= from.segment && number <= last),
      epochs: this.#epochs.slice(Math.max(0, current)),
      epochsAreAll: this.#treeIsKnown,
    };
    if (to !== undefined) this.#anchor = to;
    await spans.give(task, (result: SpanResult) => this.#takeSpan(result));
  }

  #takeSpan(result: SpanResult): void {
    this.#findings.add(...result.problems);
    this.#findings.addDifferences(...result.differences);
    this.#findings.note(...result.notes);
    for (const missing of result.missing) this.#addMissing(missing);
    for (const epoch of result.lateEpochs) this.#late.add(epoch);
    this.#publishing = Math.max(this.#publishing, result.publishing);
    this.#publishedBefore = Math.max(this.#publishedBefore, result.publishedBefore);
    this.#end = Math.max(this.#end, result.end);
    this.#checked.frames += result.frames;
    this.#checked.decrypted += result.decrypted;
    this.#checked.contentBytes += result.bytes;
  }

  /** Many spans may lie in one missing segment. */
  #addMissing(missing: MissingContent): void {
    const last = this.#missing.at(-1);
    const goesOn = last?.lastSegment === missing.firstSegment && last.to === missing.from;
    if (last === undefined || !goesOn) {
      this.#missing.push(missing);
      return;
    }
    const epochs = [...new Set([...last.epochs, ...missing.epochs])];
    const { lastSegment, to } = missing;
    this.#missing[this.#missing.length - 1] = { ...last, lastSegment, to, epochs };
  }

  #judgeMissing(): void {
    for (const { firstSegment, lastSegment, epochs, from, to } of this.#missing) {
      const file = `${this.#directory}content/${segmentFileName(firstSegment)}`;
      const isDestroyed = epochs.length > 0 && epochs.every((epoch) => this.#destroyed.has(epoch));
      const isReplaced = firstSegment === lastSegment && this.#replaced.has(firstSegment);
      if (isDestroyed) {
        this.#findings.note(
          `${file}: gone with the key of epoch ${epochs.join(', ')}, as the ledger records`,
        );
      } else if (isReplaced) {
        this.#findings.note(`${file}: replaced, as the ledger records`);
      } else {
        const what =
          firstSegment === lastSegment ? 'this segment is' : `segments ${firstSegment} to ${lastSegment} are`;
        this.#findings.problem(file, from, to, `unauthorised loss: ${what} missing, and no entry says why`);
      }
    }
  }

  /** What was found behind the checkpoint is either under the next one in a moment, or should not be there. */
  async #awaitPublication(size: number): Promise<void> {
    const wanted = Math.max(this.#publishing, ...this.#early.map((tile) => tile.size));
    if (wanted <= size) return;
    const checkpoint = await this.#identity.newest(wanted);
    if (this.#wasCutShort(checkpoint, wanted)) {
      this.#noteCutShort(checkpoint);
      return;
    }
    const newest = checkpoint.size;
    for (const tile of this.#early) {
      if (tile.size <= newest) continue;
      const problem = `this is of a log of at least ${tile.size} entries, the checkpoint says ${newest}`;
      this.#findings.problem(tile.file, size, tile.size, problem);
    }
    if (this.#publishing <= newest) return;
    this.#findings.problem(
      `${this.#directory}checkpoint`,
      size,
      this.#publishing,
      `${this.#publishing} entries were published or about to be, the checkpoint says ${newest}: it is an older one, or the writer stopped at that moment (then start it, stop it, and verify again)`,
    );
  }

  /**
   * No frame follows a content entry before its checkpoint is signed, and no tile is of another size than that: so a publication that
   * was cut short leaves one content entry, at the very end, and tiles up to it.
   */
  #wasCutShort(checkpoint: Checkpoint, wanted: number): boolean {
    return (
      checkpoint.size < this.#publishing &&
      this.#publishedBefore <= checkpoint.size &&
      this.#end === this.#publishing &&
      wanted === this.#publishing &&
      !this.#findings.found
    );
  }

  #noteCutShort(checkpoint: Checkpoint): void {
    const { size } = checkpoint;
    const what = `entries ${size} to ${this.#publishing - 1} stand behind the checkpoint of size ${size}, with the content entry of a publication at their end`;
    if (this.#identity.isRemembered(checkpoint)) {
      this.#findings.note(
        `A publication was cut short: ${what}. Nothing newer than this checkpoint is remembered; the next start goes on from it.`,
      );
    } else {
      this.#newestIsOpen = true;
      this.#findings.note(
        `A publication was cut short, or the checkpoint is an older one put back: ${what}. A remembered checkpoint tells which (the anchors in the state directory, or one kept elsewhere); so does starting the writer, stopping it and verifying again.`,
      );
    }
    if (this.#early.length > 0) {
      this.#findings.note('Tiles behind the checkpoint were not checked: no signature speaks of them yet.');
    }
  }
}
