// Walks the frames between two content entries, or from the last one to the end of the files.
//
//   content entry A                                         content entry B
//   says: (segment, offset, chain)                          says: (segment, offset, chain)
//   |  frame of A  |  frame  |  frame  | end of segment | header | frame  |  frame of B …
//   └────────────── chain over these bytes, started at A's, has to be B's ┘
//
// Both ends are entries of the signed tree, so a span proves every byte between them, whoever walks it and in whatever order.
// Checksums, indices and entries are checked on the way, because a chain says that something is wrong and not where. Content
// entries inside the span say where the damage ended: from there on the chain is believed again.
//
// Behind the last content entry nothing is signed. Its own frame holds only entries of the tree, so its bytes are known; the frames
// after it are not published yet and must be what a writer, or a crash, leaves there.

import { isProblem } from '../bytes/problem.ts';
import { type FrameHeader, frameCount, parseControls, parseFrame } from '../sealed/frame-layout.ts';
import { sealFrame } from '../sealed/seal-frame.ts';
import { extendChain, SEGMENT_HEADER_BYTES } from '../sealed/segment-header.ts';
import { type EpochFact, SealedCheck } from './check-sealed.ts';
import { parseControlBody } from './control-entries.ts';
import { EntryCursor } from './entry-cursor.ts';
import { FrameReader, segmentFile } from './frame-reader.ts';
import type { Problem } from './report.ts';
import type { SegmentInfo } from './segments.ts';
import type { Source } from './source.ts';
import { judgeEnd } from './torn-end.ts';

/** A place in the content where the signed tree says what the chain is. */
export interface Anchor {
  readonly index: number;
  readonly segment: number;
  readonly offset: number;
  /** Hex. */
  readonly chain: string;
}

/** Before the first segment's header. */
export const BEGINNING: Anchor = { index: 0, segment: 1, offset: 0, chain: '00'.repeat(32) };

export interface SpanTask {
  readonly kind: 'span';
  readonly ledger: string;
  readonly origin: string;
  /** Of the tree. */
  readonly size: number;
  readonly from: Anchor;
  /** Undefined: up to the end of the last segment. */
  readonly to: Anchor | undefined;
  /** The segments that exist, from the one of `from` to the one of `to`. */
  readonly segments: readonly SegmentInfo[];
  /** The epoch open at `from`, and those opened before `to`. */
  readonly epochs: readonly EpochFact[];
}

export interface MissingContent {
  readonly firstSegment: number;
  readonly lastSegment: number;
  readonly epochs: readonly number[];
  readonly from: number;
  readonly to: number;
}

export interface SpanResult {
  readonly problems: Problem[];
  readonly notes: string[];
  readonly missing: MissingContent[];
  readonly frames: number;
  readonly decrypted: number;
  readonly bytes: number;
  /** Size that a checkpoint must have once what was found behind this one is published; 0 where nothing says so. */
  readonly publishing: number;
  /** Epochs that were opened, or hold content, behind the checkpoint. */
  readonly lateEpochs: readonly number[];
}

export async function checkSpan(source: Source, task: SpanTask): Promise<SpanResult> {
  return new SpanCheck(source, task).run();
}

interface Place {
  readonly segment: number;
  readonly offset: number;
  readonly chain: string;
}

