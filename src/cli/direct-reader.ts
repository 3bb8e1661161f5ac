// Reading an installation that nothing runs on. Who may read the files of a ledger must leave the same trace as who asks the
// server: a begin entry in the custody ledger is durable before the first record is shown, and an end entry says how many
// there were. So the installation is opened as `up` opens it, under the lock, and nobody else can open it meanwhile.
//
// The actor is the operating-system user. Whoever has the root key could read everything anyway, so nothing is masked.

import { createHash } from 'node:crypto';
import { userInfo } from 'node:os';
import {
  type Act,
  type Actor,
  CUSTODY_QUERY_LENGTH_MAX,
  type CustodyEntry,
  CustodyJournal,
} from '../access/custody-journal.ts';
import { openAccessStore } from '../access/first-start.ts';
import { isMasked, Masking } from '../access/masking.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { compileMatcher, type Matcher } from '../query/match.ts';
import { parseQuery } from '../query/parse.ts';
import { redactQuery } from '../query/visibility.ts';
import { searchRecords } from '../server/search-records.ts';
import { CommandError } from './command-error.ts';
import type { Directories } from './directories.ts';
import type { Invocation } from './invocation.ts';
import { assertInstalled, lockFor, openLedgers } from './open-ledgers.ts';
import { accessStoreFile } from './state-files.ts';

export interface DirectSearch {
  readonly query: string;
  readonly limit: number;
  readonly ledger: string;
  readonly signal: AbortSignal;
}

export interface DirectReader extends AsyncDisposable {
  /** One JSON record a line, newest first, in the shape of the API's search. */
  search(search: DirectSearch): AsyncIterable<Uint8Array>;
  /** The tlog-proof file of one entry. */
  prove(ledger: string, index: number): Promise<Uint8Array>;
}

export async function openDirectReader(
  directories: Directories,
  passphrase: string | undefined,
  invocation: Invocation,
): Promise<DirectReader> {
  const { disk, now } = invocation;
  assertInstalled(directories, invocation);
  await using opening = new AsyncDisposableStack();
  opening.use(lockFor(directories, 'portledger, reading directly', invocation));
  const { ledgers } = opening.use(await openLedgers(directories, { passphrase }, invocation));
  const random = (count: number): Uint8Array => invocation.randomBytes(count);
  const access = opening.use(openAccessStore(disk, { path: accessStoreFile(directories), now, random }));
  const reading = new DirectReading(
    ledgers,
    new CustodyJournal({ ledger: ledgers.get('custody')!, now }),
    new Masking(access.secret('masking')),
    now,
  );
  const resources = opening.move();
  return {
    search: (search) => reading.search(search),
    prove: (ledger, index) => reading.prove(ledger, index),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

class DirectReading {
  readonly #ledgers: ReadonlyMap<string, Ledger>;
  readonly #journal: CustodyJournal;
  readonly #masking: Masking;
  readonly #now: () => number;
  readonly #actor: Actor = operatingSystemUser();

  constructor(
    ledgers: ReadonlyMap<string, Ledger>,
    journal: CustodyJournal,
    masking: Masking,
    now: () => number,
  ) {
    this.#ledgers = ledgers;
    this.#journal = journal;
    this.#masking = masking;
    this.#now = now;
  }

  async *search({ query, limit, ledger: name, signal }: DirectSearch): AsyncGenerator<Uint8Array> {
    const ledger = this.#ledgerNamed(name);
    const { matcher, redacted } = this.#parse(query);
    const act = this.#act('search', ledger, { limit });
    const entry = await this.#journal.begin({ ...act, query: redacted });
    const digest = createHash('sha256');
    let rows = 0;
    let reason: string | undefined = 'the reader went away before the end';
    try {
      // The entries of custody that this very search makes are not part of it.
      const below = ledger === this.#journal.ledger ? { below: entry.index } : {};
      for await (const chunk of searchRecords({ ledger, matcher, limit, signal, ...below })) {
        digest.update(chunk.bytes);
        rows += chunk.rows;
        yield* linesOf(chunk.bytes);
      }
      reason = undefined;
    } finally {
      await endReading(entry, rows, digest.digest('hex'), reason);
    }
  }

  async prove(name: string, index: number): Promise<Uint8Array> {
    const ledger = this.#ledgerNamed(name);
    const entry = await this.#journal.begin(this.#act('prove', ledger, { index }));
    try {
      const proof = await ledger.prove(index);
      await endReading(entry, 1, createHash('sha256').update(proof).digest('hex'), undefined);
      return proof;
    } catch (error) {
      await endReading(entry, 0, undefined, 'the entry could not be proved');
      throw error;
    }
  }

  #act(action: string, ledger: Ledger, parameters: Readonly<Record<string, number>>): Act {
    return { actor: this.#actor, action, ledger: ledger.name, parameters };
  }

  #ledgerNamed(name: string): Ledger {
    const ledger = this.#ledgers.get(name);
    if (ledger !== undefined) return ledger;
    throw new CommandError(
      `Cannot read ledger "${name}": there is none of this name, expected one of ${[...this.#ledgers.keys()].join(', ')}.`,
    );
  }

  #parse(text: string): { readonly matcher: Matcher; readonly redacted: string } {
    const parsed = parseQuery(text);
    if (!parsed.ok) throw new CommandError(parsed.problem.message);
    const tokenOf = (field: string, value: string): string => this.#masking.token(field, value);
    const redacted = redactQuery(text, parsed.query, isMasked, tokenOf);
    if (redacted.length > CUSTODY_QUERY_LENGTH_MAX) {
      throw new CommandError(
        `Cannot search: the query as the custody ledger keeps it has ${redacted.length} characters, expected at most ${CUSTODY_QUERY_LENGTH_MAX}. Search in several parts.`,
      );
    }
    return { matcher: compileMatcher(parsed.query, { nowMs: this.#now() }), redacted };
  }
}

async function endReading(
  entry: CustodyEntry,
  rows: number,
  digest: string | undefined,
  reason: string | undefined,
): Promise<void> {
  await entry.end({
    outcome: reason === undefined ? 'success' : 'failure',
    rows,
    ...(digest === undefined ? {} : { digest }),
    ...(reason === undefined ? {} : { reason }),
  });
}

function* linesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(10, start);
    if (end > start) yield bytes.subarray(start, end);
    start = end + 1;
  }
}

/** As the kernel says, not as an environment variable does. */
function operatingSystemUser(): Actor {
  const uid = process.geteuid?.() ?? -1;
  let name = `uid-${uid}`;
  try {
    name = userInfo().username;
  } catch {
    // In a container there may be a number without a name.
  }
  return { name, id: String(uid), proof: 'kernel' };
}
