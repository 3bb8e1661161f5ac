// From what a sender wrote to the record that is kept, or the reason why not. Every value is untrusted; the work is bounded
// by ATTRIBUTES_MAX and DEPTH_MAX, and a reason names the field but never its value.
//
// Three spellings of one record are understood, also mixed: flat (`"source.port": 443`), nested as in the Elastic Common
// Schema (`{"source": {"port": 443}}`), and the plain template
// `{"timestamp", "user", "src_port", "dest_port", "action"[, "src_ip", "dest_ip"]}`, which is recognised by having
// `timestamp` and no `@timestamp`.
//
// The result is normalised: reading a record of ours again gives the same record, apart from `event.ingested`.

import { RECORD_BYTES_MAX } from './batch.ts';
import {
  CanonicalError,
  canonicalRecord,
  canonicalText,
  type FlatRecord,
  type JsonValue,
} from './canonical.ts';
import { communityId, protocolNumber } from './community-id.ts';
import { FIELDS, type Field, fieldNamed, LABEL_PREFIX } from './fields.ts';
import { parseIp } from './ip.ts';
import { quoteName } from './json.ts';
import {
  expectation,
  isAbsent,
  joinList,
  normaliseValue,
  Refusal,
  type Scalar,
  splitList,
  textProblem,
} from './normalise.ts';
import { normaliseTimestamp } from './timestamp.ts';

/** What the receiver knows about every record of a request. */
export interface RecordContext {
  /** The moment of acceptance, as records write it. */
  readonly ingested: string;
  /** Who sent it: the name for records that do not name their observer themselves. */
  readonly observer: string;
}

export type Validation =
  | { readonly ok: true; readonly record: FlatRecord }
  | { readonly ok: false; readonly reason: string };

export const ATTRIBUTES_MAX = 512;
export const DEPTH_MAX = 8;
export const LABELS_MAX = 32;
/** In UTF-16 code units. */
export const LABEL_VALUE_MAX = 1024;
export const LABEL_NAME_MAX = 128;

export const TEMPLATE_NAMES: ReadonlyMap<string, string> = new Map([
  ['timestamp', '@timestamp'],
  ['user', 'user.name'],
  ['src_ip', 'source.ip'],
  ['src_port', 'source.port'],
  ['dest_ip', 'destination.ip'],
  ['dest_port', 'destination.port'],
  ['action', 'event.action'],
]);

/** A context is ours; one that records could not hold is a mistake of the caller. */
export function assertContext({ ingested, observer }: RecordContext): void {
  if (normaliseTimestamp(ingested) !== ingested) {
    throw new TypeError(
      'Cannot accept records: the moment of acceptance is not in the form of records, expected UTC with nine digits.',
    );
  }
  if (isAbsent(observer) || textProblem(observer) !== undefined || observer.length > LABEL_VALUE_MAX) {
    throw new TypeError(
      'Cannot accept records: the name of the observer is empty or not fit for a record, expected a short text.',
    );
  }
}

export function validateRecord(value: unknown, context: RecordContext): Validation {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { ok: false, reason: 'The item is not a JSON object, expected one.' };
  }
  try {
    const draft = new Draft(isTemplate(value));
    draft.flatten(value as Readonly<Record<string, unknown>>, '', 1);
    return { ok: true, record: draft.finish(context) };
  } catch (error) {
    // Refused is how a problem deep in the object gets out; it is private to this file.
    if (error instanceof Refused) return { ok: false, reason: error.reason };
    throw error;
  }
}

/** Whether the names are those of the plain template. */
export function isTemplate(value: object): boolean {
  return Object.hasOwn(value, 'timestamp') && !Object.hasOwn(value, '@timestamp');
}

