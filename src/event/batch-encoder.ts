// Requests to record batches: the hot path of every receiver.
//
// Two ways lead to a record. The plain path (parse-record.ts) defines what is accepted: parse, validate, write canonically.
// The fast path recognises an item of a known shape (shape.ts), checks its values where they lie and copies them in
// canonical order between prepared pieces. It only ever accepts what the plain path accepts, with the same bytes; in any
// doubt the item takes the plain path, which also teaches the encoder new shapes. A property test holds the two together.
//
// Every byte of a request ends up in a record or in quarantine, except white space and the commas and brackets of a list.

import { isUtf8 } from 'node:buffer';
import { type QuarantinedItem, RECORD_BYTES_MAX, type RecordBatch } from './batch.ts';
import { canonicalRecordText } from './canonical.ts';
import { UTC } from './column.ts';
import { communityId, protocolNumber } from './community-id.ts';
import { afterByteOrderMark, afterLine, endOfListItem, isListItemEnd, skipSpace } from './framing.ts';
import { integerAt, ipv4Bytes, NOT_VERBATIM, TIMESTAMP_BYTES, writePaddedUtc } from './in-place.ts';
import { parseIp } from './ip.ts';
import { ITEM_BYTES_MAX, parseRecord } from './parse-record.ts';
import {
  COLUMNS_MAX,
  type FlowColumns,
  FROM_INGESTED,
  FROM_OBSERVER,
  type Plan,
  ShapeTree,
} from './shape.ts';
import { SlabWriter } from './slab.ts';
import { assertContext, type RecordContext } from './validate.ts';

/** One record a line; empty lines are skipped. */
export function encodeNdjson(body: Uint8Array, context: RecordContext): RecordBatch {
  return shared.encodeNdjson(body, context);
}

/** One record, or a list of records. */
export function encodeJson(body: Uint8Array, context: RecordContext): RecordBatch {
  return shared.encodeJson(body, context);
}

/** Records that are objects already, as parsers and sensors make them. */
export function encodeRecords(records: readonly object[], context: RecordContext): RecordBatch {
  return shared.encodeRecords(records, context);
}

const LINE_FEED = 0x0a;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * Malformed items that are kept one by one. A body of nothing but commas would otherwise become a list that is hundreds of
 * times its size; those after the last of them are kept together, as one item. Good records among them are not affected.
 */
export const QUARANTINED_MAX = 10_000;

/** Items in one request. Tiny ones grow twelvefold, and each costs more in objects than in bytes. */
export const ITEMS_MAX = 200_000;

/** Nothing of the request was taken. */
export class TooManyItemsError extends Error {
  override readonly name = 'TooManyItemsError';
  constructor() {
    super(`Cannot take in records: the request has more than ${ITEMS_MAX} items, expected fewer. Split it.`);
  }
}

// Our fields that senders do not write (kind, moment, observer, flow) add about this much to each record.
const ADDED_BYTES = 192;
const RECORD_BYTES_TYPICAL = 512;

const encoder = new TextEncoder();

/** Keeps the shapes it has learned from one request to the next; results never depend on them. */
export class BatchEncoder {
  readonly #shapes = new ShapeTree();
  #recognised = 0;

  // The request at hand.
  #body: Uint8Array = new Uint8Array(0);
  #isUtf8 = false;
  #context: RecordContext = { ingested: '', observer: '' };
  #ingested: Uint8Array = new Uint8Array(0);
  #observer: Uint8Array = new Uint8Array(0);
  #slab = new SlabWriter(0, 0);
  #quarantined: QuarantinedItem[] = [];
  #position = 0;
  /** Malformed items beyond the limit, a line feed after each. */
  readonly #further = new FurtherItems();

  // The item at hand: where each column's value is, in the body or elsewhere. Filled anew for every item, allocated once.
  readonly #sources: Uint8Array[] = new Array<Uint8Array>(COLUMNS_MAX).fill(this.#body);
  readonly #froms = new Int32Array(COLUMNS_MAX);
  readonly #ends = new Int32Array(COLUMNS_MAX);
  readonly #padded = new Uint8Array(COLUMNS_MAX * TIMESTAMP_BYTES);
  #plan: Plan | undefined;
  #text = new Uint8Array(4 * RECORD_BYTES_MAX);

