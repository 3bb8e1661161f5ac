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
import { frameCount, parseFrame } from '../sealed/frame-layout.ts';
import { extendChain, SEGMENT_HEADER_BYTES } from '../sealed/segment-header.ts';
import { FrameCheck, type ParsedFrame } from './check-frame.ts';
import type { EpochFact } from './check-sealed.ts';
import { FrameReader, segmentFile } from './frame-reader.ts';
import type { SegmentInfo } from './segments.ts';
import type { Source } from './source.ts';
import { type Anchor, emptySpanResult, type SpanResult, type SpanTask } from './span-task.ts';
import { judgeEnd } from './torn-end.ts';

const CHAIN_DIFFERS = 'the content is not what the ledger recorded: its chain differs';

export async function checkSpan(source: Source, task: SpanTask): Promise<SpanResult> {
  return new SpanCheck(source, task).run();
}

interface Place {
  readonly segment: number;
  readonly offset: number;
  readonly chain: string;
}

interface Joint {
  readonly before: { readonly file: string; readonly from: number };
  readonly after: { readonly file: string; readonly from: number };
}

class SpanCheck {
  readonly #source: Source;
  readonly #task: SpanTask;
  readonly #frames: FrameCheck;
  readonly #result = emptySpanResult();
  #segment: number;
  #offset: number;
  #index: number;
  #chain: Uint8Array;
  /** After damage the chain says nothing until a content entry says what it is. */
  #chainKnown = true;
  /** Entries before this one are in frames that the chain has confirmed. */
  #confirmed: number;
  /** Entry at which the frames with records begin that no content entry has been met behind. */
  #unvouched: number | undefined;
  /**
   * A segment that does not go on with the chain of the one before it. The next content entry decides which of the two was changed:
   * until then the header is believed.
   */
  #joint: Joint | undefined;
  /** Where the next frame may be said to begin: the end of the last one, and after each segment header since. */
  #places: Place[];