class Refused {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

function refuse(name: string, problem: string): never {
  throw new Refused(`${quoteName(name)} ${problem}.`);
}

// Fields are kept by their rank, the position of their name in canonical order, so that records come out sorted without
// sorting: 25 names cost 3 µs to sort and 0.1 µs to place.
const RANKED: readonly Field[] = [...FIELDS].sort((a, b) => (a.name < b.name ? -1 : 1));
const RANKS: ReadonlyMap<string, number> = new Map(RANKED.map((field, rank) => [field.name, rank]));
const LABEL_RANK = RANKED.findIndex((field) => field.name > LABEL_PREFIX);

const rankOf = (name: string): number => RANKS.get(name)!;
const TIMESTAMP = rankOf('@timestamp');
const KIND = rankOf('record.kind');
const INGESTED = rankOf('event.ingested');
const OBSERVER = rankOf('observer.name');
const USER_NAME = rankOf('user.name');
const USER_PROOF = rankOf('user.proof');
const INFERRED = rankOf('field.inferred');
const OMITTED = rankOf('field.omitted');
const COMMUNITY_ID = rankOf('network.community_id');
const TRANSPORT = rankOf('network.transport');
const SOURCE_IP = rankOf('source.ip');
const SOURCE_PORT = rankOf('source.port');
const DESTINATION_IP = rankOf('destination.ip');
const DESTINATION_PORT = rankOf('destination.port');

// Which kind of record the presence of a field suggests.
const SUGGESTS_REQUEST = RANKED.map(({ name }) => name.startsWith('http.') || name.startsWith('url.'));
const SUGGESTS_HANDSHAKE = RANKED.map(({ name }) => name.startsWith('tls.'));

class Draft {
  readonly #template: boolean;
  readonly #values: (Scalar | undefined)[] = new Array<undefined>(RANKED.length).fill(undefined);
  readonly #labels = new Map<string, string>();
  #attributes = 0;
  #omitted = 0;

  constructor(template: boolean) {
    this.#template = template;
  }

  flatten(object: Readonly<Record<string, unknown>>, prefix: string, depth: number): void {
    for (const key of Object.keys(object)) {
      const value = object[key];
      const name = prefix + key;
      if (isNested(value)) {
        checkName(name);
        const field = fieldNamed(name);
        if (field !== undefined) refuse(name, `is an object, expected ${expectation(field)}`);
        if (depth === DEPTH_MAX) refuse(name, `is nested deeper than ${DEPTH_MAX} levels, expected fewer`);
        this.flatten(value, `${name}.`, depth + 1);
      } else {
        if (++this.#attributes > ATTRIBUTES_MAX) {
          throw new Refused(`The item has more than ${ATTRIBUTES_MAX} attributes, expected at most that.`);
        }
        // Also in a record that is not the whole template: `user` as a label would be a name that nobody masks or finds.
        const renamed = depth === 1 ? TEMPLATE_NAMES.get(name) : undefined;
        this.#set(renamed ?? name, value);
      }
    }
  }

  #set(name: string, value: unknown): void {
    const rank = RANKS.get(name);
    if (rank === undefined || RANKED[rank]!.source !== 'sender') {
      this.#setLabel(name, value);
      return;
    }
    const normalised = normaliseValue(RANKED[rank]!, value);
    if (normalised === undefined) return;
    if (normalised instanceof Refusal) refuse(name, normalised.problem);
    if (this.#values[rank] !== undefined) refuse(name, 'is given twice, expected once');
    this.#values[rank] = normalised;
  }

  #setLabel(attribute: string, value: unknown): void {
    checkName(attribute);
    const text = labelText(value);
    if (text === undefined) return;
    if (text instanceof Refusal) refuse(attribute, text.problem);
    const name = attribute.startsWith(LABEL_PREFIX) ? attribute : LABEL_PREFIX + attribute;
    if (name.length === LABEL_PREFIX.length)
      throw new Refused('An attribute has an empty name, expected one.');
    if (this.#labels.has(name)) refuse(name, 'is given twice, expected once');
    this.#labels.set(name, text);
  }

