// `portledger verify`: what is checked, and against what, is in `verify/`; here it is asked for and said in words.

import type { Command } from 'commander';
import type { LedgerReport, Problem, VerifyReport } from '../verify/report.ts';
import { examples } from './command-line.ts';
import type { ExitCode, Invocation } from './invocation.ts';
import { collect } from './option-values.ts';
import { printable, type Terminal } from './terminal.ts';
import { verifyTarget } from './verify-target.ts';

/** More than this on a terminal nobody reads; --json has all that were found. */
const SHOWN_PROBLEMS_MAX = 50;

export interface VerifyOptions {
  readonly data?: string;
  readonly state?: string;
  readonly key?: readonly string[];
  readonly since?: string;
  readonly index?: boolean;
  readonly ca?: string;
  readonly passphraseFile?: string;
  readonly json?: boolean;
}

export function define(command: Command, invocation: Invocation): void {
  command
    .description(
      'Check every stored byte: signatures, tree, content, and, with the keys of the installation, the records. Without an ' +
        'argument the data directory; also a copy of one, or the published half of a log behind an address. Safe on a ' +
        'running server. Exit code 1 for problems, and where the result is inconclusive.',
    )
    .argument('[dir|url]', 'what to check (default: the data directory)')
    .option('--key <vkey|file>', "trust this log's verifier key; for each ledger one", collect)
    .option('--since <file>', 'a checkpoint that was kept elsewhere: the log must still contain it')
    .option('--index', 'also rebuild the search index and compare')
    .option('--data <dir>', 'data directory')
    .option(
      '--state <dir>',
      'state directory: its anchors are the remembered checkpoints, its root key opens the records',
    )
    .option('--passphrase-file <file>', 'passphrase of the root key, to check the records too')
    .option('--ca <file>', 'PEM file of the CA of the address')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      examples(
        'portledger verify',
        'portledger verify /mnt/copy --key access.pub --since checkpoint-2026-10',
        'portledger verify https://127.0.0.1:8420 --ca ca.pem --key access.pub',
      ),
    )
    .action(async (target: string | undefined, options: VerifyOptions) => {
      invocation.exitCode = await verify(target, options, invocation);
    });
}

export async function verify(
  target: string | undefined,
  options: VerifyOptions,
  invocation: Invocation,
): Promise<ExitCode> {
  const report = await verifyTarget(target, options, invocation);
  invocation.err.clearProgress();
  if (options.json) await invocation.out.line(JSON.stringify(report));
  else await printReport(report, invocation.out);
  return report.ok ? 0 : 1;
}

export async function printReport(report: VerifyReport, out: Terminal): Promise<void> {
  for (const ledger of report.ledgers) await printLedger(ledger, out);
  await printProblems(report.problems, out);
  for (const note of report.notes) await out.line(`  note: ${printable(note)}`);
  switch (report.verdict) {
    case 'ok':
      await out.line(`${out.colour('green', 'OK')}: everything that was checked is what was signed.`);
      break;
    case 'problems':
      await out.line(`${out.colour('red', 'PROBLEMS')}: what is stored is not what was signed, see above.`);
      break;
    case 'inconclusive':
      await out.line(
        `${out.colour('yellow', 'INCONCLUSIVE')}: no problem was found, but everything that was checked comes from the ` +
          'same place, and somebody who replaced all of it would look the same.',
      );
      await out.line(
        'Give something from elsewhere: --key with the verifier key that you were handed, --since with a checkpoint that ' +
          'you kept, or --state with the anchors of this installation.',
      );
      break;
    default: {
      const never: never = report.verdict;
      return never;
    }
  }
}

async function printLedger(ledger: LedgerReport, out: Terminal): Promise<void> {
  const colour = ({ ok: 'green', problems: 'red', inconclusive: 'yellow' } as const)[ledger.verdict];
  await out.line(`${out.colour('bold', printable(ledger.name))}  ${out.colour(colour, ledger.verdict)}`);
  await out.line(`  size ${ledger.size}, root ${printable(ledger.root)}`);
  const { entries, frames, decrypted, contentBytes } = ledger.checked;
  await out.line(
    `  checked ${entries} entries, ${frames} frames (${contentBytes} bytes), ${decrypted} records decrypted`,
  );
  await printProblems(ledger.problems, out);
  for (const note of ledger.notes) await out.line(`  note: ${printable(note)}`);
}

async function printProblems(problems: readonly Problem[], out: Terminal): Promise<void> {
  for (const { file, from, to, problem } of problems.slice(0, SHOWN_PROBLEMS_MAX)) {
    const place = [file, rangeOf(from, to)].filter((part) => part !== '').join(', ');
    const said = printable(problem);
    await out.line(
      `  ${out.colour('red', 'problem')}: ${place === '' ? said : `${printable(place)}: ${said}`}`,
    );
  }
  const rest = problems.length - SHOWN_PROBLEMS_MAX;
  if (rest > 0) await out.line(`  … and ${rest} more problems (--json lists them)`);
}

/** Entries from `from` up to, and not with, `to`. */
function rangeOf(from: number, to: number): string {
  if (to <= from) return '';
  return to - from === 1 ? `entry ${from}` : `entries ${from}–${to - 1}`;
}
