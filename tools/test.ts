// npm test [suite…]
//
// Types, lint, unit tests, then the suites below test/ that exist. Everything is shown as it happens; the last line is
// `N passed, N failed`, with `, N skipped` where there are any, summed over all suites (types and lint count as one each).
// The exit code is 1 where anything failed.
//
// Some tests need a program that may not be installed (a peer: OpenSSL, curl, a browser) and skip themselves without it.
// With CI=true a skipped test of that kind is a failure, so that a machine without its peers cannot pass by accident; tests
// see PORTLEDGER_REQUIRE_PEERS=1.
//
// TEST_TIMEOUT_MINUTES (20): how long one test may take. Test suites read further variables: see nightly.ts.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const ROOT = join(import.meta.dirname, '..');

const SUITES: Readonly<Record<string, () => Promise<Counts>>> = {
  types: () => runProgram('tsc', '--noEmit'),
  lint: () => runProgram('biome', 'check', '--error-on-warnings', '.'),
  unit: () => runTests('unit', ['tools/**/*.test.ts', 'bench/**/*.test.ts', 'src/**/*.test.ts']),
  vectors: () => runTests('vectors', ['test/vectors/**/*.test.ts']),
  sim: () => runTests('sim', ['test/sim/**/*.test.ts']),
  mutation: () => runTests('mutation', ['test/mutation/**/*.test.ts']),
  peers: () => runTests('peers', ['test/peers/**/*.test.ts']),
  browser: () => runTests('browser', ['test/browser/**/*.test.ts']),
};

/** Where a skipped test always means a missing peer. */
const SUITES_OF_PEERS: readonly string[] = ['peers', 'browser'];
/** Elsewhere the reason says so. */
const MISSING_PEER = /missing|not installed|not found|there is no|no such/i;

const peersAreRequired = process.env.CI === 'true' || process.env.PORTLEDGER_REQUIRE_PEERS === '1';
if (peersAreRequired) process.env.PORTLEDGER_REQUIRE_PEERS = '1';
const timeoutMs = Number(process.env.TEST_TIMEOUT_MINUTES ?? 20) * 60_000;

process.chdir(ROOT);
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in SUITES));
if (unknown.length > 0) {
  console.error(
    `Cannot run suite "${unknown[0]}": there is none of that name, expected ${Object.keys(SUITES).join(', ')}.`,
  );
  process.exit(2);
}
const total = { passed: 0, failed: 0, skipped: 0 };
for (const [name, suite] of Object.entries(SUITES)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const { passed, failed, skipped } = await suite();
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
}
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed > 0 ? 1 : 0;

async function runProgram(name: string, ...options: readonly string[]): Promise<Counts> {
  console.log(`\n── ${[name, ...options].join(' ')}`);
  const child = spawn(join(ROOT, 'node_modules/.bin', name), options, { stdio: 'inherit' });
  const isFine = await once(child, 'exit').then(
    ([code]) => code === 0,
    (error: Error) => {
      console.error(`Cannot run ${name}: ${error.message}, expected it to be installed. Run "npm ci".`);
      return false;
    },
  );
  return { passed: isFine ? 1 : 0, failed: isFine ? 0 : 1, skipped: 0 };
}

async function runTests(suite: string, patterns: readonly string[]): Promise<Counts> {
  const files = patterns.flatMap((pattern) => globSync(pattern)).sort();
  // The later suites come with the parts that they test.
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  console.log(`\n── ${suite}: ${files.length} files`);
  const tests = run({ files, concurrency: availableParallelism(), timeout: timeoutMs });
  let counts: Counts | undefined;
  const missing: string[] = [];
  tests.on('test:summary', ({ file, success, counts: { tests, passed, skipped, todo } }) => {
    // There is one for each file, and one without a file for all of them.
    if (file !== undefined) return;
    const failed = tests - passed - skipped - todo;
    // What fails outside of any test (a hook of a suite) is not among the tests.
    counts = { passed, failed: success ? failed : Math.max(failed, 1), skipped: skipped + todo };
  });
  tests.on('test:pass', ({ name, skip, file }) => {
    if (skip === undefined || skip === false) return;
    if (SUITES_OF_PEERS.includes(suite) || MISSING_PEER.test(String(skip))) {
      missing.push(`${name} (${file}): ${skip === true ? 'no reason given' : skip}`);
    }
  });
  const report = tests.compose(spec);
  report.pipe(process.stdout, { end: false });
  await finished(report);
  if (counts === undefined) throw new Error(`Cannot count suite "${suite}": it ended without a summary.`);
  if (!peersAreRequired || missing.length === 0) return counts;
  console.log(`\nSkipped for want of a peer, which fails where peers are required:\n${missing.join('\n')}`);
  return {
    passed: counts.passed,
    failed: counts.failed + missing.length,
    skipped: counts.skipped - missing.length,
  };
}
