// The handle of a ledger: queues submissions, sends them to the ledger's worker in groups, one group at a time, and reads
// back what is durable. While one group is sealed and synced the next one gathers, so the group's size follows the load.

import { Worker } from 'node:worker_threads';
import { largeBuffers } from '../bytes/buffer-pool.ts';
import type { Disk } from '../disk/disk.ts';
import type { EpochKeys } from '../keys/epoch-keys.ts';
import type { RootKey } from '../keys/root-key.ts';
import { formatVerifierKey, verifierKeyOf } from '../merkle/note.ts';
import { type AppendRequest, requestDigest } from './append-group.ts';
import {
  type Accepted,
  type Ledger,
  LedgerError,
  type LedgerStatus,
  type ScanOptions,
  type StoredEntry,
  type Submission,
} from './ledger.ts';
import { LedgerReader, type LogEnd } from './reader.ts';
import type { FromWorker, ToWorker, WorkerStart, WriterState } from './worker-protocol.ts';

/** A group ends when it has this much: enough for good compression, and sealed within some 30 ms. */
const GROUP_BYTES = 4 * 1024 * 1024;
const GROUP_RECORDS = 8192;
/** Beyond this a submission is refused: the sender's retry is cheaper than our memory. */
const QUEUE_BYTES_MAX = 96 * 1024 * 1024;

export interface WorkerLedgerOptions {
  readonly disk: Disk;
  readonly start: WorkerStart;
  /** For reading; the worker opens its own. */
  readonly epochKeys: EpochKeys;
  readonly onTornBytes?: (bytes: number) => void;
}

interface Waiting {
  readonly submission: Submission;
  readonly bytes: number;
  readonly resolve: (accepted: Accepted) => void;
  readonly reject: (error: unknown) => void;
}

export class WorkerLedger implements Ledger {
  readonly name: string;
  readonly origin: string;
  readonly verifierKey: string;
  readonly #worker: Worker;
  readonly #reader: LedgerReader;
  #state: WriterState;
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  /** Whoever waits for the worker's answers, oldest first. */
  readonly #answers: ((message: FromWorker) => void)[] = [];
  #appending = false;
  #dead: string | undefined;
  readonly #sizeWatchers = new Set<() => void>();

