// All secrets of one installation: the root key, the signing key, and the epoch keys of every ledger.
//
//   <state>/root.json        where the root key comes from          <state>/signing.json   the log signing key, wrapped
//   <state>/root.next.json   only during a rotation                 <data>/keys/<ledger>/  epoch keys, wrapped

import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { EpochKeys } from './epoch-keys.ts';
import {
  KeyError,
  makeRootKey,
  openRootKey,
  type RandomBytes,
  type RootKey,
  withoutPrevious,
  withPrevious,
  writeRoot,
} from './root-key.ts';
import { createSigningKey, openSigningKey, rewrapSigningKey } from './signing-key.ts';

export interface KeyRingOptions {
  readonly disk: Disk;
  readonly stateDirectory: string;
  readonly keysDirectory: string;
  readonly passphrase?: string | undefined;
  readonly random: RandomBytes;
}

export class KeyRing {
  readonly signingKey: KeyObject;
  readonly #options: KeyRingOptions;
  readonly #roots: RootKey[];

  private constructor(options: KeyRingOptions, roots: RootKey[], signingKey: KeyObject) {
    this.#options = options;
    this.#roots = roots;
    this.signingKey = signingKey;
  }

  /** Makes root and signing key. Only for an installation that has neither ledgers nor keys yet. */
  static create(options: KeyRingOptions): KeyRing {
    const { disk, stateDirectory, random } = options;
    disk.makeDirectory(stateDirectory);
    // A crash between the two files leaves a root key that wraps nothing: used again at the next try.
    let root = openRootKey(disk, rootPath(options), options.passphrase)?.root;
    if (root !== undefined) {
      makeDurable(disk, rootPath(options));
    } else {
      const made = makeRootKey(random, options.passphrase);
      writeRoot(disk, rootPath(options), made.description);
      root = made.root;
    }
    const signingKey =
      openSigningKey(disk, signingPath(options), [root]) ??
      createSigningKey(disk, signingPath(options), root, random);
    return new KeyRing(options, [root], signingKey);
  }

  static open(options: KeyRingOptions): KeyRing {
    const { disk } = options;
    // A rotation that a crash cut short is finished here: its file opens the new root and the one before it.
    const next = openRootKey(disk, nextRootPath(options), options.passphrase);
    const current = next ?? openRootKey(disk, rootPath(options), options.passphrase);
    if (current === undefined) {
      throw new KeyError(
        'key-missing',
        `Cannot open the installation: "${rootPath(options)}" does not exist, expected its root key. Restore the state directory, or name it with --state.`,
      );
    }
    const roots = current.previous === undefined ? [current.root] : [current.root, current.previous];
    const signingKey = openSigningKey(disk, signingPath(options), roots);
    if (signingKey === undefined) {
      throw new KeyError(
        'key-missing',
        `Cannot open the installation: "${signingPath(options)}" does not exist, expected the log signing key. Restore the state directory.`,
      );
    }
    const ring = new KeyRing(options, roots, signingKey);
    if (next !== undefined) {
      makeDurable(disk, nextRootPath(options));
      ring.#finishRotation();
    }
    return ring;
  }

  get root(): RootKey {
    return this.#roots[0]!;
  }

  /** Raw Ed25519 public key, 32 bytes. */
  get publicKey(): Buffer {
    const der = createPublicKey(this.signingKey).export({ format: 'der', type: 'spki' });
    return der.subarray(der.length - 32);
  }

  epochKeys(ledger: string): EpochKeys {
    return new EpochKeys({
      disk: this.#options.disk,
      directory: this.#options.keysDirectory,
      ledger,
      roots: this.#roots,
      random: this.#options.random,
    });
  }

  /** The root in use first, then the one before it while a rotation is under way. */
  get roots(): readonly RootKey[] {
    return this.#roots;
  }

  /**
   * Makes a new root key and wraps everything under it. `announce` tells running writers, before anything is wrapped again, to
   * make new epoch keys under the new root. A crash anywhere is finished by the next `open`, given the new passphrase; a
   * failure by the next rotation, before its own.
   */
  async rotateRoot(
    nextPassphrase: string | undefined,
    announce: (roots: readonly RootKey[]) => Promise<void>,
  ): Promise<{ readonly root: string; readonly rewrapped: number }> {
    const { disk, random } = this.#options;
    if (this.#roots.length > 1) {
      // Its file is the only one that opens both roots. Writing over it now would lose what the older one still wraps.
      await announce(this.#roots);
      this.#finishRotation();
    }
    const next = makeRootKey(random, nextPassphrase);
    writeRoot(disk, nextRootPath(this.#options), withPrevious(next, this.root, random));
    this.#roots.unshift(next.root);
    await announce(this.#roots);
    return { root: next.root.id, rewrapped: this.#finishRotation() };
  }

  #finishRotation(): number {
    const { disk, random, keysDirectory, stateDirectory } = this.#options;
    const next = this.root;
    let rewrapped = 0;
    for (const ledger of disk.list(keysDirectory)) {
      rewrapped += this.epochKeys(ledger).rewrap(next);
    }
    rewrapSigningKey(disk, signingPath(this.#options), this.#roots, next, random);
    // From here on nothing is wrapped by the old root, so it may go: first the new one takes its place, then the file that
    // still holds the old one is removed. It is gone already where an earlier try failed at the last line.
    if (disk.readFile(nextRootPath(this.#options)) !== undefined) {
      writeRoot(disk, rootPath(this.#options), withoutPrevious(disk, nextRootPath(this.#options)));
    }
    disk.remove(nextRootPath(this.#options));
    disk.syncDirectory(stateDirectory);
    this.#roots.splice(1);
    return rewrapped;
  }
}

/** What the process before this one wrote may be in the page cache only. Nothing may be wrapped by what a power cut can take. */
function makeDurable(disk: Disk, path: string): void {
  disk.replaceFile(path, disk.readFile(path)!);
}

function rootPath(options: KeyRingOptions): string {
  return `${options.stateDirectory}/root.json`;
}

function nextRootPath(options: KeyRingOptions): string {
  return `${options.stateDirectory}/root.next.json`;
}

function signingPath(options: KeyRingOptions): string {
  return `${options.stateDirectory}/signing.json`;
}
