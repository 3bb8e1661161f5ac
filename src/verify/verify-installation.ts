// The stand-alone verifier: is everything in a data directory what was written there? It trusts nothing in the directory, needs no
// running server and no key, and takes only the layers below it: bytes, event, merkle and sealed.
//
//   <directory>/ledgers/<name>/…      each ledger                         verify-ledger.ts
//   <directory>/keys/<name>/…         wrapped keys                        key-files.ts
//   <directory>/installation.json     what the installation is called
//   <directory>/cache, search, lock   derived or momentary, not looked at
//
// A single ledger's directory can be checked as well: what an outsider has who was given a copy of it.

import { isProblem } from '../bytes/problem.ts';
import { parseVerifierKey, type VerifierKey } from '../merkle/note.ts';
import { checkCache } from './cache-files.ts';
import { type Crew, crewOfOne, crewOfWorkers } from './crew.ts';
import { DirectorySource } from './directory-source.ts';
import { judgeKeys, listKeys, readCheckedJson } from './key-files.ts';
import { PUBLICATION_WAIT_MS, PUBLICATION_WAITS } from './ledger-identity.ts';
import { Findings, type LedgerReport, type VerifyReport, worst } from './report.ts';
import type { DirectoryEntry, Source } from './source.ts';
import { installationOf, ledgerNameOf, parseRemembered, type Remembered } from './trust.ts';
import { type LedgerOutcome, verifyLedger } from './verify-ledger.ts';

export interface VerifyProgress {
  readonly ledger: string;
  readonly entries: number;
  readonly of: number;
}

export interface VerifyOptions {
  /** A data directory, or the directory of one ledger. */
  readonly directory: string;
  /** Read instead of the directory, without workers: for what is no directory. */
  readonly source?: Source;
  /** Verifier keys that the user brought. */
  readonly trustedKeys: readonly string[];
  /** Signed notes: checkpoints that somebody outside of the directory has kept. */
  readonly remembered: readonly string[];
  /** Unwrapped keys, from a caller who can: with them content is decrypted and held against the tree. */
  readonly epochKey?: (ledger: string, epoch: number) => Uint8Array | undefined;
  /** Only checkpoint, tiles and entries are there; content and keys are passed over. */
  readonly publicHalfOnly?: boolean;
  /** Threads. Default: one for each core. With 0 this thread does everything. */
  readonly workers?: number;
  /** How to wait a moment, when a ledger seems to be publishing just now. */
  readonly sleep: (ms: number) => Promise<void>;
  readonly onProgress?: (progress: VerifyProgress) => void;
}

/**
 * Throws only where there can be no verdict: no such directory, one that holds nothing of a log and of which nothing is
 * remembered, files that this user may not read, or a trusted key that is no key.
 */
export async function verifyInstallation(options: VerifyOptions): Promise<VerifyReport> {
  const source = options.source ?? new DirectorySource(options.directory);
  const workers = options.source === undefined ? (options.workers ?? navigator.hardwareConcurrency) : 0;
  const crew = workers > 0 ? crewOfWorkers(options.directory, workers) : crewOfOne(source);
  try {
    return await new InstallationCheck(options, source, crew).run();
  } finally {
    await crew.close();
  }
}

/** Derived from the ledgers, or only there while a process runs. */
const PASSED_OVER = new Set(['cache', 'search', 'lock', 'lock.json']);
const INSTALLATION_NAMES = ['ledgers', 'keys', 'installation.json'];
const LEDGER_NAMES = ['checkpoint', 'key.pub', 'tile', 'content'];
const INSTALLATION_MEMBERS = 'check,created,name,v';

class InstallationCheck {
  readonly #options: VerifyOptions;
  readonly #source: Source;
  readonly #crew: Crew;
  readonly #findings = new Findings();
  readonly #trustedKeys: readonly VerifierKey[];
  readonly #remembered: Remembered[] = [];
  readonly #outcomes: LedgerOutcome[] = [];

  constructor(options: VerifyOptions, source: Source, crew: Crew) {
    this.#options = options;
    this.#source = source;
    this.#crew = crew;
    this.#trustedKeys = options.trustedKeys.map(trustedKey);
    for (const [i, note] of options.remembered.entries()) {
      const remembered = parseRemembered(Buffer.from(note, 'utf8'));
      if (isProblem(remembered)) {
        this.#findings.problem(`remembered checkpoint ${i + 1}`, 0, 0, remembered.problem);
      } else {
        this.#remembered.push(remembered);
      }
    }
  }

  async run(): Promise<VerifyReport> {
    const names = await this.#source.list('');
    if (names === undefined) {
      throw new Error(
        `Cannot verify "${this.#options.directory}": there is no such directory, expected a data directory or a ledger’s.`,
      );
    }
    const has = (wanted: readonly string[]) => names.some(({ name }) => wanted.includes(name));
    if (has(INSTALLATION_NAMES)) {
      await this.#checkInstallation(names);
    } else if (has(LEDGER_NAMES)) {
      await this.#checkOneLedger();
    } else if (this.#options.remembered.length > 0) {
      // Somebody knows of a log that was here: its loss is a finding, not a mistyped path.
      await this.#checkInstallation(names);
    } else {
      throw new Error(
        `Cannot verify "${this.#options.directory}": this is no data directory, expected one with installation.json and ledgers, or a ledger’s with its checkpoint. Check the path.`,
      );
    }
    return this.#report();
  }

