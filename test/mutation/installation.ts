// A small installation on disk, built from merkle and sealed alone: what a writer leaves behind, made step by step so that tests can
// stop at any moment of a ledger's life.

import { createHash, generateKeyPairSync, hash, type KeyObject } from 'node:crypto';
import { canonicalText, type JsonValue } from '../../src/event/canonical.ts';
import { signCheckpoint } from '../../src/merkle/checkpoint.ts';
import { TreeFrontier } from '../../src/merkle/frontier.ts';
import { hashLeaves } from '../../src/merkle/hashes.ts';
import { ed25519Signer, formatVerifierKey, verifierKeyOf } from '../../src/merkle/note.ts';
import { bundlePath, encodeBundle, parseBundle, TILE_WIDTH, tilePath } from '../../src/merkle/tiles.ts';
import { keyCheck } from '../../src/sealed/frame-keys.ts';
import { type SlabItems, sealFrame } from '../../src/sealed/seal-frame.ts';
import {
  EMPTY_CHAIN,
  encodeSegmentHeader,
  extendChain,
  originHash,
  segmentFileName,
} from '../../src/sealed/segment-header.ts';
import { StoredFiles } from './stored-files.ts';

export const INSTALLATION = 'example.org/3f9a61c2d4e8b07f';

export interface AppendOptions {
  readonly records: number;
  readonly quarantined?: number;
  /** Adds a requests section. */
  readonly idempotent?: boolean;
  /** Adds a dictionary that later frames can name. */
  readonly dictionary?: boolean;
  /** First index of a frame with a dictionary. */
  readonly against?: number;
  /** In place of the first record. */
  readonly content?: string;
  /** In place of a right requests section. */
  readonly requests?: string;
  /** The record that the tree commits to in another wording. */
  readonly lie?: number;
}

export class SmallInstallation extends StoredFiles {
  readonly #keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  readonly #ledgers: SmallLedger[] = [];

  /** With another installation: one that signs with the same key, and has another history. */
  constructor(forked?: SmallInstallation) {
    super();
    this.#keys = forked === undefined ? generateKeyPairSync('ed25519') : forked.#keys;
    this.write(
      'installation.json',
      checkedJson({ v: 1, name: INSTALLATION, created: '2026-11-20T00:00:00Z' }),
    );
  }

  ledger(name: string): SmallLedger {
    const ledger = new SmallLedger(this, name, this.#keys);
    this.#ledgers.push(ledger);
    return ledger;
  }

  readonly epochKey = (ledger: string, epoch: number): Uint8Array | undefined =>
    this.#ledgers.find(({ name }) => name === ledger)?.epochKeys[epoch - 1];
}

export class SmallLedger {
  readonly name: string;
  readonly origin: string;
  readonly verifierKey: string;
  readonly epochKeys: Buffer[] = [];
  readonly #installation: SmallInstallation;
  readonly #privateKey: KeyObject;
  readonly #entries: Uint8Array[] = [];
  readonly #frontier = new TreeFrontier();
  readonly #dictionaries = new Map<number, Buffer>();
  #published = 0;
  #segment = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #chain: Uint8Array = EMPTY_CHAIN;
  #random = 0;
  #keysMade = 0;
  #beforeFrame: { entries: number; bytes: Buffer; chain: Uint8Array } | undefined;

  constructor(
    installation: SmallInstallation,
    name: string,
    keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
  ) {
    this.#installation = installation;
    this.name = name;
    this.origin = `${INSTALLATION}/${name}`;
    this.#privateKey = keys.privateKey;
    this.verifierKey = formatVerifierKey(verifierKeyOf(this.origin, keys.publicKey));
    this.#write('key.pub', Buffer.from(`${this.verifierKey}\n`));
  }

  get size(): number {
    return this.#entries.length;
  }

  get published(): number {
    return this.#published;
  }

  get segmentFile(): string {
    return this.#segmentFile(this.#segment);
  }

