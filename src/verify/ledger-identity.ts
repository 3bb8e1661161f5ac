// Which log is this, who speaks for it, and is it as far as somebody remembers? Key, checkpoint, and what came from outside.

import { isProblem } from '../bytes/problem.ts';
import { type Checkpoint, openCheckpoint } from '../merkle/checkpoint.ts';
import { TreeFrontier } from '../merkle/frontier.ts';
import { HASH_BYTES, sameHash } from '../merkle/hashes.ts';
import type { VerifierKey } from '../merkle/note.ts';
import { partialTiles, TILE_WIDTH } from '../merkle/tiles.ts';
import type { Findings } from './report.ts';
import { type Source, SourceError } from './source.ts';
import { readTile } from './tile-files.ts';
import { openOwnCheckpoint, parseKeyFile, type Remembered, sameKey, trustedKeyFor } from './trust.ts';

export interface IdentityOptions {
  readonly source: Source;
  readonly name: string;
  /** The ledger's directory with a slash behind it, or empty. */
  readonly directory: string;
  /** What the log should be called, where that is known from outside its directory. */
  readonly origin: string | undefined;
  readonly trustedKeys: readonly VerifierKey[];
  /** Those of other logs are passed over. */
  readonly remembered: readonly Remembered[];
  readonly sleep: (ms: number) => Promise<void>;
}

const CHECKPOINT_BYTES_MAX = 1_000_000;
const KEY_BYTES_MAX = 2_000;
/** A log publishes within a second; three times this is patience enough for a slow disk. */
export const PUBLICATION_WAIT_MS = 2000;
export const PUBLICATION_WAITS = 3;

export class LedgerIdentity {
  readonly #options: IdentityOptions;
  readonly #findings: Findings;
  readonly #checkpointFile: string;
  readonly #keyFile: string;
  origin: string | undefined;
  key: VerifierKey | undefined;
  /** Something from outside the directory says that this is the log it should be. */
  isTrusted = false;
  checkpoint: Checkpoint | undefined;
  /** The signed note that the log is checked against. */
  note = '';

  constructor(options: IdentityOptions, findings: Findings) {
    this.#options = options;
    this.#findings = findings;
    this.#checkpointFile = `${options.directory}checkpoint`;
    this.#keyFile = `${options.directory}key.pub`;
  }

  async read(): Promise<void> {
    await this.#readKey();
    await this.#readCheckpoint();
  }