  #report(): VerifyReport {
    const ledgers: LedgerReport[] = this.#outcomes.map(({ report }) => report);
    const own = this.#findings.found ? 'problems' : 'ok';
    const verdict = worst([own, ...ledgers.map((ledger) => ledger.verdict)]);
    const [problems, notes] = [this.#findings.problems(), this.#findings.notes()];
    return { ok: verdict === 'ok', verdict, ledgers, problems, notes };
  }

  async #checkOneLedger(): Promise<void> {
    const directoryName = this.#options.directory.split('/').filter(Boolean).at(-1) ?? '';
    const outcome = await this.#checkLedger(directoryName, '', undefined);
    if (!this.#options.publicHalfOnly) {
      this.#findings.note('Keys were not checked: only the directory of one ledger was given.');
    }
    // Anchors of an installation are of all its ledgers, and the others are not here.
    const { origin } = outcome;
    const isForeign = ({ checkpoint }: Remembered) =>
      origin === undefined || installationOf(checkpoint.origin) !== installationOf(origin);
    this.#reportUnmatched(this.#remembered.filter(isForeign));
  }

  async #checkInstallation(names: readonly DirectoryEntry[]): Promise<void> {
    const installation = await this.#readInstallation();
    this.#checkNames(names);
    // Keys before ledgers: whatever key is there by now belongs to an epoch that the ledger has opened, or is about to.
    const keys = new Map<string, number[]>();
    for (const ledger of await this.#directoriesIn('keys')) {
      keys.set(ledger, await listKeys(this.#source, ledger, this.#findings));
    }
    const ledgers = await this.#directoriesIn('ledgers');
    if (ledgers.length === 0) this.#findings.problem('ledgers', 0, 0, 'there is no ledger');
    for (const name of ledgers) {
      const origin = installation === undefined ? undefined : `${installation}/${name}`;
      const { epochs } = await this.#checkLedger(name, `ledgers/${name}/`, origin);
      if (epochs !== undefined)
        await judgeKeys(this.#source, name, epochs, keys.get(name) ?? [], this.#findings);
      await checkCache({
        source: this.#source,
        ledger: name,
        findings: this.#findings,
        epochKey: this.#options.epochKey,
        sleep: this.#options.sleep,
      });
    }
    for (const name of keys.keys()) {
      if (!ledgers.includes(name)) await this.#awaitLedger(name);
    }
    const known = this.#outcomes.map(({ origin }) => origin);
    this.#reportUnmatched(this.#remembered.filter(({ checkpoint }) => !known.includes(checkpoint.origin)));
  }

  async #checkLedger(name: string, directory: string, origin: string | undefined): Promise<LedgerOutcome> {
    const { epochKey, publicHalfOnly = false, sleep, onProgress } = this.#options;
    const outcome = await verifyLedger({
      source: this.#source,
      crew: this.#crew,
      name,
      directory,
      origin,
      trustedKeys: this.#trustedKeys,
      remembered: this.#remembered,
      publicHalfOnly,
      epochKey,
      sleep,
      onProgress: (entries, of) => onProgress?.({ ledger: name, entries, of }),
    });
    this.#outcomes.push(outcome);
    return outcome;
  }

  /** What the installation is called: the first part of its logs' origins. */
  async #readInstallation(): Promise<string | undefined> {
    const file = 'installation.json';
    const members = await readCheckedJson(this.#source, file, this.#findings);
    if (members === undefined) return undefined;
    const { name } = members;
    if (Object.keys(members).join() === INSTALLATION_MEMBERS && members.v === 1 && typeof name === 'string')
      return name;
    this.#findings.problem(file, 0, 0, 'the file does not describe an installation');
    return undefined;
  }

  #checkNames(names: readonly DirectoryEntry[]): void {
    for (const { name, kind } of names) {
      if (PASSED_OVER.has(name)) continue;
      if (kind === 'directory' && (name === 'ledgers' || name === 'keys')) continue;
      if (kind === 'file' && name === 'installation.json') continue;
      if (kind === 'file' && name.endsWith('.tmp')) this.#findings.note(`${name}: a temporary file`);
      else this.#findings.problem(name, 0, 0, 'this does not belong here');
    }
  }

  async #directoriesIn(directory: string): Promise<string[]> {
    const directories: string[] = [];
    for (const { name, kind } of (await this.#source.list(directory)) ?? []) {
      if (kind === 'directory') directories.push(name);
      else this.#findings.problem(`${directory}/${name}`, 0, 0, 'this does not belong here');
    }
    return directories;
  }

  /** A ledger that is just being made has its first key before anything else. */
  async #awaitLedger(name: string): Promise<void> {
    for (let wait = 0; wait < PUBLICATION_WAITS; wait++) {
      await this.#options.sleep(PUBLICATION_WAIT_MS);
      if ((await this.#source.list(`ledgers/${name}`)) !== undefined) return;
    }
    this.#findings.problem(`ledgers/${name}`, 0, 0, 'the ledger is missing; its keys are there');
  }

  #reportUnmatched(remembered: readonly Remembered[]): void {
    for (const { checkpoint } of remembered) {
      const file = `ledgers/${ledgerNameOf(checkpoint.origin)}`;
      const problem = `the remembered log ${checkpoint.origin} of ${checkpoint.size} entries is not here`;
      this.#findings.problem(file, 0, checkpoint.size, problem);
    }
  }
}

function trustedKey(text: string): VerifierKey {
  const key = parseVerifierKey(text);
  if (!isProblem(key)) return key;
  throw new Error(
    `Cannot use trusted key "${text.slice(0, 100)}": ${key.problem}. Give the line from key.pub.`,
  );
}