  finish(context: RecordContext): FlatRecord {
    const values = this.#values;
    if (values[TIMESTAMP] === undefined) {
      throw new Refused('"@timestamp" is missing, expected when it happened.');
    }
    const labels = this.#keptLabels();
    if (this.#omitted > 0) values[OMITTED] = Number(values[OMITTED] ?? 0) + this.#omitted;
    this.#inferKind();
    if (this.#template && values[USER_NAME] !== undefined) values[USER_PROOF] ??= 'asserted';
    values[COMMUNITY_ID] ??= this.#flow();
    values[INGESTED] = context.ingested;
    values[OBSERVER] ??= context.observer;
    return assemble(values, labels);
  }

  /** The template describes a connection by definition; anything else that we conclude is marked as inferred. */
  #inferKind(): void {
    const values = this.#values;
    if (values[KIND] !== undefined) return;
    let kind = 'connection';
    for (let rank = 0; rank < values.length; rank++) {
      if (values[rank] === undefined) continue;
      if (SUGGESTS_REQUEST[rank]) {
        kind = 'request';
        break;
      }
      if (SUGGESTS_HANDSHAKE[rank]) kind = 'handshake';
    }
    values[KIND] = kind;
    if (this.#template && kind === 'connection') return;
    const inferred = values[INFERRED];
    values[INFERRED] =
      inferred === undefined ? 'record.kind' : joinList([...splitList(String(inferred)), 'record.kind']);
  }

  #flow(): string | undefined {
    const values = this.#values;
    const transport = values[TRANSPORT];
    const sourcePort = values[SOURCE_PORT];
    const destinationPort = values[DESTINATION_PORT];
    if (transport === undefined || values[SOURCE_IP] === undefined || values[DESTINATION_IP] === undefined) {
      return undefined;
    }
    if (sourcePort === undefined || destinationPort === undefined) return undefined;
    const protocol = protocolNumber(transport as string);
    if (protocol === undefined) return undefined;
    const source = parseIp(values[SOURCE_IP] as string)!;
    const destination = parseIp(values[DESTINATION_IP] as string)!;
    return communityId(protocol, source, sourcePort as number, destination, destinationPort as number);
  }

  /** Sorted and within the caps; which ones are kept must not depend on the order in which they were sent. */
  #keptLabels(): [string, string][] {
    if (this.#labels.size === 0) return [];
    const kept: [string, string][] = [];
    const sorted = [...this.#labels].sort((a, b) => (a[0] < b[0] ? -1 : 1));
    for (const [name, text] of sorted) {
      if (kept.length === LABELS_MAX || name.length > LABEL_PREFIX.length + LABEL_NAME_MAX) {
        this.#omitted++;
      } else if (text.length > LABEL_VALUE_MAX) {
        this.#omitted++;
        kept.push([name, cut(text)]);
      } else {
        kept.push([name, text]);
      }
    }
    return kept;
  }
}

function isNested(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whoever rebuilds nested objects from dotted names must not be handed a way into their prototypes. */
function checkName(name: string): void {
  if (!name.isWellFormed() || name.includes('\0')) {
    throw new Refused('The name of an attribute is not well-formed text, expected Unicode without NUL.');
  }
  if (name.includes('__proto__') && name.split('.').includes('__proto__')) {
    throw new Refused('An attribute is named "__proto__", expected any other name.');
  }
}

/** Labels are texts; lists become their canonical JSON. */
export function labelText(value: unknown): string | undefined | Refusal {
  if (isAbsent(value)) return undefined;
  if (typeof value === 'string') return textProblem(value) ?? value;
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    return Number.isFinite(value)
      ? String(value)
      : new Refusal('is a number out of range, expected a finite one');
  }
  if (!Array.isArray(value)) return new Refusal(`is a ${typeof value}, expected a JSON value`);
  if (value.length === 0) return undefined;
  try {
    return canonicalText(value as JsonValue);
  } catch (error) {
    if (error instanceof CanonicalError)
      return new Refusal('is a list that JSON cannot carry, expected plain JSON');
    throw error;
  }
}

/** Never between the halves of a surrogate pair. */
function cut(text: string): string {
  const whole = text.slice(0, LABEL_VALUE_MAX);
  return whole.isWellFormed() ? whole : whole.slice(0, -1);
}

// JSON writes one UTF-16 unit in at most six bytes (\u0007), so most records need not be measured.
const BYTES_PER_UNIT_MAX = 6;

function assemble(
  values: readonly (Scalar | undefined)[],
  labels: readonly (readonly [string, string])[],
): FlatRecord {
  const record: Record<string, Scalar> = {};
  let units = 2;
  for (let rank = 0; rank < values.length; rank++) {
    if (rank === LABEL_RANK) {
      for (const [name, text] of labels) {
        record[name] = text;
        units += name.length + text.length + 6;
      }
    }
    const value = values[rank];
    if (value === undefined) continue;
    const name = RANKED[rank]!.name;
    record[name] = value;
    units += name.length + (typeof value === 'string' ? value.length : 20) + 6;
  }
  if (units * BYTES_PER_UNIT_MAX > RECORD_BYTES_MAX && canonicalRecord(record).length > RECORD_BYTES_MAX) {
    throw new Refused(`The record is longer than ${RECORD_BYTES_MAX} bytes, expected at most that.`);
  }
  return record;
}
