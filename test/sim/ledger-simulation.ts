// One seed of the ledger's simulation.
//
// Goal: the ledger's promises hold whatever the disk does. Method: a seeded workload (requests with and without idempotency
// keys, retries, quarantined items, publications, days that pass) runs on a simulated disk that fails at planned operations in
// every way it knows, or ends the process there. Each time the ledger is opened again, with further faults during recovery,
// until it opens; then everything that was ever promised is checked against what is on the disk:
//
//   1. every acknowledged item is there, at the index it was acknowledged with, unchanged, once
//   2. a retry of an acknowledged request gets the same answer and adds nothing
//   3. every checkpoint that was ever signed is a prefix of the log as it is now, and nothing signed was taken back

import { strict as assert } from 'node:assert';
import { createPrivateKey, hash } from 'node:crypto';
import { DiskError } from '../../src/disk/disk.ts';
import { SeededRandom } from '../../src/disk/seeded-random.ts';
import { SimulatedDisk } from '../../src/disk/simulated-disk.ts';
import { FAULTS, type Fault, SimulatedCrash } from '../../src/disk/simulated-process.ts';
import { EpochKeys } from '../../src/keys/epoch-keys.ts';
import { RootKey } from '../../src/keys/root-key.ts';
import { type AppendRequest, type Outcome, requestDigest } from '../../src/ledger/append-group.ts';
import { LedgerError } from '../../src/ledger/ledger.ts';
import { ledgerPaths } from '../../src/ledger/paths.ts';
import { PublishedTiles } from '../../src/ledger/published-tiles.ts';
import { LedgerReader } from '../../src/ledger/reader.ts';
import { LedgerWriter } from '../../src/ledger/writer.ts';
import { ed25519Signer, verifierKeyOf } from '../../src/merkle/note.ts';
import { tileHashReader } from '../../src/merkle/tiles.ts';
import { treeRoot } from '../../src/merkle/tree.ts';

const ORIGIN = 'portledger.local/simulation/access';
const PATHS = ledgerPaths('/data/ledgers/access', '/state/anchors/access', '/data/cache/access');
const SIGNING_KEY = createPrivateKey({
  key: Buffer.from(`302e020100300506032b657004220420${'5a'.repeat(32)}`, 'hex'),
  format: 'der',
  type: 'pkcs8',
});
const SIGNER = ed25519Signer(ORIGIN, SIGNING_KEY);
const VERIFIER_KEY = verifierKeyOf(ORIGIN, SIGNING_KEY);
const ROOT = RootKey.fromBytes('file', Buffer.alloc(32, 7));

/** A request as the sender remembers it. */
interface Sent {
  readonly key: string | undefined;
  readonly records: readonly string[];
  readonly malformed: readonly string[];
  /** Keys are remembered for 24 hours: later retries would be new requests. */
  readonly sentMs: number;
}

export interface SimulationOptions {
  readonly seed: number;
  readonly steps: number;
  /** Faults to plan in the first life, by operation number; random ones where not given. */
  readonly faults?: readonly (readonly [operation: number, fault: Fault])[];
}

export interface SimulationResult {
  readonly operations: number;
  readonly restarts: number;
  readonly acknowledged: number;
  readonly published: number;
}