  checkpoint(): string {
    return this.#installation.read(`ledgers/${this.name}/checkpoint`).toString('utf8');
  }

  /** A new epoch in a new segment. */
  openEpoch(): void {
    const key = this.#bytesFromNowhere(32);
    this.epochKeys.push(key);
    const epoch = this.epochKeys.length;
    if (this.#keysMade < epoch) this.makeKey();
    this.beginSegment();
    this.appendControl({
      type: 'epoch-opened',
      v: 1,
      epoch,
      name: `2026-11-${epoch}`,
      opened: '2026-11-20T00:00:00Z',
      keyCheck: keyCheck(key),
    });
  }

  /** The file of the next epoch's key. */
  makeKey(): void {
    const epoch = ++this.#keysMade;
    this.#installation.write(
      `keys/${this.name}/${String(epoch).padStart(10, '0')}.json`,
      checkedJson({
        v: 1,
        ledger: this.name,
        epoch,
        root: '0123456789abcdef',
        wrapped: this.#bytesFromNowhere(60).toString('base64'),
      }),
    );
  }

  beginSegment(): void {
    const previousLength = this.#bytes.length;
    this.#segment++;
    this.#bytes = Buffer.alloc(0);
    const header = encodeSegmentHeader({
      segment: this.#segment,
      epoch: this.epochKeys.length,
      first: this.size,
      previousChain: this.#chain,
      previousLength,
      originHash: originHash(this.origin),
    });
    this.#extend(header);
  }

  appendControl(body: { readonly [name: string]: JsonValue }): void {
    this.#append({ records: 0 }, [Buffer.from(`\x10${canonicalText(body)}`, 'utf8')]);
  }

  append(options: AppendOptions): void {
    this.#append(options, []);
  }

  /** Control entries as they come, right or wrong. */
  appendEntries(entries: readonly Uint8Array[]): void {
    this.#append({ records: 0 }, entries);
  }

  /** As if the last frame had been torn and dropped by a recovery. */
  forgetFrame(): void {
    const { entries, bytes, chain } = this.#beforeFrame!;
    this.#entries.length = entries;
    this.#bytes = bytes;
    this.#chain = chain;
  }

  /** Content entry, tiles, checkpoint. */
  publish(): void {
    this.appendContentEntry();
    this.writeTiles();
    this.writeCheckpoint();
  }

