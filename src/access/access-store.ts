// Tokens and the masking key, in SQLite (`control.sqlite` under the state directory, apart from the data).
//
// Invariants:
// - no secret is stored, only its SHA-256
// - a token is never deleted: revoked ones stay, so that the id in an old custody entry still names somebody
// - while there is an admin token that works, there is always at least one: the last one cannot be revoked
// - all tokens of one name have one role, so that a name means one principal
//
// Each look-up asks the database: a revocation counts from the next request on, whoever made it.

import { DatabaseSync } from 'node:sqlite';
import { isRole, type Principal, ROLES, type Role } from './principals.ts';
import { formatToken, hashSecret, mintToken, parseToken, type Random, secretMatches } from './tokens.ts';

export interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** Times are in ms since 1970. */
  readonly created: number;
  readonly expires: number | undefined;
  /** Coarse: written at most once every five minutes. */
  readonly lastUsed: number | undefined;
  readonly revoked: number | undefined;
}

export interface NewToken {
  readonly name: string;
  readonly role: Role;
  readonly expires?: number;
}

export type AccessErrorCode = 'invalid' | 'name-taken' | 'not-found' | 'last-admin';

export class AccessError extends Error {
  override readonly name = 'AccessError';
  readonly code: AccessErrorCode;
  constructor(code: AccessErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface AccessStoreOptions {
  /** Of `control.sqlite`, or `:memory:`. A new file must have been made by the caller with mode 0600. */
  readonly path: string;
  readonly now: () => number;
  readonly random: Random;
}

/** A principal's name goes into records, logs and headers: no spaces, quotes or control characters. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@:/-]{0,63}$/;
const LAST_USED_STEP_MS = 5 * 60_000;
/** Compared with when the id is unknown, so that an unknown id takes as long as a wrong secret. */
const NO_HASH = new Uint8Array(32);

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY, hash BLOB NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL,
    created INTEGER NOT NULL, expires INTEGER, last_used INTEGER, revoked INTEGER
  ) STRICT;
  CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
  PRAGMA user_version = 1;
`;

export class AccessStore implements Disposable {
  readonly #database: DatabaseSync;
  readonly #now: () => number;
  readonly #random: Random;
  readonly #find;

  constructor(options: AccessStoreOptions) {
    this.#now = options.now;
    this.#random = options.random;
    this.#database = new DatabaseSync(options.path);
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000;');
    const version = Number(this.#database.prepare('PRAGMA user_version').get()?.user_version);
    if (version > 1) {
      this.#database.close();
      throw new AccessError(
        'invalid',
        `Cannot open access store "${options.path}": it has version ${version}, expected at most 1. It was written by a newer Portledger; run that one.`,
      );
    }
    this.#database.exec(SCHEMA);
    this.#find = this.#database.prepare('SELECT * FROM tokens WHERE id = ?');
  }

  /** The principal behind a presented token; undefined whether it is malformed, unknown, wrong, expired or revoked. */
  authenticate(presented: string): Principal | undefined {
    const token = parseToken(presented);
    if (!token) return undefined;
    const row = this.#find.get(token.id);
    const matches = secretMatches(token.secret, row ? (row.hash as Uint8Array) : NO_HASH);
    if (!row || !matches) return undefined;
    const { id, name, role, lastUsed, ...stored } = tokenRow(row);
    const now = this.#now();
    if (stored.revoked !== undefined || (stored.expires !== undefined && stored.expires <= now))
      return undefined;
    if (lastUsed === undefined || now - lastUsed >= LAST_USED_STEP_MS) this.#noteUse(id, now);
    return { tokenId: id, name, role };
  }

  /**
   * Makes a token. Its text is in the answer and nowhere else. `beforeStored` runs with the text before the row exists, for
   * a caller who has to put it into a safe place first.
   */
  create(
    wanted: NewToken,
    beforeStored?: (text: string) => void,
  ): { readonly row: TokenRow; readonly text: string } {
    assertAcceptable(wanted, this.#now());
    const others = this.list().filter((row) => row.name === wanted.name && this.#works(row));
    const other = others.find((row) => row.role !== wanted.role);
    if (other) {
      throw new AccessError(
        'name-taken',
        `Cannot create token "${wanted.name}": the name belongs to a token with role ${other.role}, expected role ${wanted.role}. Choose another name, or revoke token ${other.id} first.`,
      );
    }
    const token = mintToken(this.#random);
    const text = formatToken(token);
    beforeStored?.(text);
    this.#database
      .prepare('INSERT INTO tokens (id, hash, name, role, created, expires) VALUES (?, ?, ?, ?, ?, ?)')
      .run(token.id, hashSecret(token.secret), wanted.name, wanted.role, this.#now(), wanted.expires ?? null);
    return { row: this.get(token.id), text };
  }

  get(id: string): TokenRow {
    const row = this.#find.get(id);
    if (!row) {
      throw new AccessError(
        'not-found',
        `Cannot find token "${id}": there is none with this id, expected an id from the list of tokens.`,
      );
    }
    return tokenRow(row);
  }

  /** Oldest first, revoked ones included. */
  list(): TokenRow[] {
    return this.#database.prepare('SELECT * FROM tokens ORDER BY created, id').all().map(tokenRow);
  }

  /** Revoking twice is not an error: the first time stays. */
  revoke(id: string): TokenRow {
    const row = this.get(id);
    if (row.revoked !== undefined) return row;
    if (row.role === 'admin' && !this.#hasAdmin(id)) {
      throw new AccessError(
        'last-admin',
        `Cannot revoke token "${id}": it is the last working admin token, expected another one to remain. Create another admin token first.`,
      );
    }
    this.#database.prepare('UPDATE tokens SET revoked = ? WHERE id = ?').run(this.#now(), id);
    return this.get(id);
  }

  hasWorkingAdmin(): boolean {
    return this.#hasAdmin(undefined);
  }

  /** 32 random bytes under a name, made when first asked for. */
  secret(name: string): Uint8Array {
    this.#database
      .prepare('INSERT OR IGNORE INTO secrets (name, value) VALUES (?, ?)')
      .run(name, this.#random(32));
    const row = this.#database.prepare('SELECT value FROM secrets WHERE name = ?').get(name);
    return row!.value as Uint8Array;
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #noteUse(id: string, now: number): void {
    try {
      this.#database.prepare('UPDATE tokens SET last_used = ? WHERE id = ?').run(now, id);
    } catch {
      // A full disk must not lock out the admin who comes to make room; the use is noted another time.
    }
  }

  #hasAdmin(except: string | undefined): boolean {
    // One that expires does not count: the installation must not lock itself by the passing of time.
    return this.list().some(
      (row) => row.role === 'admin' && row.id !== except && row.expires === undefined && this.#works(row),
    );
  }

  #works(row: TokenRow): boolean {
    return row.revoked === undefined && (row.expires === undefined || row.expires > this.#now());
  }
}

function assertAcceptable(wanted: NewToken, now: number): void {
  if (!NAME.test(wanted.name)) {
    throw new AccessError(
      'invalid',
      'Cannot create token: the name is not acceptable, expected 1 to 64 letters, digits or . _ @ : / -, beginning with a letter or digit.',
    );
  }
  if (!isRole(wanted.role)) {
    throw new AccessError(
      'invalid',
      `Cannot create token "${wanted.name}": the role is unknown, expected one of ${ROLES.join(', ')}.`,
    );
  }
  if (wanted.expires !== undefined && !(Number.isSafeInteger(wanted.expires) && wanted.expires > now)) {
    throw new AccessError(
      'invalid',
      `Cannot create token "${wanted.name}": it would already have expired, expected a time in the future.`,
    );
  }
}

function tokenRow(row: Record<string, unknown>): TokenRow {
  const time = (column: string) => (row[column] === null ? undefined : Number(row[column]));
  return {
    id: String(row.id),
    name: String(row.name),
    role: row.role as Role,
    created: Number(row.created),
    expires: time('expires'),
    lastUsed: time('last_used'),
    revoked: time('revoked'),
  };
}