  private constructor(worker: Worker, state: WriterState, options: WorkerLedgerOptions) {
    const { name, origin, paths, signingKey } = options.start;
    this.name = name;
    this.origin = origin;
    const verifierKey = verifierKeyOf(origin, signingKey);
    this.verifierKey = formatVerifierKey(verifierKey);
    this.#worker = worker;
    this.#state = state;
    this.#reader = new LedgerReader({
      disk: options.disk,
      paths,
      origin,
      verifierKey,
      epochKeys: options.epochKeys,
    });
    worker.on('message', (message: FromWorker) => this.#receive(message));
    worker.on('error', (error) => this.#die(`its thread failed: ${error.message}`));
    worker.on('exit', () => this.#die('its thread has ended'));
  }

  static async open(options: WorkerLedgerOptions): Promise<WorkerLedger> {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: options.start,
      // Nearly all that a group commit allocates is large and not on the heap; three times the default would only sit there.
      resourceLimits: { maxYoungGenerationSizeMb: 16 },
    });
    const opened = await new Promise<FromWorker>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    if (opened.kind !== 'opened') {
      await worker.terminate();
      throw opened.kind === 'failed'
        ? errorOf(opened)
        : new Error(`Unexpected "${opened.kind}" from a worker`);
    }
    worker.removeAllListeners('error');
    if (opened.tornBytes > 0) options.onTornBytes?.(opened.tornBytes);
    return new WorkerLedger(worker, opened.state, options);
  }

  append(submission: Submission): Promise<Accepted> {
    const bytes = bytesOf(submission);
    if (this.#dead !== undefined || this.#state.stopped !== undefined) return Promise.reject(this.#stopped());
    if (this.#queuedBytes + bytes > QUEUE_BYTES_MAX) {
      return Promise.reject(
        new LedgerError(
          'overloaded',
          `Cannot append to ledger "${this.name}": ${Math.round(this.#queuedBytes / 1e6)} MB are waiting for the disk, at most ${QUEUE_BYTES_MAX / 1024 / 1024} MiB may. Nothing was accepted; send it again in a moment.`,
          { retryAfterSeconds: 1 },
        ),
      );
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ submission, bytes, resolve, reject });
      this.#queuedBytes += bytes;
      this.#sendGroup();
    });
  }

  status(): LedgerStatus {
    const { size, published, root, epoch, records, quarantined, stopped } = this.#state;
    const reason = this.#dead ?? stopped;
    return {
      name: this.name,
      origin: this.origin,
      size,
      published,
      root,
      epoch,
      records,
      quarantined,
      contentBytes: this.#state.offset,
      queuedBytes: this.#queuedBytes,
      ...(reason === undefined ? {} : { stopped: reason }),
    };
  }

  async *scan(options: ScanOptions = {}): AsyncGenerator<readonly StoredEntry[]> {
    const { order = 'newest', kinds, signal } = options;
    const from = options.from ?? 0;
    const to = Math.min(options.to ?? this.#state.size, this.#state.size);
    if (from >= to) return;
    const end: LogEnd = to === this.#state.size ? this.#state : this.#reader.endOfFrameWith(to - 1);
    const frames = order === 'newest' ? this.#reader.backwards(end, from) : this.#reader.forwards(from, end);
    for (const frame of frames) {
      if (signal?.aborted) return;
      const entries = frame.entries.filter(
        ({ index, kind }) => index >= from && index < to && (kinds === undefined || kinds.includes(kind)),
      );
      if (entries.length > 0) yield order === 'newest' ? entries.reverse() : entries;
      // Opening a frame takes milliseconds; others get their turn between two.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  waitBeyond(size: number, signal: AbortSignal): Promise<number> {
    return new Promise((resolve) => {
      const look = (): void => {
        const isOver = this.#state.size > size || signal.aborted || this.#dead !== undefined;
        if (!isOver) return;
        this.#sizeWatchers.delete(look);
        signal.removeEventListener('abort', look);
        resolve(this.#state.size);
      };
      this.#sizeWatchers.add(look);
      signal.addEventListener('abort', look);
      look();
    });
  }

  async publish(): Promise<number> {
    await this.#ask({ kind: 'publish' });
    return this.#state.published;
  }

  async prove(index: number): Promise<Uint8Array> {
    if (index >= this.#state.published && index < this.#state.size) await this.publish();
    return this.#reader.prove(index);
  }

  /** From when this resolves, new epoch keys are wrapped by the first of these roots. */
  async useRoots(roots: readonly RootKey[]): Promise<void> {
    await this.#ask({ kind: 'roots', roots: roots.map((root) => root.material) });
  }

  /** Writes what is queued, publishes, and ends the worker. */
  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#dead === undefined && this.#queue.length + (this.#appending ? 1 : 0) > 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (this.#dead === undefined) {
      // A writer that has stopped has nothing left to write; why is already known.
      await this.#ask({ kind: 'close' }).catch(() => undefined);
      this.#dead ??= 'it was closed';
    }
    await this.#worker.terminate();
  }

  #sendGroup(): void {
    if (this.#appending || this.#queue.length === 0) return;
    const group: Waiting[] = [];
    let bytes = 0;
    let records = 0;
    for (const waiting of this.#queue) {
      const added = waiting.submission.batch.starts.length;
      if (group.length > 0 && (bytes + waiting.bytes > GROUP_BYTES || records + added > GROUP_RECORDS)) break;
      group.push(waiting);
      bytes += waiting.bytes;
      records += added;
    }
    this.#queue.splice(0, group.length);
    this.#appending = true;
    const transfer = new Set<ArrayBuffer>();
    const requests = group.map(({ submission }) => toRequest(submission, transfer));
    this.#answers.push((message) => this.#finishGroup(group, message));
    this.#worker.postMessage({ kind: 'append', requests } satisfies ToWorker, [...transfer]);
  }

  #finishGroup(group: readonly Waiting[], message: FromWorker): void {
    this.#appending = false;
    if (message.kind === 'appended') for (const slab of message.slabs) largeBuffers.giveBack(slab);
    for (const [i, { bytes, resolve, reject }] of group.entries()) {
      this.#queuedBytes -= bytes;
      if (message.kind !== 'appended') {
        reject(message.kind === 'failed' ? errorOf(message) : this.#stopped());
        continue;
      }
      const outcome = message.outcomes[i]!;
      if (outcome.kind === 'key-reused') reject(keyReused());
      else {
        const { first, count, quarantined, replayed } = outcome;
        resolve({ ledger: this.name, first, count, quarantined, replayed });
      }
    }
    this.#sendGroup();
  }

  async #ask(message: ToWorker): Promise<void> {
    if (this.#dead !== undefined) throw this.#stopped();
    const answer = await new Promise<FromWorker>((resolve) => {
      this.#answers.push(resolve);
      this.#worker.postMessage(message);
    });
    if (answer.kind === 'failed') throw errorOf(answer);
  }

  #receive(message: FromWorker): void {
    if (message.state !== undefined) {
      const grown = message.state.size > this.#state.size;
      this.#state = message.state;
      if (grown) for (const look of [...this.#sizeWatchers]) look();
    }
    if (message.kind !== 'state') this.#answers.shift()?.(message);
  }

  #die(why: string): void {
    if (this.#dead !== undefined) return;
    this.#dead = why;
    const error = {
      code: 'stopped',
      message: this.#stopped().message,
      retryAfterSeconds: undefined,
    } as const;
    for (const answer of this.#answers.splice(0)) answer({ kind: 'failed', error, state: undefined });
    for (const { reject } of this.#queue.splice(0)) reject(this.#stopped());
    for (const look of [...this.#sizeWatchers]) look();
  }

  #stopped(): LedgerError {
    const why = this.#dead ?? this.#state.stopped ?? 'it is closing';
    return new LedgerError(
      'stopped',
      `Cannot append to ledger "${this.name}": its writer has stopped: ${why}. What was acknowledged is safe; see portledger doctor, then restart.`,
    );
  }
}

function toRequest(
  { principal, idempotencyKey, bodyDigest, batch }: Submission,
  transfer: Set<ArrayBuffer>,
): AppendRequest {
  const { slab, starts, ends } = batch;
  for (const part of [slab, starts, ends]) transfer.add(part.buffer);
  return {
    items: { slab, starts, ends },
    // Copied: each may be a view of a whole request body, and all of that would be copied with it.
    quarantined: batch.quarantined.map(({ position, reason, raw }) => ({
      position,
      reason,
      raw: raw.slice(),
    })),
    idempotency:
      idempotencyKey === undefined
        ? undefined
        : {
            key: new Uint8Array(requestDigest(principal, idempotencyKey)),
            body: new Uint8Array(requestDigest(bodyDigest ?? '')),
          },
  };
}

function bytesOf({ batch }: Submission): number {
  let bytes = batch.slab.length;
  for (const { raw } of batch.quarantined) bytes += raw.length;
  return bytes;
}

function keyReused(): LedgerError {
  return new LedgerError(
    'key-reused',
    'Cannot accept the request: its idempotency key was used before with another body. Use a new key for new content.',
  );
}

function errorOf({ error }: Extract<FromWorker, { kind: 'failed' }>): Error {
  const { code, message, retryAfterSeconds } = error;
  if (code === undefined) return new Error(message);
  return new LedgerError(code, message, retryAfterSeconds === undefined ? {} : { retryAfterSeconds });
}