  appendContentEntry(): void {
    this.appendControl({
      type: 'content',
      v: 1,
      segment: this.#segment,
      offset: this.#bytes.length,
      chain: hex(this.#chain),
    });
  }

  writeTiles(): void {
    const bundle = encodeBundle(this.#entries.slice(this.#frontier.size));
    const slab = parseBundle(bundle, this.size - this.#frontier.size);
    if ('problem' in slab) throw new Error(slab.problem);
    const full = this.#frontier.append(hashLeaves(slab));
    for (const tile of [...full, ...this.#frontier.partialTiles()]) {
      this.#write(tilePath(tile), tile.bytes);
      if (tile.level > 0) continue;
      const first = tile.index * TILE_WIDTH;
      this.#write(bundlePath(tile), encodeBundle(this.#entries.slice(first, first + tile.width)));
    }
  }

  writeCheckpoint(): void {
    const checkpoint = { origin: this.origin, size: this.#frontier.size, root: this.#frontier.root() };
    this.#write('checkpoint', signCheckpoint(checkpoint, [ed25519Signer(this.origin, this.#privateKey)]));
    this.#published = this.#frontier.size;
  }

  #append(options: AppendOptions, controls: readonly Uint8Array[]): void {
    const epoch = this.epochKeys.length;
    const first = this.size;
    this.#beforeFrame = { entries: first, bytes: this.#bytes, chain: this.#chain };
    const records = Array.from({ length: options.records }, () => this.#record());
    if (options.content !== undefined) records[0] = options.content;
    const quarantined = Array.from({ length: options.quarantined ?? 0 }, (_, position) =>
      canonicalText({
        position,
        raw: this.#bytesFromNowhere(20).toString('base64'),
        reason: '@timestamp is missing',
        received: '2026-11-20T10:00:00Z',
      }),
    );
    const newDictionary = options.dictionary ? Buffer.from(records.join('')) : undefined;
    if (newDictionary !== undefined) this.#dictionaries.set(first, newDictionary);
    const isPlain = records.length + quarantined.length === 0;
    const { frame, commitments } = sealFrame({
      origin: this.origin,
      epoch,
      epochKey: this.epochKeys[epoch - 1]!,
      first,
      blockId: isPlain ? Buffer.alloc(32) : this.#bytesFromNowhere(32),
      controls,
      records: records.length > 0 ? [slabOf(records)] : [],
      quarantined: quarantined.length > 0 ? [slabOf(quarantined)] : [],
      requests: options.idempotent
        ? this.#requests(options.records)
        : options.requests === undefined
          ? undefined
          : Buffer.from(options.requests),
      dictionary:
        options.against === undefined
          ? undefined
          : { bytes: this.#dictionaries.get(options.against)!, frame: options.against },
      newDictionary,
    });
    if (options.lie !== undefined) commitments[32 * options.lie]! ^= 1;
    this.#entries.push(...controls);
    for (let i = 0; i * 32 < commitments.length; i++) {
      const kind = i < records.length ? 0x01 : 0x02;
      this.#entries.push(Buffer.concat([Buffer.of(kind), commitments.subarray(32 * i, 32 * (i + 1))]));
    }
    this.#extend(frame);
  }

  #record(): string {
    const i = this.#random++;
    return canonicalText({
      '@timestamp': `2026-11-20T10:00:00.${String(i % 1000).padStart(3, '0')}Z`,
      'destination.port': 8443,
      'event.action': 'connect',
      'source.port': 1024 + (i % 60_000),
      'user.name': `svc-${i % 13}`,
    });
  }

  #requests(count: number): Buffer {
    const [key, body] = [this.#bytesFromNowhere(16), this.#bytesFromNowhere(16)].map(hex) as [string, string];
    return Buffer.from(
      canonicalText([{ body, count, key, offset: 0, quarantined: [], time: 1_795_168_800_000 }]),
    );
  }

  /** Looks random, and is the same in every run. */
  #bytesFromNowhere(length: number): Buffer {
    const digest = createHash('shake256', { outputLength: length });
    return digest.update(`${this.name} ${this.#random++}`).digest();
  }

  #extend(bytes: Uint8Array): void {
    this.#chain = extendChain(this.#chain, bytes);
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    this.#write(this.#segmentFile(this.#segment).slice(`ledgers/${this.name}/`.length), this.#bytes);
  }

  #segmentFile(segment: number): string {
    return `ledgers/${this.name}/content/${segmentFileName(segment)}`;
  }

  #write(path: string, bytes: Uint8Array): void {
    this.#installation.write(`ledgers/${this.name}/${path}`, bytes);
  }
}

export function checkedJson(members: { readonly [name: string]: JsonValue }): Buffer {
  const check = hash('sha256', canonicalText(members), 'hex').slice(0, 16);
  return Buffer.from(`${canonicalText({ ...members, check })}\n`, 'utf8');
}

function slabOf(items: readonly string[]): SlabItems {
  const bytes = items.map((item) => Buffer.from(item, 'utf8'));
  const slab = new Uint8Array(bytes.reduce((size, item) => size + 32 + item.length, 0));
  const starts = new Uint32Array(items.length);
  const ends = new Uint32Array(items.length);
  let at = 0;
  for (const [i, item] of bytes.entries()) {
    starts[i] = at + 32;
    ends[i] = starts[i]! + item.length;
    slab.set(item, starts[i]);
    at = ends[i]!;
  }
  return { slab, starts, ends };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