  /** How many items took the fast path so far. */
  get recognised(): number {
    return this.#recognised;
  }

  encodeNdjson(body: Uint8Array, context: RecordContext): RecordBatch {
    this.#begin(body, context, body.length);
    this.#isUtf8 = isUtf8(body);
    const bytes = this.#body;
    let at = skipSpace(bytes, afterByteOrderMark(bytes));
    while (at < bytes.length) {
      const end = this.#recognise(at, bytes.length);
      const next = end === NOT_VERBATIM ? NOT_VERBATIM : afterLine(bytes, end);
      if (next !== NOT_VERBATIM && this.#emit()) {
        at = next;
      } else {
        const lineFeed = bytes.indexOf(LINE_FEED, at);
        const to = lineFeed === -1 ? bytes.length : lineFeed;
        this.#encodePlainly(bytes.subarray(at, to));
        at = to;
      }
      at = skipSpace(bytes, at);
    }
    return this.#finish();
  }

  encodeJson(body: Uint8Array, context: RecordContext): RecordBatch {
    this.#begin(body, context, body.length);
    this.#isUtf8 = isUtf8(body);
    const bytes = this.#body;
    const from = skipSpace(bytes, afterByteOrderMark(bytes));
    if (bytes[from] === OPEN_BRACKET) this.#encodeList(from + 1);
    else if (from < bytes.length) this.#encodeItem(from, bytes.length);
    return this.#finish();
  }

  encodeRecords(records: readonly object[], context: RecordContext): RecordBatch {
    this.#begin(this.#text, context, records.length * 2 * RECORD_BYTES_TYPICAL);
    this.#isUtf8 = true;
    for (const record of records) {
      const text = jsonText(record);
      if (text === undefined) {
        this.#quarantine(
          this.#text.subarray(0, 0),
          'The item cannot be written as JSON, expected a plain object.',
        );
        continue;
      }
      // A UTF-16 unit is at most three bytes of UTF-8.
      if (text.length * 3 > this.#text.length) this.#text = new Uint8Array(text.length * 3);
      this.#body = this.#text;
      this.#encodeItem(0, encoder.encodeInto(text, this.#text).written);
    }
    return this.#finish();
  }