  constructor(source: Source, task: SpanTask) {
    const { from } = task;
    this.#source = source;
    this.#task = task;
    this.#frames = new FrameCheck(source, task, this.#result);
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
      const isWhole = await this.#walkFrames(info, end, isLast && to === undefined);
      if (isLast && !isWhole) return this.#result;
      if (isLast) break;
      if (!isWhole) this.#resume(info.number);
      this.#segment++;
      this.#offset = 0;
    }
    this.#arrive();
    return this.#result;
  }

  /** The rest of a segment is lost: goes on where the next one says that it begins. */
  #resume(segment: number): void {
    const next = this.#task.segments.find(({ number }) => number > segment);
    if (next !== undefined) this.#index = Math.max(this.#index, next.first);
    this.#frames.moveTo(this.#index);
    this.#chainKnown = false;
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
    this.#reportUnvouched(next?.first);
    if (next === undefined) return false;
    this.#segment = next.number;
    this.#offset = 0;
    this.#index = Math.max(this.#index, next.first);
    this.#confirmed = this.#index;
    this.#frames.moveTo(this.#index);
    // The header's word is enough: the next content entry's chain covers this header, and with it the chain it begins from.
    this.#chain = Buffer.from(next.previousChain, 'hex');
    return true;
  }

  /**
   * Before a segment that is missing. Its header would have confirmed the chain; without it only frames that have one spelling are
   * beyond doubt. A writer publishes before it begins a segment, so it leaves no others there.
   */
  #reportUnvouched(nextFirst: number | undefined): void {
    const file = segmentFile(this.#task.ledger, this.#segment - 1);
    const from =
      this.#unvouched ?? (nextFirst === undefined ? this.#index : Math.min(nextFirst, this.#index));
    if (from < this.#index)
      this.#report(file, from, this.#index, 'nothing vouches for these frames: what followed is missing');
    this.#unvouched = undefined;
  }

  async #passHeader(info: SegmentInfo): Promise<void> {
    const file = segmentFile(this.#task.ledger, info.number);
    const bytes = await this.#source.read(file, 0, SEGMENT_HEADER_BYTES);
    if (info.damaged) {
      // Reported where the segments were listed.
      this.#chainKnown = false;
    } else {
      if (this.#chainKnown && info.previousChain !== hex(this.#chain)) {
        const before = { file: segmentFile(this.#task.ledger, info.number - 1), from: this.#confirmed };
        this.#joint = { before, after: { file, from: info.first } };
        this.#chain = Buffer.from(info.previousChain, 'hex');
      }
      if (info.first !== this.#index) {
        const [from, to] = [Math.min(info.first, this.#index), Math.max(info.first, this.#index)];
        this.#report(file, from, to, `the segment begins with entry ${info.first}, expected ${this.#index}`);
      }
      const epoch = this.#epochAt(info.first)?.epoch;
      const { size, epochsAreAll } = this.#task;
      if (this.#index < size && epochsAreAll && epoch !== info.epoch && epoch !== undefined) {
        this.#report(
          file,
          info.first,
          this.#end(),
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
      if (!isProblem(found) && !isProblem(parsed) && parsed.header.first === this.#index) {
        await this.#passFrame(reader, found.frame, parsed, info);
        continue;
      }
      if (isEnd && this.#index >= this.#task.size) return this.#endTorn(info);
      const problem = isProblem(parsed) ? parsed.problem : `it begins with entry ${parsed.header.first}`;
      if (!(await this.#passDamaged(reader, end, problem))) return false;
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
        this.#frames.moveTo(after);
        this.#places = [this.#place()];
        return true;
      }
    }
    const to = Math.max(this.#index + 1, this.#end());
    this.#report(reader.file, this.#index, to, `the content at byte ${this.#offset} is damaged: ${problem}`);
    return false;
  }

  async #passFrame(
    reader: FrameReader,
    frame: Buffer,
    parsed: ParsedFrame,
    info: SegmentInfo,
  ): Promise<void> {
    const content = await this.#frames.check(reader.file, frame, parsed, info);
    for (const anchor of content) this.#meetContent(reader.file, anchor);
    this.#chain = extendChain(this.#chain, frame);
    if (parsed.header.records + parsed.header.quarantined > 0) this.#unvouched ??= this.#index;
    this.#offset += frame.length;
    this.#index += frameCount(parsed.header);
    this.#places = [this.#place()];
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
    this.#meetChain(file, place.chain, chain, index);
    // The tree's word counts from here on. Headers between the place and this frame are added again.
    if (place.chain !== chain || !this.#chainKnown) {
      const isHere = place === this.#places.at(-1);
      this.#chain = isHere ? Buffer.from(chain, 'hex') : this.#chain;
      this.#chainKnown = isHere || place.chain === chain;
    }
    this.#confirmed = index;
    this.#unvouched = undefined;
  }

  #arrive(): void {
    const { to, size, from } = this.#task;
    const file = segmentFile(this.#task.ledger, this.#segment);
    if (to === undefined) {
      this.#result.end = this.#index;
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
    } else {
      this.#meetChain(file, hex(this.#chain), to.chain, to.index);
    }
    if (this.#joint !== undefined) this.#reportJoint(false);
  }

  /** The chain as it was computed, and as the tree has it. */
  #meetChain(file: string, computed: string, recorded: string, index: number): void {
    if (!this.#chainKnown) {
      this.#joint = undefined;
      return;
    }
    const isSame = computed === recorded;
    if (this.#joint !== undefined) this.#reportJoint(isSame);
    else if (!isSame) this.#report(file, this.#confirmed, index, CHAIN_DIFFERS);
  }

  #reportJoint(headerIsRight: boolean): void {
    const { before, after } = this.#joint!;
    this.#joint = undefined;
    if (headerIsRight) this.#report(before.file, before.from, after.from, CHAIN_DIFFERS);
    else this.#report(after.file, after.from, this.#end(), 'the segment does not continue the one before it');
  }

  #epochAt(index: number): EpochFact | undefined {
    return this.#task.epochs.findLast(({ opened }) => opened <= index);
  }

  /** Where damage in this segment ends at the latest. */
  #end(): number {
    const next = this.#task.segments.find(({ number }) => number > this.#segment);
    return Math.max(this.#index, next?.first ?? this.#task.to?.index ?? this.#task.size);
  }

  #place(): Place {
    return { segment: this.#segment, offset: this.#offset, chain: hex(this.#chain) };
  }

  #report(file: string, from: number, to: number, problem: string): void {
    this.#result.problems.push({ file, from, to, problem });
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}
