// A ledger in an array, for tests whose subject is above the ledger. It keeps the interface's promises except durability.

import type {
  Accepted,
  EntryKind,
  Ledger,
  LedgerStatus,
  ScanOptions,
  StoredEntry,
  Submission,
} from '../../ledger/ledger.ts';
import { LedgerError } from '../../ledger/ledger.ts';

interface Remembered {
  readonly digest: Uint8Array;
  readonly accepted: Accepted;
}

export class MemoryLedger implements Ledger {
  readonly name: string;
  readonly origin: string;
  readonly verifierKey = 'test+00000000+AQ==';
  readonly entries: StoredEntry[] = [];
  /** Runs before each append becomes durable; may wait or throw. */
  beforeAppend: (submission: Submission) => Promise<void> | void = () => {};
  stopped: string | undefined;
  published = 0;
  readonly #remembered = new Map<string, Remembered>();
  readonly #waiting = new Set<() => void>();

  constructor(name: string) {
    this.name = name;
    this.origin = `test/${name}`;
  }

  async append(submission: Submission): Promise<Accepted> {
    await this.beforeAppend(submission);
    if (this.stopped !== undefined) throw new LedgerError('stopped', `Cannot append: ${this.stopped}`);
    const key = submission.idempotencyKey && `${submission.principal} ${submission.idempotencyKey}`;
    const before = key === undefined ? undefined : this.#remembered.get(key);
    if (before) {
      if (!Buffer.from(before.digest).equals(submission.bodyDigest!)) {
        throw new LedgerError('key-reused', 'Cannot append: the key belongs to another body.');
      }
      return { ...before.accepted, replayed: true };
    }
    const { slab, starts, ends, quarantined } = submission.batch;
    const first = this.entries.length;
    for (const [position, start] of starts.entries()) this.#push('record', slab.slice(start, ends[position]));
    for (const item of quarantined) {
      const raw = Buffer.from(item.raw).toString('base64');
      const body = {
        position: item.position,
        raw,
        reason: item.reason,
        received: '2026-11-20T12:00:00.000000000Z',
      };
      this.#push('quarantined', Buffer.from(JSON.stringify(body)));
    }
    const accepted: Accepted = {
      ledger: this.name,
      first,
      count: starts.length,
      quarantined: quarantined.map(({ position, reason }) => ({ position, reason })),
      replayed: false,
    };
    if (key !== undefined) this.#remembered.set(key, { digest: submission.bodyDigest!, accepted });
    for (const wake of this.#waiting) wake();
    return accepted;
  }

  /** The records as objects, oldest first. */
  records(): Record<string, unknown>[] {
    return this.entries
      .filter((entry) => entry.kind === 'record')
      .map((entry) => JSON.parse(Buffer.from(entry.bytes).toString()) as Record<string, unknown>);
  }

  status(): LedgerStatus {
    const count = (kind: EntryKind) => this.entries.filter((entry) => entry.kind === kind).length;
    return {
      name: this.name,
      origin: this.origin,
      size: this.entries.length,
      published: this.published,
      root: '00'.repeat(32),
      epoch: 1,
      records: count('record'),
      quarantined: count('quarantined'),
      contentBytes: 0,
      queuedBytes: 0,
      ...(this.stopped === undefined ? {} : { stopped: this.stopped }),
    };
  }

  async *scan(options: ScanOptions = {}): AsyncGenerator<readonly StoredEntry[]> {
    const { order = 'newest', from = 0, to = this.entries.length, kinds, signal } = options;
    const chosen = this.entries.slice(from, to).filter((entry) => !kinds || kinds.includes(entry.kind));
    if (order === 'newest') chosen.reverse();
    for (let at = 0; at < chosen.length && !signal?.aborted; at += 16) {
      await Promise.resolve();
      yield chosen.slice(at, at + 16);
    }
  }

  async waitBeyond(size: number, signal: AbortSignal): Promise<number> {
    while (this.entries.length <= size && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal.addEventListener('abort', wake);
      });
    }
    return this.entries.length;
  }

  async publish(): Promise<number> {
    this.published = this.entries.length;
    return this.published;
  }

  async prove(index: number): Promise<Uint8Array> {
    if (index >= this.entries.length) throw new LedgerError('not-found', `Cannot prove ${index}: not there.`);
    return Buffer.from(`c2sp.org/tlog-proof@v1\nindex ${index}\n\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #push(kind: EntryKind, bytes: Uint8Array): void {
    this.entries.push({ index: this.entries.length, kind, bytes });
  }
}
