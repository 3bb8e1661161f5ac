// What only a key can check: that a frame decrypts, and that its records are those the tree has committed to.
//
// Of a record's JSON only the first and the last byte are looked at: its commitment says that these are the bytes which were
// accepted, and whether an encoder spelled them canonically is that encoder's test. Quarantined items and requests are few and
// are parsed.

import { hash } from 'node:crypto';
import { isProblem, type ProblemFound } from '../bytes/problem.ts';
import { RECORD_BYTES_MAX, SALT_BYTES } from '../event/batch.ts';
import { COMMITMENT_BYTES } from '../merkle/entry.ts';
import { keyCheck } from '../sealed/frame-keys.ts';
import type { FrameHeader } from '../sealed/frame-layout.ts';
import { type FrameSecrets, openDictionary, openFrame } from '../sealed/open-frame.ts';
import { parseCanonicalObject } from './control-entries.ts';
import { locateFrame } from './locate-frame.ts';
import type { Source } from './source.ts';

export interface EpochFact {
  readonly epoch: number;
  /** Index of its epoch-opened entry. */
  readonly opened: number;
  readonly keyCheck: string;
  readonly key: Uint8Array | undefined;
}

export interface SealedContent {
  /** Of the records, then of the quarantined items. */
  readonly commitments: Uint8Array;
  /** What is wrong with an item, although it is the one that was committed to. */
  readonly problems: readonly { readonly at: number; readonly problem: string }[];
}

const QUARANTINED_MEMBERS = 'position,raw,reason,received';
/** Frames with few records share a dictionary with their neighbours, so that hardly ever more than one is in use. */
const DICTIONARIES_MAX = 4;

export class SealedCheck {
  readonly #source: Source;
  readonly #ledger: string;
  readonly #origin: string;
  readonly #size: number;
  readonly #dictionaries = new Map<string, Buffer | ProblemFound>();
  #scratch = Buffer.alloc(SALT_BYTES + RECORD_BYTES_MAX);

  constructor(source: Source, ledger: string, origin: string, size: number) {
    this.#source = source;
    this.#ledger = ledger;
    this.#origin = origin;
    this.#size = size;
  }

  async open(frame: Buffer, header: FrameHeader, epoch: EpochFact): Promise<SealedContent | ProblemFound> {
    const secrets = { origin: this.#origin, epoch: epoch.epoch, epochKey: epoch.key! };
    if (header.hasDictionary) {
      const dictionary = openDictionary(frame, secrets);
      if (isProblem(dictionary)) return dictionary;
      this.#remember(`${epoch.epoch}:${header.first}`, dictionary);
    }
    const reference =
      header.dictionaryFrame === 0 ? undefined : await this.#dictionary(header.dictionaryFrame, secrets);
    const opened = openFrame(frame, secrets, () => reference!);
    if (isProblem(opened)) return opened;

    const items = [...opened.records, ...opened.quarantined];
    const commitments = new Uint8Array(items.length * COMMITMENT_BYTES);
    const problems: { at: number; problem: string }[] = [];
    for (let i = 0; i < items.length; i++) {
      const item = items[i]!;
      commitments.set(this.#commit(opened.salts, i, item), i * COMMITMENT_BYTES);
      const problem = i < opened.records.length ? recordProblem(item) : quarantinedProblem(item);
      if (problem !== undefined) problems.push({ at: i, problem });
    }
    if (opened.requests !== undefined) {
      const problem = requestsProblem(opened.requests, header);
      if (problem !== undefined) problems.push({ at: 0, problem });
    }
    return { commitments, problems };
  }

  #commit(salts: Buffer, i: number, item: Buffer): Buffer {
    const length = SALT_BYTES + item.length;
    if (length > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(2 * length);
    salts.copy(this.#scratch, 0, i * SALT_BYTES, (i + 1) * SALT_BYTES);
    item.copy(this.#scratch, SALT_BYTES);
    return hash('sha256', this.#scratch.subarray(0, length), 'buffer');
  }

  async #dictionary(first: number, secrets: FrameSecrets): Promise<Buffer | ProblemFound> {
    const name = `${secrets.epoch}:${first}`;
    const known = this.#dictionaries.get(name);
    if (known !== undefined) return known;
    const found = await locateFrame(this.#source, this.#ledger, this.#size, first);
    const dictionary = isProblem(found) ? found : openDictionary(found.frame, secrets);
    const answer = isProblem(dictionary)
      ? { problem: `the dictionary in the frame of entry ${first}: ${dictionary.problem}` }
      : dictionary;
    this.#remember(name, answer);
    return answer;
  }

  #remember(name: string, dictionary: Buffer | ProblemFound): void {
    this.#dictionaries.set(name, dictionary);
    if (this.#dictionaries.size <= DICTIONARIES_MAX) return;
    const [oldest] = this.#dictionaries.keys();
    this.#dictionaries.delete(oldest!);
  }
}

/** Whether the key at hand is the one that the ledger announced for the epoch. */
export function isKeyOf(epoch: { readonly keyCheck: string }, key: Uint8Array): boolean {
  return keyCheck(key) === epoch.keyCheck;
}

function recordProblem(item: Buffer): string | undefined {
  if (item.length > RECORD_BYTES_MAX)
    return `the record has ${item.length} bytes, at most ${RECORD_BYTES_MAX} are allowed`;
  return item[0] === 0x7b && item[item.length - 1] === 0x7d ? undefined : 'the record is not a JSON object';
}

function quarantinedProblem(item: Buffer): string | undefined {
  const members = parseCanonicalObject(item);
  if (members !== undefined && Object.keys(members).join() === QUARANTINED_MEMBERS) return undefined;
  return 'the quarantined item is not the canonical JSON of position, raw, reason and received';
}

function requestsProblem(bytes: Buffer, header: FrameHeader): string | undefined {
  let requests: unknown;
  try {
    requests = JSON.parse(bytes.toString('utf8'));
  } catch {
    return 'the requests section is not JSON';
  }
  if (!Array.isArray(requests)) return 'the requests section is not a list';
  const isRequest = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return false;
    const { body, count, key, offset, quarantined, time } = value as { readonly [name: string]: unknown };
    return (
      isDigest(body) &&
      isDigest(key) &&
      isWhole(count) &&
      isWhole(offset) &&
      offset + count <= header.records &&
      isWhole(time) &&
      Array.isArray(quarantined)
    );
  };
  return requests.every(isRequest) ? undefined : 'the requests section describes a request that cannot be';
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isDigest(value: unknown): boolean {
  return typeof value === 'string' && /^[0-9a-f]{32}$/.test(value);
}