export async function simulateLedger(options: SimulationOptions): Promise<SimulationResult> {
  return new Simulation(options).run();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #random: SeededRandom;
  #disk: SimulatedDisk;
  #writer: LedgerWriter | undefined;
  #nowMs = Date.UTC(2026, 10, 20, 23, 59, 0);
  #entropy = 0;
  #recordNumber = 0;
  #restarts = 0;
  /** What was acknowledged: the item at each index, and each keyed request's answer. */
  readonly #items = new Map<number, string>();
  readonly #answers = new Map<Sent, Outcome>();
  /** Requests with a key whose answer never came: they may or may not be in the log, and may be sent again. */
  #unanswered: Sent[] = [];
  readonly #signed: { readonly size: number; readonly root: Uint8Array }[] = [];

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.#disk = new SimulatedDisk({ seed: options.seed });
  }

  async run(): Promise<SimulationResult> {
    let operations = 0;
    for (const [operation, fault] of this.#options.faults ?? this.#randomFaults(400)) {
      this.#disk.failAt(operation, fault);
    }
    for (let step = 0; step < this.#options.steps; step++) {
      try {
        this.#writer ??= this.#open();
        this.#step(this.#writer);
        // Background syncs report only when no synchronous code runs.
        if (this.#random.below(3) === 0) this.#disk.drainBackground();
        if (this.#writer.stopped !== undefined) throw new LedgerError('stopped', this.#writer.stopped);
      } catch (error) {
        operations += this.#disk.operations;
        await this.#restartAfter(error);
      }
    }
    operations += this.#disk.operations;
    // An orderly end, a start after it, and the last word.
    this.#settleFaults();
    this.#writer ??= this.#open();
    this.#writer.close();
    this.#disk = this.#disk.crash();
    this.#writer = this.#open();
    this.#check(this.#writer);
    const published = this.#writer.published.size;
    return { operations, restarts: this.#restarts, acknowledged: this.#items.size, published };
  }

  #randomFaults(span: number): [number, Fault][] {
    const count = this.#random.below(3);
    return Array.from({ length: count }, () => [
      1 + this.#random.below(span),
      this.#random.below(2) === 0 ? 'crash' : FAULTS[this.#random.below(FAULTS.length)]!,
    ]);
  }

  #open(): LedgerWriter {
    const writer = LedgerWriter.open({
      disk: this.#disk,
      paths: PATHS,
      origin: ORIGIN,
      signer: SIGNER,
      verifierKey: VERIFIER_KEY,
      epochKeys: this.#epochKeys(),
      now: () => new Date(this.#nowMs),
      random: (bytes) => this.#randomBytes(bytes),
    });
    this.#noteSigned(writer);
    return writer;
  }

  #epochKeys(): EpochKeys {
    const random = (bytes: number): Buffer => this.#randomBytes(bytes);
    return new EpochKeys({
      disk: this.#disk,
      directory: '/data/keys',
      ledger: 'access',
      roots: [ROOT],
      random,
    });
  }

  #randomBytes(bytes: number): Buffer {
    const block = hash('sha512', `${this.#options.seed}/${this.#entropy++}`, 'buffer');
    return block.subarray(0, bytes);
  }

  #step(writer: LedgerWriter): void {
    const choice = this.#random.below(20);
    if (choice === 0) this.#nowMs += 1000 * this.#random.below(60_000);
    else if (choice <= 4) {
      writer.publish();
      this.#noteSigned(writer);
    } else this.#append(writer);
  }

  #append(writer: LedgerWriter): void {
    const sent = Array.from({ length: 1 + this.#random.below(4) }, () => this.#chooseRequest());
    let outcomes: Outcome[];
    try {
      outcomes = writer.append(sent.map(toRequest));
    } catch (error) {
      if (!(error instanceof LedgerError && error.code === 'disk-full')) {
        this.#unanswered.push(...sent.filter((request) => request.key !== undefined));
      }
      throw error;
    }
    for (const [i, request] of sent.entries()) this.#noteAnswer(request, outcomes[i]!);
  }

  #chooseRequest(): Sent {
    const choice = this.#random.below(6);
    const isRecent = ({ sentMs }: Sent): boolean => this.#nowMs - sentMs < 23 * 3600 * 1000;
    const answered = [...this.#answers.keys()].filter(isRecent);
    this.#unanswered = this.#unanswered.filter(isRecent);
    if (choice === 0 && answered.length > 0) return answered[this.#random.below(answered.length)]!;
    if (choice === 1 && this.#unanswered.length > 0) {
      return this.#unanswered[this.#random.below(this.#unanswered.length)]!;
    }
    const number = (): string =>
      `{"n":${this.#recordNumber++},"text":"${'x'.repeat(this.#random.below(400))}"}`;
    const large = this.#random.below(12) === 0;
    return {
      sentMs: this.#nowMs,
      key: this.#random.below(2) === 0 ? `key-${this.#entropy++}` : undefined,
      records: Array.from({ length: this.#random.below(large ? 300 : 4) }, number),
      malformed: Array.from({ length: this.#random.below(6) === 0 ? 2 : 0 }, number),
    };
  }

  #noteAnswer(sent: Sent, outcome: Outcome): void {
    assert.equal(outcome.kind, 'accepted');
    if (outcome.kind !== 'accepted') return;
    assert.equal(outcome.count, sent.records.length);
    assert.equal(outcome.quarantined.length, sent.malformed.length);
    const earlier = this.#answers.get(sent);
    if (earlier !== undefined) {
      // Promise 2. An answer to a request that was kept without an answer is also marked as replayed.
      assert.ok(earlier.kind === 'accepted' && (outcome.count === 0 || outcome.replayed));
      if (outcome.count > 0) assert.equal(outcome.first, earlier.first, 'a retry got another index');
      return;
    }
    if (sent.key !== undefined && sent.records.length + sent.malformed.length > 0)
      this.#answers.set(sent, outcome);
    this.#unanswered = this.#unanswered.filter((request) => request !== sent);
    for (const [i, record] of sent.records.entries()) {
      const index: number = outcome.first + i;
      assert.equal(this.#items.get(index), undefined, `index ${index} was given twice`);
      this.#items.set(index, record);
    }
  }

  #noteSigned(writer: LedgerWriter): void {
    const { size, root } = writer.published;
    if (size > (this.#signed.at(-1)?.size ?? 0)) this.#signed.push({ size, root });
  }

  async #restartAfter(error: unknown): Promise<void> {
    if (error instanceof LedgerError && error.code === 'disk-full') {
      // Nothing was kept and the ledger goes on.
      return;
    }
    assertExpected(error);
    this.#writer = undefined;
    // A machine that lost its power, or a process that was killed or restarted.
    for (let attempt = 0; ; attempt++) {
      assert.ok(attempt < 50, 'the ledger does not open any more');
      this.#restarts++;
      this.#disk = this.#random.below(3) === 0 ? this.#disk.kill() : this.#disk.crash();
      if (attempt < 4) {
        for (const [operation, fault] of this.#randomFaults(60)) this.#disk.failAt(operation, fault);
      }
      try {
        this.#writer = this.#open();
        this.#check(this.#writer);
        return;
      } catch (failure) {
        assertExpected(failure);
      }
    }
  }

  /** From here on the disk works. */
  #settleFaults(): void {
    this.#writer = undefined;
    this.#disk = this.#disk.kill();
  }

  #check(writer: LedgerWriter): void {
    const reader = new LedgerReader({
      disk: this.#disk,
      paths: PATHS,
      origin: ORIGIN,
      verifierKey: VERIFIER_KEY,
      epochKeys: this.#epochKeys(),
    });
    const seen = new Map<number, string>();
    const count = new Map<string, number>();
    let next = 0;
    for (const frame of reader.forwards(0, writer.position)) {
      for (const { index, kind, bytes } of frame.entries) {
        assert.equal(index, next++, 'entries do not follow each other');
        if (kind !== 'record') continue;
        const text = Buffer.from(bytes).toString('utf8');
        seen.set(index, text);
        count.set(text, (count.get(text) ?? 0) + 1);
      }
    }
    assert.equal(next, writer.size);
    for (const [index, text] of this.#items) {
      assert.equal(seen.get(index), text, `acknowledged record ${index} is not what it was`);
      assert.equal(count.get(text), 1, `acknowledged record ${index} is there more than once`);
    }
    this.#checkSigned(writer);
  }

  #checkSigned(writer: LedgerWriter): void {
    const { size } = writer.published;
    const tiles = new PublishedTiles(this.#disk, PATHS.directory);
    const read = tileHashReader(size, tiles.read);
    for (const signed of this.#signed) {
      assert.ok(signed.size <= size, `size ${signed.size} was signed, the log is back at ${size}`);
      const root = Buffer.from(treeRoot(signed.size, read)).toString('hex');
      assert.equal(
        root,
        Buffer.from(signed.root).toString('hex'),
        `the signed root of size ${signed.size} has changed`,
      );
    }
  }
}

function assertExpected(error: unknown): void {
  if (error instanceof SimulatedCrash || error instanceof DiskError) return;
  if (error instanceof LedgerError && ['stopped', 'disk-full'].includes(error.code)) return;
  throw error;
}

function toRequest(sent: Sent): AppendRequest {
  const records = sent.records.map((record) => Buffer.from(record));
  const starts = new Uint32Array(records.length);
  const ends = new Uint32Array(records.length);
  let at = 0;
  for (const [i, record] of records.entries()) {
    starts[i] = at + 32;
    at += 32 + record.length;
    ends[i] = at;
  }
  const slab = new Uint8Array(at);
  for (const [i, record] of records.entries()) slab.set(record, starts[i]!);
  const body = requestDigest(...sent.records, ...sent.malformed);
  return {
    items: { slab, starts, ends },
    quarantined: sent.malformed.map((text, position) => {
      return { position, reason: 'malformed', raw: Buffer.from(text) };
    }),
    idempotency: sent.key === undefined ? undefined : { key: requestDigest('sender', sent.key), body },
  };
}