  #begin(body: Uint8Array, context: RecordContext, bytesExpected: number): void {
    assertContext(context);
    // Not a Buffer: a second hidden class would make every byte access in the loops below polymorphic.
    this.#body = Buffer.isBuffer(body) ? new Uint8Array(body.buffer, body.byteOffset, body.byteLength) : body;
    this.#context = context;
    this.#ingested = encoder.encode(JSON.stringify(context.ingested).slice(1, -1));
    this.#observer = encoder.encode(JSON.stringify(context.observer).slice(1, -1));
    const records = Math.ceil(bytesExpected / RECORD_BYTES_TYPICAL);
    this.#slab = new SlabWriter(bytesExpected + records * ADDED_BYTES, records);
    this.#quarantined = [];
    this.#position = 0;
    this.#further.clear();
  }

  #finish(): RecordBatch {
    const further = this.#further.take();
    if (further !== undefined) this.#quarantined.push(further);
    const batch = this.#slab.finish(this.#quarantined);
    // Nothing of a request may outlive it here: the slab's buffer is about to be transferred.
    this.#slab = new SlabWriter(0, 0);
    this.#body = this.#ingested;
    this.#sources.fill(this.#ingested);
    return batch;
  }

  #encodeList(from: number): void {
    const bytes = this.#body;
    let at = skipSpace(bytes, from);
    let isOpen = bytes[at] !== CLOSE_BRACKET;
    while (isOpen) {
      at = skipSpace(bytes, at);
      let end = this.#recognise(at, bytes.length);
      const isWhole = end !== NOT_VERBATIM && isListItemEnd(bytes, end);
      if (!isWhole || !this.#emit()) {
        end = endOfListItem(bytes, at);
        this.#encodePlainly(bytes.subarray(at, end));
      }
      at = skipSpace(bytes, end);
      isOpen = bytes[at] === COMMA;
      if (isOpen) at++;
    }
    if (bytes[at] !== CLOSE_BRACKET) {
      this.#quarantine(bytes.subarray(at), 'The list of items has no end, expected "]". Was it cut short?');
      return;
    }
    at = skipSpace(bytes, at + 1);
    if (at < bytes.length) {
      this.#quarantine(bytes.subarray(at), 'Something follows the list of items, expected nothing.');
    }
  }

  #encodeItem(from: number, to: number): void {
    const end = this.#recognise(from, to);
    const isWhole = end === to || (end !== NOT_VERBATIM && skipSpace(this.#body, end) === to);
    if (!isWhole || !this.#emit()) this.#encodePlainly(this.#body.subarray(from, to));
  }

  #encodePlainly(item: Uint8Array): void {
    const result = parseRecord(item, this.#context);
    this.#shapes.earn();
    if (!result.ok) {
      this.#quarantine(item, result.reason);
      return;
    }
    const text = canonicalRecordText(result.record);
    const start = this.#slab.reserve(text.length * 3);
    const { written } = encoder.encodeInto(text, this.#slab.bytes.subarray(start));
    this.#slab.commit(start, start + written);
    this.#nextPosition();
    this.#shapes.learn(item, result.record);
  }

  #quarantine(raw: Uint8Array, reason: string): void {
    const position = this.#nextPosition();
    if (this.#quarantined.length < QUARANTINED_MAX)
      this.#quarantined.push({ position, reason, raw: raw.slice() });
    else this.#further.add(position, raw);
  }

  #nextPosition(): number {
    if (this.#position >= ITEMS_MAX) throw new TooManyItemsError();
    return this.#position++;
  }

  /** Walks the tree of shapes along the item that begins at `from`; where it ends, or NOT_VERBATIM. */
  #recognise(from: number, limit: number): number {
    const bytes = this.#body;
    let node = this.#shapes.root.next(bytes, from, limit);
    let at = from;
    for (let depth = 0; node !== undefined; depth++) {
      at += node.piece.length;
      const column = node.column;
      if (column === undefined) {
        this.#plan = node.plan;
        return at - from <= ITEM_BYTES_MAX ? at : NOT_VERBATIM;
      }
      let end = column.endOfVerbatim(bytes, at, limit, this.#isUtf8);
      if (end === NOT_VERBATIM) {
        end = column.translate(bytes, at, limit);
        if (end === NOT_VERBATIM) return NOT_VERBATIM;
        this.#place(depth, column.translation, 0, column.translation.length);
      } else if (column.check === UTC && end - at < TIMESTAMP_BYTES) {
        const slot = depth * TIMESTAMP_BYTES;
        writePaddedUtc(bytes, at, end, this.#padded, slot);
        this.#place(depth, this.#padded, slot, slot + TIMESTAMP_BYTES);
      } else {
        this.#place(depth, bytes, at, end);
      }
      at = end;
      node = node.next(bytes, at, limit);
    }
    return NOT_VERBATIM;
  }

  #place(depth: number, source: Uint8Array, from: number, end: number): void {
    this.#sources[depth] = source;
    this.#froms[depth] = from;
    this.#ends[depth] = end;
  }

  /** Writes the recognised item's record. False leaves it to the plain path. */
  #emit(): boolean {
    const plan = this.#plan!;
    let flow = this.#ingested;
    if (plan.flow !== undefined) {
      const identifier = this.#flow(plan.flow);
      if (identifier === undefined) return false;
      flow = encoder.encode(identifier);
    }
    const { origins, pieces } = plan;
    let length = plan.pieceBytes;
    for (let index = 0; index < origins.length; index++) {
      const origin = origins[index]!;
      if (origin >= 0) length += this.#ends[origin]! - this.#froms[origin]!;
      else length += this.#added(origin, flow).length;
    }
    if (length > RECORD_BYTES_MAX) return false;

    const start = this.#slab.reserve(length);
    const into = this.#slab.bytes;
    let at = start;
    for (let index = 0; index < origins.length; index++) {
      const piece = pieces[index]!;
      at = copy(piece, 0, piece.length, into, at);
      const origin = origins[index]!;
      if (origin >= 0) {
        at = copy(this.#sources[origin]!, this.#froms[origin]!, this.#ends[origin]!, into, at);
      } else {
        const added = this.#added(origin, flow);
        at = copy(added, 0, added.length, into, at);
      }
    }
    const last = pieces[origins.length]!;
    at = copy(last, 0, last.length, into, at);
    this.#slab.commit(start, at);
    this.#nextPosition();
    this.#shapes.earn();
    this.#recognised++;
    return true;
  }

  #added(origin: number, flow: Uint8Array): Uint8Array {
    if (origin === FROM_INGESTED) return this.#ingested;
    return origin === FROM_OBSERVER ? this.#observer : flow;
  }

  #flow([transport, sourceIp, sourcePort, destinationIp, destinationPort]: FlowColumns): string | undefined {
    const protocol = protocolNumber(this.#textOf(transport));
    if (protocol === undefined) return undefined;
    const source = this.#addressOf(sourceIp);
    const destination = this.#addressOf(destinationIp);
    return communityId(
      protocol,
      source,
      this.#numberOf(sourcePort),
      destination,
      this.#numberOf(destinationPort),
    );
  }

  #textOf(column: number): string {
    return asciiText(this.#sources[column]!, this.#froms[column]!, this.#ends[column]!);
  }

  #numberOf(column: number): number {
    return integerAt(this.#sources[column]!, this.#froms[column]!, this.#ends[column]!);
  }

  #addressOf(column: number): Uint8Array {
    const address = ipv4Bytes(this.#sources[column]!, this.#froms[column]!, this.#ends[column]!);
    return address ?? parseIp(this.#textOf(column))!;
  }
}

/** Malformed items that are kept as one: where the first stood, how many, and their bytes. */
class FurtherItems {
  #bytes = new Uint8Array(0);
  #used = 0;
  #count = 0;
  #position = 0;

  add(position: number, raw: Uint8Array): void {
    if (this.#count === 0) this.#position = position;
    this.#count++;
    const needed = this.#used + raw.length + 1;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(2 * needed);
      larger.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = larger;
    }
    this.#bytes.set(raw, this.#used);
    this.#bytes[needed - 1] = LINE_FEED;
    this.#used = needed;
  }

  take(): QuarantinedItem | undefined {
    if (this.#count === 0) return undefined;
    const reason = `The request has more than ${QUARANTINED_MAX} malformed items, expected fewer. This one and the other ${this.#count - 1} that follow are kept together.`;
    return { position: this.#position, reason, raw: this.#bytes.slice(0, this.#used) };
  }

  clear(): void {
    this.#bytes = new Uint8Array(0);
    this.#used = 0;
    this.#count = 0;
  }
}

/** One encoder for a thread: its shapes are a cache that every sender may warm and none can change the outcome of. */
const shared = new BatchEncoder();

/**
 * A loop and not `set`: most spans are about 20 bytes, and a call into the engine's own copy costs as much as copying 60.
 */
function copy(source: Uint8Array, from: number, end: number, into: Uint8Array, at: number): number {
  let to = at;
  for (let index = from; index < end; index++) into[to++] = source[index]!;
  return to;
}

function asciiText(bytes: Uint8Array, from: number, end: number): string {
  let text = '';
  for (let at = from; at < end; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}

function jsonText(record: object): string | undefined {
  try {
    return JSON.stringify(record) as string | undefined;
  } catch {
    // Cycles and bigints. The message would quote the value.
    return undefined;
  }
}
