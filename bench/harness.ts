// What a benchmark is. A file `bench/<subject>.bench.ts` exports `benches`; run.ts runs each in a process of its own, so that
// none inherits another's heap, caches or optimised code.
//
//   export const benches: readonly Bench[] = [
//     {
//       name: 'append, 1 KB records',
//       async run() {
//         const perSecond = …;
//         return { figure: perSecond, unit: 'records/s', better: 'higher', target: 10_000 };
//       },
//     },
//   ];
//
// On a shared machine the same work takes 20 % more or less from one minute to the next. A comparison is therefore made in
// pairs, side by side in time (`compareInterleaved`), and of several runs the median counts, not the mean.

export interface Figure {
  readonly figure: number;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  /** What was promised somewhere; without one the figure is only watched. */
  readonly target?: number;
  /** Whatever helps to understand the figure later: sizes, percentiles, the other side of a comparison. */
  readonly details?: Readonly<Record<string, number | string>>;
}

/** One of several figures that are taken from one expensive run. */
export interface NamedFigure extends Figure {
  readonly name: string;
}

export interface Bench {
  readonly name: string;
  run(): Promise<Figure | readonly NamedFigure[]>;
}

export function meetsTarget({ figure, better, target }: Figure): boolean | undefined {
  if (target === undefined) return undefined;
  return better === 'higher' ? figure >= target : figure <= target;
}

/** The middle one; between the two middle ones where their number is even. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Between the two nearest values, in proportion. */
export function percentile(values: readonly number[], percent: number): number {
  if (values.length === 0)
    throw new RangeError('Cannot take a percentile: there are no values, expected some.');
  const sorted = [...values].sort((a, b) => a - b);
  const position = ((sorted.length - 1) * percent) / 100;
  const below = sorted[Math.floor(position)] as number;
  const above = sorted[Math.ceil(position)] as number;
  return below + (above - below) * (position - Math.floor(position));
}

/** One round of a candidate: does the work and returns its figure, for instance milliseconds or records a second. */
export type Round = () => number | Promise<number>;

export interface Comparison {
  readonly candidate: number;
  readonly baseline: number;
  /** Median of candidate/baseline within each pair: what drifts in the machine drifts for both. */
  readonly ratio: number;
}

/** Runs both in turn, first the one, then the other first, after one round of each that is not counted. */
export async function compareInterleaved(candidate: Round, baseline: Round, rounds = 9): Promise<Comparison> {
  await candidate();
  await baseline();
  const pairs: (readonly [candidate: number, baseline: number])[] = [];
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) {
      const first = await candidate();
      pairs.push([first, await baseline()]);
    } else {
      const first = await baseline();
      pairs.push([await candidate(), first]);
    }
  }
  return {
    candidate: median(pairs.map(([value]) => value)),
    baseline: median(pairs.map(([, value]) => value)),
    ratio: median(pairs.map(([value, other]) => value / other)),
  };
}

/** The median of several rounds, after one that is not counted. */
export async function medianOf(round: Round, rounds = 9): Promise<number> {
  await round();
  const values: number[] = [];
  for (let nth = 0; nth < rounds; nth++) values.push(await round());
  return median(values);
}

/** Milliseconds that the work took. */
export async function timed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