  async #readKey(): Promise<void> {
    const { origin, trustedKeys } = this.#options;
    const bytes = await this.#readFile(this.#keyFile, KEY_BYTES_MAX);
    const found = bytes === undefined ? undefined : parseKeyFile(bytes);
    if (found !== undefined && isProblem(found)) this.#problem(this.#keyFile, found.problem);
    const stored = found === undefined || isProblem(found) ? undefined : found;
    this.origin = origin ?? stored?.name ?? this.#soleOrigin();
    if (stored !== undefined && origin !== undefined && stored.name !== origin) {
      this.#problem(this.#keyFile, `the key is that of ${stored.name}, expected ${origin}`);
    }
    const trusted = this.origin === undefined ? undefined : trustedKeyFor(this.origin, trustedKeys);
    if (trusted !== undefined && stored !== undefined && !sameKey(trusted, stored)) {
      this.#problem(this.#keyFile, 'the key is not the trusted one');
    }
    this.key = trusted ?? stored;
    this.isTrusted = trusted !== undefined;
  }

  /** Where `key.pub` is of no use: the log of this name that the user has brought something of. */
  #soleOrigin(): string | undefined {
    const { name, trustedKeys, remembered } = this.#options;
    const origins = [
      ...trustedKeys.map((key) => key.name),
      ...remembered.map(({ checkpoint }) => checkpoint.origin),
    ];
    return origins.find((origin) => origin.endsWith(`/${name}`));
  }

  async #readCheckpoint(): Promise<void> {
    const bytes = await this.#readFile(this.#checkpointFile, CHECKPOINT_BYTES_MAX);
    if (bytes === undefined || this.key === undefined) return;
    const opened = openOwnCheckpoint(bytes, this.key);
    if (!isProblem(opened)) {
      this.checkpoint = opened;
      this.note = bytes.toString('utf8');
      return;
    }
    this.#problem(this.#checkpointFile, opened.problem);
    const newest = this.#signedMemories().toSorted((a, b) => b.checkpoint.size - a.checkpoint.size)[0];
    if (newest === undefined) return;
    this.checkpoint = newest.checkpoint;
    this.note = newest.bytes.toString('utf8');
    this.#findings.note(
      'The log was checked against the newest remembered checkpoint, as its own cannot be used.',
    );
  }

  /** The checkpoint as it is by now. Waits a moment for one that is at least of size `wanted`. */
  async newest(wanted: number): Promise<Checkpoint> {
    const { source, sleep } = this.#options;
    let newest = this.checkpoint!;
    for (let wait = 0; ; wait++) {
      const bytes = await source.readAll(this.#checkpointFile, CHECKPOINT_BYTES_MAX);
      const opened = bytes === undefined ? undefined : openOwnCheckpoint(bytes, this.key!);
      if (opened !== undefined && !isProblem(opened)) newest = opened;
      if (newest.size >= wanted || wait === PUBLICATION_WAITS) return newest;
      await sleep(PUBLICATION_WAIT_MS);
    }
  }

  async compareRemembered(): Promise<void> {
    const { checkpoint } = this;
    if (checkpoint === undefined) return;
    const signed = this.#signedMemories();
    const ofThisLog = this.#options.remembered.filter((memory) => memory.checkpoint.origin === this.origin);
    if (ofThisLog.length > signed.length) {
      this.#problem(this.#keyFile, 'a remembered checkpoint is signed by another key than this log’s');
    }
    for (const memory of signed) await this.#compare(checkpoint, memory.checkpoint);
  }

  async #compare(checkpoint: Checkpoint, old: Checkpoint): Promise<void> {
    const file = this.#checkpointFile;
    // An anchor is written before its checkpoint, and may have been remembered after we had read the one before.
    const current = old.size > checkpoint.size ? await this.newest(old.size) : checkpoint;
    const { size } = current;
    if (old.size > size) {
      const sizes = `it has ${size} entries, ${old.size} were remembered`;
      this.#findings.problem(file, size, old.size, `the log is behind what was remembered: ${sizes}`);
      return;
    }
    const root = await this.#rootAt(old.size, current);
    if (root === undefined) {
      this.#findings.note(
        `The remembered checkpoint of size ${old.size} could not be compared, as tiles are missing.`,
      );
    } else if (sameHash(root, old.root)) {
      this.isTrusted = true;
    } else {
      const how =
        old.size === size
          ? `two checkpoints of size ${size} have different roots: a fork`
          : `its first ${old.size} of ${size} entries have another root`;
      this.#findings.problem(file, 0, old.size, `the log is unlike what was remembered: ${how}`);
    }
  }

  /** Somebody outside of the directory remembers exactly this checkpoint as one of the log's. */
  isRemembered({ size, root }: Checkpoint): boolean {
    return this.#signedMemories().some(
      ({ checkpoint }) => checkpoint.size === size && sameHash(checkpoint.root, root),
    );
  }

  /** The root of the first `size` entries, from tiles. */
  async #rootAt(size: number, checkpoint: Checkpoint): Promise<Uint8Array | undefined> {
    if (size === checkpoint.size) return checkpoint.root;
    const { source, directory } = this.#options;
    const tiles = new Map<string, Uint8Array>();
    for (const { level, index } of partialTiles(size)) {
      const hashes = Math.floor(checkpoint.size / TILE_WIDTH ** level);
      const width = Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH);
      const found = await readTile(source, directory, { level, index, width });
      if (isProblem(found)) return undefined;
      tiles.set(`${level}/${index}`, found.hashes);
    }
    return TreeFrontier.fromTiles(size, ({ level, index, width }) =>
      tiles.get(`${level}/${index}`)?.subarray(0, width * HASH_BYTES),
    ).root();
  }

  /** Remembered checkpoints of this log that its key has signed. */
  #signedMemories(): Remembered[] {
    const { key } = this;
    if (key === undefined) return [];
    return this.#options.remembered.filter(
      ({ checkpoint, bytes }) => checkpoint.origin === key.name && !isProblem(openCheckpoint(bytes, key)),
    );
  }

  async #readFile(file: string, bytesMax: number): Promise<Buffer | undefined> {
    for (let wait = 0; ; wait++) {
      try {
        const bytes = await this.#options.source.readAll(file, bytesMax);
        if (bytes !== undefined) return bytes;
      } catch (error) {
        if (!(error instanceof SourceError)) throw error;
        this.#problem(file, error.message);
        return undefined;
      }
      // A ledger that is just being made has no checkpoint yet.
      if (wait === PUBLICATION_WAITS) break;
      await this.#options.sleep(PUBLICATION_WAIT_MS);
    }
    this.#problem(file, 'the file is missing');
    return undefined;
  }

  #problem(file: string, problem: string): void {
    this.#findings.problem(file, 0, 0, problem);
  }
}
