// Refused requests in the custody ledger, one record for all that somebody was refused within ten seconds: whoever is
// refused must not be able to fill the disk with it. Somebody is a principal where the token was good but the role was not,
// and an address where there was no good token.

import type { CustodyJournal } from './custody-journal.ts';

export interface Denial {
  /** Of a principal; absent when nobody is known to have asked. */
  readonly principal?: string;
  readonly address: string;
  readonly status: 401 | 403;
  /** Method and route pattern, never the path as it was sent. */
  readonly route: string;
}

export interface DenialsOptions {
  readonly journal: CustodyJournal;
  /** Runs the function once, later; the answer cancels it. */
  readonly after: (ms: number, run: () => void) => () => void;
  readonly onLost: (count: number, cause: unknown) => void;
}

const WINDOW_MS = 10_000;
/** Distinct principals and addresses of one window; an address range beyond that shares one record. */
const SOMEBODIES_MAX = 256;
const ROUTES_MAX = 8;

interface Tally {
  readonly denial: Denial;
  readonly routes: Set<string>;
  count: number;
}

export class Denials {
  readonly #options: DenialsOptions;
  #tallies = new Map<string, Tally>();
  #cancel: (() => void) | undefined;

  constructor(options: DenialsOptions) {
    this.#options = options;
  }

  note(denial: Denial): void {
    const key = this.#keyOf(denial);
    const tally = this.#tallies.get(key) ?? { denial, routes: new Set(), count: 0 };
    tally.count++;
    if (tally.routes.size < ROUTES_MAX) tally.routes.add(denial.route);
    this.#tallies.set(key, tally);
    this.#cancel ??= this.#options.after(WINDOW_MS, () => void this.flush());
  }

  /** Writes what has been noted so far. Never throws: a refusal that cannot be recorded stays a refusal. */
  async flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    const tallies = this.#tallies;
    this.#tallies = new Map();
    for (const [key, { denial, routes, count }] of tallies) {
      const known = denial.principal !== undefined;
      const shared = key === OTHERS;
      try {
        await this.#options.journal.append({
          ...(known && !shared ? { 'user.name': denial.principal, 'user.proof': 'token' } : {}),
          ...(shared ? {} : { 'source.ip': denial.address }),
          'event.action': 'denied',
          'event.outcome': 'failure',
          'event.reason': known ? 'the role does not allow it' : 'no acceptable token',
          'labels.count': String(count),
          'labels.status': String(denial.status),
          'labels.routes': [...routes].join(' '),
        });
      } catch (error) {
        this.#options.onLost(count, error);
      }
    }
  }

  #keyOf(denial: Denial): string {
    const somebody =
      denial.principal === undefined ? `address ${denial.address}` : `principal ${denial.principal}`;
    const isNew = !this.#tallies.has(somebody);
    return isNew && this.#tallies.size >= SOMEBODIES_MAX ? OTHERS : somebody;
  }
}

const OTHERS = 'others';
