// Who did what with the data, written to the custody ledger.
//
//   begin  durable before the first byte of the answer: who, what, with which query and parameters
//   end    how it ended: rows and SHA-256 of what was sent, and the index of its begin
//
// Invariants:
// - nobody reads without a begin entry: where it cannot be written, the reading does not take place
// - an answer is complete for its reader only once its end entry is durable
// - a begin without an end says that the server stopped, or lost its custody ledger, in the middle of an answer
//
// Custody entries are ordinary records (`record.kind` custody), so they are searched, exported and proved like any other.

import { encodeRecords } from '../event/batch-encoder.ts';
import type { Ledger } from '../ledger/ledger.ts';

export interface Actor {
  readonly name: string;
  /** What the name rests on. */
  readonly proof: 'token' | 'kernel';
  /** Of the token, or of the operating-system user. */
  readonly id: string;
  readonly address?: string;
}

export interface Act {
  readonly actor: Actor;
  /** search, tail, view, prove, quarantine, tokens, … */
  readonly action: string;
  /** The ledger that is read or changed. */
  readonly ledger?: string;
  /** Redacted: values of masked fields are tokens. */
  readonly query?: string;
  /** Anything else that decides what is answered. Never a secret. */
  readonly parameters?: Readonly<Record<string, string | number | undefined>>;
}

export interface Ending {
  readonly outcome: 'success' | 'failure';
  readonly rows: number;
  /** SHA-256 of the bytes that were sent, in hex. */
  readonly digest?: string;
  readonly reason?: string;
}

export interface CustodyJournalOptions {
  readonly ledger: Ledger;
  readonly now: () => number;
}

export class CustodyError extends Error {
  override readonly name = 'CustodyError';
}

/** A label holds 1,024 UTF-16 units; longer texts go on in `labels.query_2` and so forth. */
const LABEL_PARTS = /.{1,512}/gsu;
/** A query whose custody form is longer than this is refused, because it could not be recorded whole: 16 labels. */
export const CUSTODY_QUERY_LENGTH_MAX = 8192;

const OBSERVER = 'portledger';

export class CustodyJournal {
  readonly #options: CustodyJournalOptions;

  constructor(options: CustodyJournalOptions) {
    this.#options = options;
  }

  get ledger(): Ledger {
    return this.#options.ledger;
  }

  /** Durable once it resolves. Throws a CustodyError where it cannot be. */
  async begin(act: Act): Promise<CustodyEntry> {
    const parameters = Object.entries(act.parameters ?? {})
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [`labels.${name}`, String(value)]);
    const record = {
      ...actorFields(act.actor),
      'event.action': act.action,
      'event.outcome': 'unknown',
      'labels.phase': 'begin',
      ...(act.ledger === undefined ? {} : { 'labels.ledger': act.ledger }),
      ...queryFields(act.query),
      ...Object.fromEntries(parameters),
    };
    const index = await this.append(record);
    return new CustodyEntry(this, act, index);
  }

  /** One custody record; resolves with its index once it is durable. */
  async append(fields: Readonly<Record<string, string>>): Promise<number> {
    const { ledger, now } = this.#options;
    const time = new Date(now()).toISOString();
    const ingested = `${time.slice(0, -1)}000000Z`;
    const record = { '@timestamp': ingested, 'record.kind': 'custody', ...fields };
    const batch = encodeRecords([record], { ingested, observer: OBSERVER });
    if (batch.starts.length !== 1) {
      throw new CustodyError(
        `Cannot write custody entry: its record was refused (${batch.quarantined[0]?.reason ?? 'no reason'}), expected it to be acceptable.`,
      );
    }
    try {
      return (await ledger.append({ principal: OBSERVER, batch })).first;
    } catch (cause) {
      throw new CustodyError(
        `Cannot write custody entry: the ledger "${ledger.name}" did not accept it, expected it to be durable before anything is read. Run "portledger doctor".`,
        { cause },
      );
    }
  }
}

/** An act that has begun. */
export class CustodyEntry {
  readonly #journal: CustodyJournal;
  readonly #act: Act;
  /** Of the begin entry in the custody ledger. */
  readonly index: number;

  constructor(journal: CustodyJournal, act: Act, index: number) {
    this.#journal = journal;
    this.#act = act;
    this.index = index;
  }

  async end(ending: Ending): Promise<void> {
    const { actor, action, ledger } = this.#act;
    await this.#journal.append({
      ...actorFields(actor),
      'event.action': action,
      'event.outcome': ending.outcome,
      ...(ending.reason === undefined ? {} : { 'event.reason': ending.reason }),
      'labels.phase': 'end',
      'labels.begin': String(this.index),
      'labels.rows': String(ending.rows),
      ...(ending.digest === undefined ? {} : { 'labels.digest': ending.digest }),
      ...(ledger === undefined ? {} : { 'labels.ledger': ledger }),
    });
  }
}

function actorFields(actor: Actor): Record<string, string> {
  return {
    'user.name': actor.name,
    'user.id': actor.id,
    'user.proof': actor.proof,
    ...(actor.address === undefined ? {} : { 'source.ip': actor.address }),
  };
}

function queryFields(query: string | undefined): Record<string, string> {
  const fields: Record<string, string> = {};
  // Whole characters only: half a surrogate pair is nothing that a record can hold.
  const parts = query?.match(LABEL_PARTS) ?? [];
  for (const [at, part] of parts.entries()) fields[`labels.query${at === 0 ? '' : `_${at + 1}`}`] = part;
  return fields;
}
