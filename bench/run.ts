// npm run bench [name…]
//
// Runs the benchmarks in bench/*.bench.ts whose `<file>: <name>` contains one of the names (all of them without names), each
// in a process of its own, prints a table, and appends one line for each figure to bench/history.jsonl:
//
//   {"date","bench","figure","unit","better","target","met","details","commit","dirty","machine":{"cpu","cores","node"}}
//
// The exit code is 1 where a benchmark did not run. A missed target is shown and is no failure: it may be the machine.

import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type Bench, type Figure, meetsTarget, type NamedFigure } from './harness.ts';

/** How this program tells itself, in a process of its own, to run one benchmark. */
const RUN_ONE = '--run-one';
const HISTORY = join(import.meta.dirname, 'history.jsonl');

interface Entry {
  readonly file: string;
  readonly bench: Bench;
  readonly title: string;
}

const [first, ...rest] = process.argv.slice(2);
if (first === RUN_ONE) {
  await runOne(rest[0] as string, rest[1] as string);
} else {
  process.env.BENCH_DIRECTORY = mkdtempSync(join(tmpdir(), 'portledger-bench-'));
  try {
    process.exitCode = await runAll(process.argv.slice(2));
  } finally {
    rmSync(process.env.BENCH_DIRECTORY, { recursive: true, force: true });
  }
}

async function runAll(names: readonly string[]): Promise<number> {
  const entries = (await findBenches()).filter(
    ({ title }) => names.length === 0 || names.some((name) => title.includes(name)),
  );
  if (entries.length === 0) {
    console.error(
      `Cannot run benchmarks: none matches ${names.join(', ') || 'bench/*.bench.ts'}, expected one at least.`,
    );
    return 1;
  }
  const rows: (readonly string[])[] = [['bench', 'figure', 'target', 'met']];
  let failures = 0;
  for (const entry of entries) {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${entry.title} …`);
    const figures = await runInItsOwnProcess(entry);
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    if (figures.length === 0) {
      failures++;
      rows.push([entry.title, 'failed', '', 'no']);
    }
    for (const { name, ...figure } of figures) {
      const title = name === '' ? entry.title : `${entry.title}: ${name}`;
      rows.push(rowOf(title, figure));
      remember(title, figure);
    }
  }
  console.log(tableOf(rows));
  return failures > 0 ? 1 : 0;
}

async function findBenches(): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const file of globSync('*.bench.ts', { cwd: import.meta.dirname }).sort()) {
    const { benches } = (await import(join(import.meta.dirname, file))) as { benches?: readonly Bench[] };
    if (benches === undefined)
      throw new Error(`Cannot run bench/${file}: it exports no "benches", expected a list.`);
    const subject = basename(file, '.bench.ts');
    for (const bench of benches) entries.push({ file, bench, title: `${subject}: ${bench.name}` });
  }
  return entries;
}

async function runInItsOwnProcess({ file, bench, title }: Entry): Promise<readonly NamedFigure[]> {
  const child = fork(import.meta.filename, [RUN_ONE, file, bench.name], { execArgv: ['--expose-gc'] });
  let figures: readonly NamedFigure[] = [];
  child.on('message', (message) => {
    figures = message as readonly NamedFigure[];
  });
  const [code, signal] = await once(child, 'close');
  if (code === 0 && figures.length > 0) return figures;
  console.error(
    `Cannot run benchmark "${title}": its process ended with ${signal ?? `code ${code}`}, expected a figure.`,
  );
  return [];
}

async function runOne(file: string, name: string): Promise<void> {
  const { benches } = (await import(join(import.meta.dirname, file))) as { benches: readonly Bench[] };
  const bench = benches.find((candidate) => candidate.name === name);
  if (bench === undefined)
    throw new Error(`Cannot run benchmark "${name}": bench/${file} has none of that name.`);
  const result = await bench.run();
  const figures: readonly NamedFigure[] = 'figure' in result ? [{ name: '', ...result }] : result;
  // Whatever the benchmark has left open ends with its process.
  process.send?.(figures, () => process.exit(0));
}

function remember(title: string, figure: Figure): void {
  const line = {
    date: new Date().toISOString(),
    bench: title,
    ...figure,
    met: meetsTarget(figure),
    ...checkout(),
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      node: process.version,
    },
  };
  appendFileSync(HISTORY, `${JSON.stringify(line)}\n`);
}

/** Which code was measured; `dirty` where it was not what was committed. The history itself does not count. */
function checkout(): { commit?: string; dirty?: boolean } {
  const git = (...options: readonly string[]): string =>
    execFileSync('git', options, {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  try {
    const commit = git('rev-parse', 'HEAD').trim();
    const changed = git('status', '--porcelain', '--', ':/', ':(exclude,top)bench/history.jsonl');
    return { commit, dirty: changed !== '' };
  } catch {
    // An unpacked archive has no commit.
    return {};
  }
}

function rowOf(title: string, figure: Figure): readonly string[] {
  const met = meetsTarget(figure);
  const sign = figure.better === 'higher' ? '≥' : '≤';
  return [
    title,
    `${inWords(figure.figure)} ${figure.unit}`,
    figure.target === undefined ? '' : `${sign} ${inWords(figure.target)}`,
    met === undefined ? '' : met ? 'yes' : 'no',
  ];
}

/** Four digits tell all that a benchmark knows. */
function inWords(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 4 });
}

function tableOf(rows: readonly (readonly string[])[]): string {
  const widths =
    rows[0]?.map((_, column) => Math.max(...rows.map((row) => [...(row[column] ?? '')].length))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
