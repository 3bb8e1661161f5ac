// Searching and following a ledger, without HTTP: lines of NDJSON, each the record as it was stored with `ledger.index` and
// `ledger.name` after its own fields. Whoever calls has recorded the act in the custody ledger.

import type { Masking } from '../access/masking.ts';
import { canonicalRecord, type FlatRecord } from '../event/canonical.ts';
import type { Ledger, StoredEntry } from '../ledger/ledger.ts';
import type { Matcher } from '../query/match.ts';
import type { Chunk } from './recorded-answer.ts';

export interface Selection {
  readonly ledger: Ledger;
  readonly matcher: Matcher;
  /** Where the reader sees personal values as tokens. */
  readonly masking?: Masking;
  readonly signal: AbortSignal;
}

export interface SearchSelection extends Selection {
  readonly limit: number;
  /** Only entries below this index: the durable ones at the start where it is absent. */
  readonly below?: number;
  /** Called with the index of the last record when the limit, not the ledger, ended the search. */
  readonly onMore?: (lastIndex: number) => void;
}

export interface TailSelection extends Selection {
  /** First index that is shown. */
  readonly from: number;
  /** An entry that is left out: the tail's own begin entry. */
  readonly except?: number;
  /** After so long without a record, a blank line. */
  readonly heartbeatMs: number;
}

/** A long search without a hit says something in this time, so that nobody takes the connection for dead. */
const SILENCE_MS_MAX = 15_000;
const BLANK: Chunk = { bytes: Buffer.from('\n'), rows: 0 };
/** Lines are handed on in pieces of about this size. */
const CHUNK_BYTES = 64 * 1024;

/** Newest first. */
export async function* searchRecords(selection: SearchSelection): AsyncGenerator<Chunk> {
  const { ledger, signal, limit } = selection;
  const to = Math.min(selection.below ?? Number.MAX_SAFE_INTEGER, ledger.status().size);
  let found = 0;
  let lastOutput = performance.now();
  for await (const entries of ledger.scan({ order: 'newest', to, kinds: ['record'], signal })) {
    if (signal.aborted) return;
    const lines = new Lines();
    for (const entry of entries) {
      const line = matchingLine(selection, entry);
      if (!line) continue;
      lines.add(line);
      if (++found === limit) {
        if (lines.bytes > 0) yield lines.take();
        selection.onMore?.(entry.index);
        return;
      }
      if (lines.bytes >= CHUNK_BYTES) yield lines.take();
    }
    if (lines.bytes > 0) {
      yield lines.take();
      lastOutput = performance.now();
    } else if (performance.now() - lastOutput > SILENCE_MS_MAX) {
      yield BLANK;
      lastOutput = performance.now();
    }
  }
}

/** Oldest first, from an index on, and then whatever becomes durable, until the signal aborts. */
export async function* tailRecords(selection: TailSelection): AsyncGenerator<Chunk> {
  const { ledger, signal, except, heartbeatMs } = selection;
  // At once, so that the reader knows that it is connected.
  yield BLANK;
  for (let next = selection.from; !signal.aborted; ) {
    const size = await waitBeyond(ledger, next, heartbeatMs, signal);
    if (size <= next) {
      if (!signal.aborted) yield BLANK;
      continue;
    }
    const range = { order: 'oldest', from: next, to: size, kinds: ['record'], signal } as const;
    for await (const entries of ledger.scan(range)) {
      const lines = new Lines();
      for (const entry of entries) {
        const line = entry.index === except ? undefined : matchingLine(selection, entry);
        if (line) lines.add(line);
        if (lines.bytes >= CHUNK_BYTES) yield lines.take();
      }
      if (lines.bytes > 0) yield lines.take();
    }
    next = size;
  }
}

/** The record as output shows it; undefined where the reader is not to see it. */
export function outputRecord(ledger: Ledger, entry: StoredEntry, masking: Masking | undefined): FlatRecord {
  const record = JSON.parse(textOf(entry.bytes)) as FlatRecord;
  const shown = masking ? masking.mask(record) : record;
  return { ...shown, 'ledger.index': entry.index, 'ledger.name': ledger.name };
}

class Lines {
  #parts: Uint8Array[] = [];
  bytes = 0;
  #rows = 0;

  add(line: Uint8Array): void {
    this.#parts.push(line);
    this.bytes += line.length;
    this.#rows++;
  }

  take(): Chunk {
    const chunk = { bytes: Buffer.concat(this.#parts, this.bytes), rows: this.#rows };
    this.#parts = [];
    this.bytes = 0;
    this.#rows = 0;
    return chunk;
  }
}

/** How much is durable, as soon as it is more than `size`, or after a heartbeat's time. */
async function waitBeyond(
  ledger: Ledger,
  size: number,
  heartbeatMs: number,
  signal: AbortSignal,
): Promise<number> {
  const enough = new AbortController();
  const stop = () => enough.abort();
  const timer = setTimeout(stop, heartbeatMs);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await ledger.waitBeyond(size, enough.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

function matchingLine(selection: Selection, entry: StoredEntry): Uint8Array | undefined {
  const { matcher, masking, ledger } = selection;
  if (!matcher.mayMatch(entry.bytes)) return undefined;
  if (matcher.matchesAll && !masking) return lineOf(entry.bytes, entry, ledger);
  const record = JSON.parse(textOf(entry.bytes)) as FlatRecord;
  if (!matcher.matches(record)) return undefined;
  return lineOf(masking ? canonicalRecord(masking.mask(record)) : entry.bytes, entry, ledger);
}

/** The canonical bytes stay as they are; the two members of ours take the place of the closing brace. */
function lineOf(canonical: Uint8Array, entry: StoredEntry, ledger: Ledger): Uint8Array {
  const members = `"ledger.index":${entry.index},"ledger.name":${JSON.stringify(ledger.name)}}\n`;
  const open = canonical.length - 1;
  const isEmpty = open === 1;
  const line = Buffer.allocUnsafe(open + members.length + (isEmpty ? 0 : 1));
  line.set(canonical.subarray(0, open));
  if (!isEmpty) line[open] = 0x2c;
  line.write(members, isEmpty ? open : open + 1, 'latin1');
  return line;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}
