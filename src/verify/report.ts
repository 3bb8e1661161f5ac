// What a verification found. A report is for a person first: each problem names the file, relative to the directory that was
// checked, the entries [from, to) that it touches, and what is wrong.

export interface Problem {
  readonly file: string;
  readonly from: number;
  readonly to: number;
  readonly problem: string;
}

/**
 * 'problems': something was changed, lost or cannot be right. 'inconclusive': everything fits together, but nothing from outside
 * the directory says that it is the log it should be, or that its checkpoint is the newest where the log goes on behind it as after
 * a publication that was cut short. 'ok': neither.
 */
export type Verdict = 'ok' | 'problems' | 'inconclusive';

export interface Checked {
  readonly entries: number;
  readonly frames: number;
  /** Records and quarantined items that were decrypted; those that are published, held against their commitments. */
  readonly decrypted: number;
  readonly contentBytes: number;
}

export interface LedgerReport {
  readonly name: string;
  readonly size: number;
  /** Base 64, as the checkpoint has it. */
  readonly root: string;
  /** The signed note that was checked against; empty where there was none. */
  readonly checkpoint: string;
  readonly verdict: Verdict;
  readonly problems: readonly Problem[];
  readonly notes: readonly string[];
  readonly checked: Checked;
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly verdict: Verdict;
  readonly ledgers: readonly LedgerReport[];
  /** Problems outside of any ledger: keys, the installation's own files, ledgers that are missing. */
  readonly problems: readonly Problem[];
  readonly notes: readonly string[];
}

/** More than this nobody reads, and a report must not outgrow the memory that checked a large log. */
const PROBLEMS_MAX = 1000;
const NOTES_MAX = 200;

/**
 * Two files that should agree and do not. Which of them was changed only the rest of the check can say: where `against` turns out
 * to be damaged, nothing is held against `file`.
 */
export interface Difference extends Problem {
  readonly against: string;
}

export class Findings {
  readonly #problems: Problem[] = [];
  readonly #differences: Difference[] = [];
  readonly #notes = new Set<string>();
  #unlisted = 0;

  problem(file: string, from: number, to: number, problem: string): void {
    this.add({ file, from, to, problem });
  }

  add(...problems: readonly Problem[]): void {
    for (const problem of problems) {
      if (this.#problems.length < PROBLEMS_MAX) this.#problems.push(problem);
      else this.#unlisted++;
    }
  }

  addDifferences(...differences: readonly Difference[]): void {
    for (const difference of differences) {
      if (this.#differences.length < PROBLEMS_MAX) this.#differences.push(difference);
      else this.#unlisted++;
    }
  }

  /** Turns differences into problems. To be called when everything that can be said about single files has been said. */
  settle(): void {
    const damaged = new Set(this.#problems.map(({ file }) => file));
    for (const { against, ...problem } of this.#differences.splice(0)) {
      if (damaged.has(against))
        this.note(`${problem.file}: could not be held against ${against}, which is damaged`);
      else this.add(problem);
    }
  }

  note(...texts: readonly string[]): void {
    for (const text of texts) if (this.#notes.size < NOTES_MAX) this.#notes.add(text);
  }

  get found(): boolean {
    return this.#problems.length + this.#unlisted > 0;
  }

  /** In the order of the entries; workers finish in any order. */
  problems(): Problem[] {
    const sorted = this.#problems.toSorted(
      (a, b) => a.from - b.from || a.to - b.to || compare(a.file, b.file),
    );
    if (this.#unlisted === 0) return sorted;
    return [
      ...sorted,
      { file: '', from: 0, to: 0, problem: `${this.#unlisted} more problems are not listed` },
    ];
  }

  notes(): string[] {
    return [...this.#notes].sort();
  }
}

export function worst(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes('problems')) return 'problems';
  return verdicts.includes('inconclusive') ? 'inconclusive' : 'ok';
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
