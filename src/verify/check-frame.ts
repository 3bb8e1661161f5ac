// One whole frame, held against the entries that the tree has in its place: control entries byte by byte, the kinds of the others,
// and with a key what they commit to.

import { isProblem } from '../bytes/problem.ts';
import { COMMITMENT_BYTES } from '../merkle/entry.ts';
import { type FrameHeader, frameCount, parseControls, type Sections } from '../sealed/frame-layout.ts';
import { sealFrame } from '../sealed/seal-frame.ts';
import { SealedCheck } from './check-sealed.ts';
import { parseControlBody } from './control-entries.ts';
import { EntryCursor, type OtherEntries } from './entry-cursor.ts';
import type { SegmentInfo } from './segments.ts';
import type { Source } from './source.ts';
import type { Anchor, SpanResult, SpanTask } from './span-task.ts';

export interface ParsedFrame {
  readonly header: FrameHeader;
  readonly sections: Sections;
}

export class FrameCheck {
  readonly #task: SpanTask;
  readonly #result: SpanResult;
  readonly #entries: EntryCursor;
  readonly #sealed: SealedCheck;
  /** The newest epoch that a frame behind the checkpoint has opened. */
  #openedLately = 0;

  /** What is found goes to `result`. */
  constructor(source: Source, task: SpanTask, result: SpanResult) {
    const { ledger, origin, size, from } = task;
    this.#task = task;
    this.#result = result;
    this.#entries = new EntryCursor(source, ledger, size, from.index);
    this.#sealed = new SealedCheck(source, ledger, origin, size);
  }

  /** Entries before this one are passed over. */
  moveTo(index: number): void {
    this.#entries.moveTo(index);
  }

  /** Returns the content entries in the frame, as they stand in the tree. */
  async check(
    file: string,
    frame: Buffer,
    { header, sections }: ParsedFrame,
    info: SegmentInfo,
  ): Promise<Anchor[]> {
    const { first } = header;
    const end = first + frameCount(header);
    const content: Anchor[] = [];
    const controls = sections.control === undefined ? [] : parseControls(sections.control, header.controls);
    if (isProblem(controls)) {
      this.#report(file, first, first + header.controls, controls.problem);
      this.#entries.moveTo(first + header.controls);
    } else {
      for (const [i, entry] of controls.entries()) {
        const anchor = await this.#checkControl(file, first + i, entry);
        if (anchor !== undefined) content.push(anchor);
      }
    }
    const isPlain = header.records + header.quarantined === 0;
    if (!isPlain) await this.#checkItems(file, frame, header, info);
    else if (!isProblem(controls) && !frame.equals(plainFrame(this.#task.origin, first, controls))) {
      this.#report(file, first, end, 'the frame is not spelled as a frame of control entries is');
    }
    if (!isPlain && this.#task.to === undefined && first < this.#task.size) {
      this.#report(file, first, end, 'no content entry follows this frame, so nothing vouches for it');
    }
    this.#result.frames++;
    this.#result.bytes += frame.length;
    return content;
  }

  async #checkControl(file: string, index: number, entry: Buffer): Promise<Anchor | undefined> {
    const other = await this.#entries.passControl(entry);
    if (other !== undefined) {
      this.#differ(file, other, 'has another control entry than');
      return undefined;
    }
    const isPublished = index < this.#task.size;
    const control = parseControlBody(entry.subarray(1));
    if (isProblem(control)) {
      // Of published entries this is said where the tree is checked.
      if (!isPublished) this.#report(file, index, index + 1, control.problem);
      return undefined;
    }
    if (control.type === 'epoch-opened' && !isPublished) {
      this.#openedLately = control.epoch;
      this.#result.lateEpochs.push(control.epoch);
    }
    if (control.type !== 'content') return undefined;
    if (!isPublished) {
      this.#result.publishedBefore = this.#result.publishing;
      this.#result.publishing = index + 1;
    }
    const { segment, offset, chain } = control;
    return { index, segment, offset, chain };
  }

  async #checkItems(file: string, frame: Buffer, header: FrameHeader, info: SegmentInfo): Promise<void> {
    const { records, quarantined } = header;
    const from = header.first + header.controls;
    const to = from + records + quarantined;
    const epoch = this.#task.epochs.find((known) => known.epoch === info.epoch);
    const isOpened = epoch !== undefined || this.#openedLately === info.epoch;
    if (!isOpened && !info.damaged && this.#task.epochsAreAll) {
      this.#report(file, from, to, `epoch ${info.epoch} was not opened before this frame`);
    }
    let commitments: Uint8Array | undefined;
    if (epoch?.key !== undefined) {
      const content = await this.#sealed.open(frame, header, epoch);
      if (isProblem(content)) {
        this.#report(file, from, to, content.problem);
      } else {
        commitments = content.commitments;
        this.#result.decrypted += records + quarantined;
        for (const { at, problem } of content.problems) this.#report(file, from + at, from + at + 1, problem);
      }
    }
    const split = records * COMMITMENT_BYTES;
    const others = [
      ...(await this.#entries.passCommitted('record', records, commitments?.subarray(0, split))),
      ...(await this.#entries.passCommitted('quarantined', quarantined, commitments?.subarray(split))),
    ];
    const how =
      commitments === undefined
        ? 'has other kinds of entries than'
        : 'has other content than is committed to in';
    for (const other of others) this.#differ(file, other, how);
  }

  #differ(file: string, { from, to, bundle }: OtherEntries, how: string): void {
    this.#result.differences.push({ file, from, to, problem: `the frame ${how} ${bundle}`, against: bundle });
  }

  #report(file: string, from: number, to: number, problem: string): void {
    this.#result.problems.push({ file, from, to, problem });
  }
}

/** Nothing in a frame of control entries is secret or random, so there is one way to write it. */
function plainFrame(origin: string, first: number, controls: readonly Uint8Array[]): Buffer {
  const nothing = new Uint8Array(32);
  const secrets = { origin, epoch: 0, epochKey: nothing, blockId: nothing };
  return sealFrame({ ...secrets, first, controls, records: [], quarantined: [] }).frame;
}
