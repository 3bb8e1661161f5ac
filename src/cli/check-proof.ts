// `portledger check-proof`: without installation, server or network. Everything that decides is in merkle/proof-file.ts.

import type { Command } from 'commander';
import { isProblem } from '../bytes/problem.ts';
import { type ProvenEntry, verifyProofFile } from '../merkle/proof-file.ts';
import { examples } from './command-line.ts';
import { readNamedFile } from './files.ts';
import type { ExitCode, Invocation } from './invocation.ts';
import { printable } from './terminal.ts';
import { readVerifierKey } from './verifier-key-option.ts';

interface CheckProofOptions {
  readonly key: string;
  readonly json?: boolean;
}

export function define(command: Command, invocation: Invocation): void {
  command
    .description(
      'Check that the record in a proof file is an entry of the log that a key belongs to. Needs the file and the key, ' +
        'and nothing else. Get the key from somebody you trust, not from whoever gave you the file.',
    )
    .argument('<file>', 'proof file (C2SP tlog-proof)')
    .requiredOption('--key <vkey|file>', "the log's verifier key, or a file with it (ledgers/<name>/key.pub)")
    .option('--json', 'print the result as JSON')
    .addHelpText('after', examples('portledger check-proof 4711.tlog-proof --key key.pub'))
    .action(async (file: string, options: CheckProofOptions) => {
      invocation.exitCode = await checkProof(file, options, invocation);
    });
}

export async function checkProof(
  file: string,
  options: CheckProofOptions,
  invocation: Invocation,
): Promise<ExitCode> {
  const { out } = invocation;
  const key = readVerifierKey(options.key, invocation);
  const result = verifyProofFile(readNamedFile(invocation, file, 'proof file'), key);
  if (isProblem(result)) {
    await out.line(
      options.json
        ? JSON.stringify({ ok: false, problem: result.problem })
        : `${out.colour('red', 'Not proven')}: ${printable(result.problem)}.`,
    );
    return 1;
  }
  const content = parseContent(result);
  if (options.json) {
    const { origin, index, size, kind } = result;
    await out.line(JSON.stringify({ ok: true, origin, index, size, kind, content }));
    return 0;
  }
  await out.line(
    `${out.colour('green', 'Proven')}: this ${NOUNS[result.kind]} is in the log that the key belongs to.`,
  );
  await out.line(`  origin  ${printable(result.origin)}`);
  await out.line(`  index   ${result.index}`);
  await out.line(`  size    ${result.size} entries under the signed checkpoint`);
  await out.line();
  for (const line of JSON.stringify(content, undefined, 2).split('\n')) await out.line(printable(line));
  return 0;
}

const NOUNS = { record: 'record', quarantined: 'quarantined item', control: 'control entry' } as const;

/** All three kinds are JSON. What is not is shown as text: it is proven as it stands. */
function parseContent({ bytes }: ProvenEntry): unknown {
  const text = Buffer.from(bytes).toString('utf8');
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
