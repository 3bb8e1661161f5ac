// Where the verifier reads from: a directory, or the published half of a log behind an address. Nothing is ever written.
//
// Whatever is read may have been chosen by an attacker, sizes and names included, so every read has a bound.

export type NodeKind = 'file' | 'directory' | 'other';

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: NodeKind;
}

export interface Source {
  /** What is in the directory, sorted by name; undefined where there is no such directory. */
  list(directory: string): Promise<readonly DirectoryEntry[] | undefined>;
  /** Undefined where there is no such file. */
  size(path: string): Promise<number | undefined>;
  /** Fewer bytes than `length` only at the end of the file; none where there is no such file. */
  read(path: string, offset: number, length: number): Promise<Buffer>;
  /** Undefined where there is no such file. Throws a SourceError where it is longer than `bytesMax`. */
  readAll(path: string, bytesMax: number): Promise<Buffer | undefined>;
}

/** Something is there and could not be read. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  readonly path: string;
  constructor(path: string, problem: string, cause?: unknown) {
    super(problem, cause === undefined ? undefined : { cause });
    this.path = path;
  }
}