class SpanCheck {
  readonly #source: Source;
  readonly #task: SpanTask;
  readonly #entries: EntryCursor;
  readonly #sealed: SealedCheck;
  readonly #result = {
    problems: [] as Problem[],
    notes: [] as string[],
    missing: [] as MissingContent[],
    frames: 0,
    decrypted: 0,
    bytes: 0,
    publishing: 0,
    lateEpochs: [] as number[],
  };
  #segment: number;
  #offset: number;
  #index: number;
  #chain: Uint8Array;
  /** After damage the chain says nothing until a content entry says what it is. */
  #chainKnown = true;
  /** Entries before this one are in frames that the chain has confirmed. */
  #confirmed: number;
  /** Where the next frame may be said to begin: the end of the last one, and after each segment header since. */
  #places: Place[];
  /** Opened in frames behind the checkpoint. */
  #openedLately = 0;

  constructor(source: Source, task: SpanTask) {
    const { ledger, origin, size, from } = task;
    this.#source = source;
    this.#task = task;
    this.#entries = new EntryCursor(source, ledger, size, from.index);
    this.#sealed = new SealedCheck(source, ledger, origin, size);
    this.#segment = from.segment;
    this.#offset = from.offset;
    this.#index = from.index;
    this.#confirmed = from.index;
    this.#chain = Buffer.from(from.chain, 'hex');
    this.#places = [from];
  }

  async run(): Promise<SpanResult> {
    const { to, segments } = this.#task;
    const last = to?.segment ?? segments.at(-1)?.number ?? this.#segment;
    while (this.#segment <= last) {
      const info = segments.find(({ number }) => number === this.#segment);
      if (info === undefined) {
        if (!this.#passMissing(last)) return this.#result;
        continue;
      }
      if (this.#offset === 0) await this.#passHeader(info);
      const isLast = this.#segment === last;
      const end = isLast && to !== undefined ? to.offset : info.end;
      if (!(await this.#walkFrames(info, end, isLast && to === undefined))) return this.#result;
      if (isLast) break;
      this.#segment++;
      this.#offset = 0;
    }
    this.#arrive();
    return this.#result;
  }

  /** Goes on with the next segment that exists; false where there is none. */
  #passMissing(last: number): boolean {
    const { to, segments, size } = this.#task;
    const next = segments.find(({ number }) => number > this.#segment);
    const until = next?.first ?? to?.index ?? size;
    const epochs = this.#task.epochs.filter((epoch, i, all) => {
      const closed = all[i + 1]?.opened ?? Number.POSITIVE_INFINITY;
      return epoch.opened < Math.max(until, this.#index + 1) && closed > this.#index;
    });
    // Behind the checkpoint a segment that does not exist (any more) is nobody's loss: nothing of it was published.
    if (this.#index < size || next !== undefined) {
      this.#result.missing.push({
        firstSegment: this.#segment,
        lastSegment: next === undefined ? last : next.number - 1,
        epochs: epochs.map(({ epoch }) => epoch),
        from: this.#index,
        to: Math.max(this.#index, Math.min(until, size)),
      });
    }
    if (next === undefined) return false;
    this.#segment = next.number;
    this.#offset = 0;
    this.#index = Math.max(this.#index, next.first);
    this.#confirmed = this.#index;
    this.#entries.moveTo(this.#index);
    // The header's word is enough: the next content entry's chain covers this header, and with it the chain it begins from.
    this.#chain = Buffer.from(next.previousChain, 'hex');
    return true;
  }

  async #passHeader(info: SegmentInfo): Promise<void> {
    const file = segmentFile(this.#task.ledger, info.number);
    const bytes = await this.#source.read(file, 0, SEGMENT_HEADER_BYTES);
    if (info.damaged) {
      // Reported where the segments were listed.
      this.#chainKnown = false;
    } else {
      if (this.#chainKnown && info.previousChain !== hex(this.#chain)) {
        this.#report(
          file,
          this.#index,
          this.#end(info.first),
          'the segment does not continue the chain of the one before it',
        );
        this.#chainKnown = false;
      }
      if (info.first !== this.#index) {
        const [from, to] = [Math.min(info.first, this.#index), Math.max(info.first, this.#index)];
        this.#report(file, from, to, `the segment begins with entry ${info.first}, expected ${this.#index}`);
      }
      const epoch = this.#epochAt(info.first)?.epoch;
      if (this.#index < this.#task.size && epoch !== info.epoch && epoch !== undefined) {
        this.#report(
          file,
          info.first,
          this.#end(info.first),
          `the segment is of epoch ${info.epoch}, expected ${epoch}`,
        );
      }
    }
    if (this.#index >= this.#task.size) this.#result.lateEpochs.push(info.epoch);
    this.#chain = extendChain(this.#chain, bytes);
    this.#offset = SEGMENT_HEADER_BYTES;
    this.#places.push(this.#place());
  }

  /** False where what follows cannot be told from what was damaged. */
  async #walkFrames(info: SegmentInfo, end: number, isEnd: boolean): Promise<boolean> {
    const reader = new FrameReader(this.#source, segmentFile(this.#task.ledger, info.number));
    while (this.#offset < end) {
      const found = await reader.frameAt(this.#offset, end);
      const parsed = isProblem(found) ? found : parseFrame(found.frame);
      const header = isProblem(found) || isProblem(parsed) ? undefined : found.header;
      if (header === undefined || header.first !== this.#index) {
        const problem = isProblem(parsed) ? parsed.problem : `the frame begins with entry ${header?.first}`;
        if (isEnd && this.#index >= this.#task.size) return this.#endTorn(info);
        if (await this.#passDamaged(reader, end, problem)) continue;
        return false;
      }
      if (isProblem(found) || isProblem(parsed)) return false;
      await this.#passFrame(reader.file, found.frame, header, parsed.sections.control, info);
    }
    return true;
  }

  /** What stands at the end of the last segment, behind everything published, and is no frame. */
  async #endTorn(info: SegmentInfo): Promise<boolean> {
    const { ledger } = this.#task;
    const file = segmentFile(ledger, info.number);
    const judged = await judgeEnd(this.#source, file, this.#offset, info.size, this.#index);
    if (isProblem(judged)) this.#report(file, this.#index, this.#index, judged.problem);
    else if (judged.note !== undefined) this.#result.notes.push(judged.note);
    return true;
  }

  async #passDamaged(reader: FrameReader, end: number, problem: string): Promise<boolean> {
    const header = await reader.headerAt(this.#offset, end);
    if (!isProblem(header) && header.first === this.#index && header.length <= end - this.#offset) {
      const next = this.#offset + header.length;
      const following = next === end ? undefined : await reader.headerAt(next, end);
      const after = header.first + frameCount(header);
      if (following === undefined || (!isProblem(following) && following.first === after)) {
        this.#report(
          reader.file,
          this.#index,
          after,
          `the frame at byte ${this.#offset} is damaged: ${problem}`,
        );
        this.#chainKnown = false;
        this.#offset = next;
        this.#index = after;
        this.#entries.moveTo(after);
        this.#places = [this.#place()];
        return true;
      }
    }
    const to = Math.max(this.#index + 1, this.#task.to?.index ?? this.#task.size);
    this.#report(reader.file, this.#index, to, `the content at byte ${this.#offset} is damaged: ${problem}`);
    return false;
  }

  async #passFrame(
    file: string,
    frame: Buffer,
    header: FrameHeader,
    controlSection: Buffer | undefined,
    info: SegmentInfo,
  ): Promise<void> {
    const { first } = header;
    const controls = controlSection === undefined ? [] : parseControls(controlSection, header.controls);
    if (isProblem(controls)) {
      this.#report(file, first, first + header.controls, controls.problem);
      this.#entries.moveTo(first + header.controls);
    } else {
      for (const [i, control] of controls.entries()) await this.#passControl(file, first + i, control);
      const isPlain = header.records + header.quarantined === 0;
      if (isPlain && !frame.equals(plainFrame(this.#task.origin, first, controls))) {
        this.#report(
          file,
          first,
          first + frameCount(header),
          'the frame is not spelled as a frame of control entries is',
        );
      }
    }
    if (header.records + header.quarantined > 0) await this.#passItems(file, frame, header, info);
    this.#result.frames++;
    this.#result.bytes += frame.length;
    this.#chain = extendChain(this.#chain, frame);
    this.#offset += frame.length;
    this.#index = first + frameCount(header);
    this.#places = [this.#place()];
  }

  async #passControl(file: string, index: number, entry: Buffer): Promise<void> {
    if (!(await this.#entries.passControl(entry))) {
      this.#report(file, index, index + 1, 'the frame’s control entry is not the one in the tree');
      return;
    }
    const control = parseControlBody(entry.subarray(1));
    if (isProblem(control)) {
      if (index >= this.#task.size) this.#report(file, index, index + 1, control.problem);
      return;
    }
    if (control.type === 'content') this.#meetContent(file, { index, ...control });
    if (control.type === 'epoch-opened' && index >= this.#task.size) {
      this.#openedLately = control.epoch;
      this.#result.lateEpochs.push(control.epoch);
    }
    if (control.type === 'content' && index >= this.#task.size) this.#result.publishing = index + 1;
  }

  #meetContent(file: string, content: Anchor): void {
    const { index, segment, offset, chain } = content;
    const place = this.#places.find((known) => known.segment === segment && known.offset === offset);
    if (place === undefined) {
      this.#report(
        file,
        index,
        index + 1,
        `the content entry says segment ${segment}, byte ${offset}; it stands elsewhere`,
      );
      return;
    }
    if (this.#chainKnown && place.chain !== chain) {
      this.#report(
        file,
        this.#confirmed,
        index,
        'the content is not what the ledger recorded: its chain differs',
      );
    }
    // The tree's word counts from here on. Headers between the place and this frame are added again.
    if (place.chain !== chain || !this.#chainKnown) {
      const isHere = place === this.#places.at(-1);
      this.#chain = isHere ? Buffer.from(chain, 'hex') : this.#chain;
      this.#chainKnown = isHere || place.chain === chain;
    }
    this.#confirmed = index;
  }

  async #passItems(file: string, frame: Buffer, header: FrameHeader, info: SegmentInfo): Promise<void> {
    const { records, quarantined } = header;
    const from = header.first + header.controls;
    const epoch = this.#task.epochs.find((known) => known.epoch === info.epoch);
    if (epoch === undefined && this.#openedLately !== info.epoch && !info.damaged) {
      this.#report(
        file,
        from,
        from + records + quarantined,
        `epoch ${info.epoch} was not opened before this frame`,
      );
    }
    let commitments: Uint8Array | undefined;
    if (epoch?.key !== undefined) {
      const content = await this.#sealed.open(frame, header, epoch);
      if (isProblem(content)) {
        this.#report(file, from, from + records + quarantined, content.problem);
      } else {
        commitments = content.commitments;
        this.#result.decrypted += records + quarantined;
        for (const { at, problem } of content.problems) this.#report(file, from + at, from + at + 1, problem);
      }
    }
    const differing = [
      await this.#entries.passCommitted('record', records, commitments?.subarray(0, records * 32)),
      await this.#entries.passCommitted('quarantined', quarantined, commitments?.subarray(records * 32)),
    ];
    const what =
      commitments === undefined
        ? 'has entries of other kinds than the tree'
        : 'has other content than the tree commits to';
    for (const range of differing) {
      if (range !== undefined) this.#report(file, range.from, range.to, `the frame ${what}`);
    }
  }

  #arrive(): void {
    const { to, size, from } = this.#task;
    const file = segmentFile(this.#task.ledger, this.#segment);
    if (to === undefined) {
      if (this.#index < size) {
        this.#report(
          file,
          this.#index,
          size,
          `the content ends at byte ${this.#offset}, before the entries do`,
        );
      }
    } else if (this.#index !== to.index || this.#offset !== to.offset) {
      this.#report(
        file,
        from.index,
        to.index,
        `the frames end with entry ${this.#index} at byte ${this.#offset}, expected entry ${to.index} at ${to.offset}`,
      );
    } else if (this.#chainKnown && hex(this.#chain) !== to.chain) {
      this.#report(
        file,
        this.#confirmed,
        to.index,
        'the content is not what the ledger recorded: its chain differs',
      );
    }
  }

  #epochAt(index: number): EpochFact | undefined {
    return this.#task.epochs.findLast(({ opened }) => opened <= index);
  }

  /** An end for a range of entries that begins at `from`, as near as it is known. */
  #end(from: number): number {
    return Math.max(from, this.#task.to?.index ?? this.#task.size);
  }

  #place(): Place {
    return { segment: this.#segment, offset: this.#offset, chain: hex(this.#chain) };
  }

  #report(file: string, from: number, to: number, problem: string): void {
    this.#result.problems.push({ file, from, to, problem });
  }
}

/** Nothing in a frame of control entries is secret or random, so there is one way to write it. */
function plainFrame(origin: string, first: number, controls: readonly Uint8Array[]): Buffer {
  const nothing = new Uint8Array(32);
  const input = {
    origin,
    epoch: 0,
    epochKey: nothing,
    first,
    blockId: nothing,
    controls,
    records: [],
    quarantined: [],
  };
  return sealFrame(input).frame;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}
