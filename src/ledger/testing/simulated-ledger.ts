// A ledger on a simulated disk, with a clock and randomness that a test decides: no worker, no timers.

import assert from 'node:assert/strict';
import { createPrivateKey, hash } from 'node:crypto';
import { SimulatedDisk } from '../../disk/simulated-disk.ts';
import { EpochKeys } from '../../keys/epoch-keys.ts';
import { RootKey } from '../../keys/root-key.ts';
import { ed25519Signer, verifierKeyOf } from '../../merkle/note.ts';
import { type AppendRequest, type Outcome, requestDigest } from '../append-group.ts';
import { type LedgerPaths, ledgerPaths } from '../paths.ts';
import { LedgerReader } from '../reader.ts';
import { LedgerWriter } from '../writer.ts';

const ORIGIN = 'portledger.local/test/access';
const SIGNING_KEY = createPrivateKey({
  key: Buffer.from(`302e020100300506032b657004220420${'3c'.repeat(32)}`, 'hex'),
  format: 'der',
  type: 'pkcs8',
});
const VERIFIER_KEY = verifierKeyOf(ORIGIN, SIGNING_KEY);
const ROOT = RootKey.fromBytes('file', Buffer.alloc(32, 9));

export const PATHS: LedgerPaths = ledgerPaths(
  '/data/ledgers/access',
  '/state/anchors/access',
  '/data/cache/access',
);

export class SimulatedLedger {
  disk: SimulatedDisk;
  now = new Date('2026-11-20T12:00:00Z');
  #writer: LedgerWriter | undefined;
  #entropy = 0;

  constructor(seed = 1) {
    this.disk = new SimulatedDisk({ seed });
  }

  get writer(): LedgerWriter {
    assert.ok(this.#writer, 'the ledger is not open');
    return this.#writer;
  }

  open(adopt?: { readonly reason: string }): LedgerWriter {
    this.#writer = LedgerWriter.open({
      disk: this.disk,
      paths: PATHS,
      origin: ORIGIN,
      signer: ed25519Signer(ORIGIN, SIGNING_KEY),
      verifierKey: VERIFIER_KEY,
      epochKeys: this.#epochKeys(),
      now: () => this.now,
      random: (bytes) => this.#random(bytes),
      adopt,
    });
    return this.#writer;
  }

  /** What is left after the power went, opened again. */
  reopenAfterCrash(): LedgerWriter {
    this.disk = this.disk.crash();
    return this.open();
  }

  append(...requests: AppendRequest[]): Outcome[] {
    return this.writer.append(requests);
  }

  /** One request without a key; the index of its first record. */
  appendRecords(...records: string[]): number {
    const [outcome] = this.append(request({ records }));
    assert.equal(outcome?.kind, 'accepted');
    return outcome?.kind === 'accepted' ? outcome.first : -1;
  }

  /** Every entry by its index, read back from the disk. */
  entries(): { readonly kind: string; readonly text: string }[] {
    const reader = new LedgerReader({
      disk: this.disk,
      paths: PATHS,
      origin: ORIGIN,
      verifierKey: VERIFIER_KEY,
      epochKeys: this.#epochKeys(),
    });
    const entries: { kind: string; text: string }[] = [];
    for (const frame of reader.forwards(0, this.writer.position)) {
      for (const { index, kind, bytes } of frame.entries) {
        assert.equal(index, entries.length);
        entries.push({ kind, text: Buffer.from(bytes).toString() });
      }
    }
    assert.equal(entries.length, this.writer.size);
    return entries;
  }

  records(): string[] {
    return this.entries().flatMap(({ kind, text }) => (kind === 'record' ? [text] : []));
  }

  controls(type: string): Record<string, unknown>[] {
    const bodies = this.entries().flatMap(({ kind, text }) => (kind === 'control' ? [JSON.parse(text)] : []));
    return bodies.filter((body) => body.type === type);
  }

  #epochKeys(): EpochKeys {
    const random = (bytes: number): Buffer => this.#random(bytes);
    return new EpochKeys({
      disk: this.disk,
      directory: '/data/keys',
      ledger: 'access',
      roots: [ROOT],
      random,
    });
  }

  #random(bytes: number): Buffer {
    return hash('sha512', `entropy ${this.#entropy++}`, 'buffer').subarray(0, bytes);
  }
}

export interface RequestParts {
  readonly records?: readonly string[];
  readonly malformed?: readonly string[];
  readonly key?: string;
  /** Where it is not what the records say. */
  readonly body?: string;
}

export function request({ records = [], malformed = [], key, body }: RequestParts): AppendRequest {
  const items = records.map((record) => Buffer.from(record));
  const starts = new Uint32Array(items.length);
  const ends = new Uint32Array(items.length);
  let at = 0;
  for (const [i, item] of items.entries()) {
    starts[i] = at + 32;
    at += 32 + item.length;
    ends[i] = at;
  }
  const slab = new Uint8Array(at);
  for (const [i, item] of items.entries()) slab.set(item, starts[i]!);
  const quarantined = malformed.map((text, position) => {
    return { position, reason: 'malformed', raw: Buffer.from(text) };
  });
  if (key === undefined) return { items: { slab, starts, ends }, quarantined };
  const digests = {
    key: requestDigest('sender', key),
    body: requestDigest(body ?? JSON.stringify([records, malformed])),
  };
  return { items: { slab, starts, ends }, quarantined, idempotency: digests };
}
