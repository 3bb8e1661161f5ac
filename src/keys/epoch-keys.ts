// Wrapped keys, one file per ledger and epoch: `keys/<ledger>/<epoch>.json` (docs/formats.md, section 4). Destroying an epoch's
// content means destroying its file here, so this directory is small, on its own, and left out of backups of the content.

import type { Disk } from '../disk/disk.ts';
import { EPOCH_KEY_BYTES, keyCheck } from '../sealed/frame-keys.ts';
import { encodeCheckedJson, readCheckedJson } from './checked-json.ts';
import { KeyError, type RandomBytes, type RootKey } from './root-key.ts';

export interface EpochKey {
  readonly epoch: number;
  readonly key: Buffer;
  readonly check: string;
}

export class EpochKeys {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #ledger: string;
  /** The current root first; during a rotation the one before or after it as well. */
  readonly #roots: readonly RootKey[];
  readonly #random: RandomBytes;
  readonly #opened = new Map<number, EpochKey>();

  constructor(options: {
    disk: Disk;
    directory: string;
    ledger: string;
    roots: readonly RootKey[];
    random: RandomBytes;
  }) {
    this.#disk = options.disk;
    this.#directory = `${options.directory}/${options.ledger}`;
    this.#ledger = options.ledger;
    this.#roots = options.roots;
    this.#random = options.random;
    this.#disk.makeDirectory(this.#directory);
  }

  /** Durable before it returns: nothing may be encrypted under a key that a power cut could take away. */
  create(epoch: number): EpochKey {
    // A crash between making the key and opening the epoch leaves a key under which nothing was encrypted. It is written again:
    // what a page cache shows need not be on the disk.
    const key = this.find(epoch)?.key ?? this.#random(EPOCH_KEY_BYTES);
    this.#write(epoch, key, this.#roots[0]!);
    return this.#remember(epoch, key);
  }

  get(epoch: number): EpochKey {
    const key = this.find(epoch);
    if (key !== undefined) return key;
    throw new KeyError(
      'key-missing',
      `Cannot read epoch ${epoch} of ledger "${this.#ledger}": "${this.#path(epoch)}" does not exist, expected its wrapped key. Restore the keys directory.`,
    );
  }

  find(epoch: number): EpochKey | undefined {
    const opened = this.#opened.get(epoch);
    if (opened !== undefined) return opened;
    const path = this.#path(epoch);
    const members = readCheckedJson(this.#disk, path);
    if (members === undefined) return undefined;
    for (const root of this.#roots) {
      if (root.id !== members.root) continue;
      const wrapped = Buffer.from(String(members.wrapped), 'base64');
      const key = root.unwrap(wrapped, wrapContext(this.#ledger, epoch, root.id));
      if (key !== undefined) return this.#remember(epoch, key);
    }
    throw new KeyError(
      'key-damaged',
      `Cannot unwrap "${path}": it was wrapped by root ${members.root}, the root key at hand is ${this.#roots[0]!.id}. If the data directory is an older copy from before a key rotation, restore its keys directory from the newest one.`,
    );
  }

  epochs(): number[] {
    return this.#disk
      .list(this.#directory)
      .filter((name) => /^\d{10}\.json$/.test(name))
      .map((name) => Number(name.slice(0, 10)));
  }

  /** Wraps every key again under `root`; returns how many. Safe to repeat after a crash. */
  rewrap(root: RootKey): number {
    const epochs = this.epochs();
    for (const epoch of epochs) this.#write(epoch, this.get(epoch).key, root);
    return epochs.length;
  }

  #write(epoch: number, key: Uint8Array, root: RootKey): void {
    const wrapped = root.wrap(key, wrapContext(this.#ledger, epoch, root.id), this.#random);
    this.#disk.replaceFile(
      this.#path(epoch),
      encodeCheckedJson({
        v: 1,
        ledger: this.#ledger,
        epoch,
        root: root.id,
        wrapped: wrapped.toString('base64'),
      }),
    );
  }

  #remember(epoch: number, key: Buffer): EpochKey {
    const opened = { epoch, key, check: keyCheck(key) };
    this.#opened.set(epoch, opened);
    return opened;
  }

  #path(epoch: number): string {
    return `${this.#directory}/${String(epoch).padStart(10, '0')}.json`;
  }
}

export function wrapContext(ledger: string, epoch: number, rootId: string): Buffer {
  const epochBytes = Buffer.alloc(8);
  epochBytes.writeBigUInt64BE(BigInt(epoch));
  return Buffer.concat([
    Buffer.from(`portledger/v1/wrap\0${ledger}\0`, 'utf8'),
    epochBytes,
    Buffer.from(rootId, 'latin1'),
  ]);
}
