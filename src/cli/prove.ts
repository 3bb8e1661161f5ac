// `portledger prove`: one record with everything that somebody else needs to check it, in a file of a public format
// (C2SP tlog-proof). The record is inside, unmasked: the file is as confidential as the record.

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { CommandError } from './command-error.ts';
import { examples } from './command-line.ts';
import { shellWord } from './directories.ts';
import { makeNewFile } from './files.ts';
import type { ExitCode, Invocation } from './invocation.ts';
import { parseIndex } from './option-values.ts';
import { asTyped } from './program-name.ts';
import { ROUTES } from './routes.ts';
import { type DirectOptions, isDirect, openReader } from './search.ts';
import { addServerOptions, findServerToRead } from './server-address.ts';
import { ServerClient } from './server-client.ts';

export interface ProveOptions extends DirectOptions {
  readonly ledger: string;
  readonly output: string;
  readonly json?: boolean;
}

export function define(command: Command, invocation: Invocation): void {
  addServerOptions(
    command
      .description(
        'Write a proof file for one record: the record, its secret salt, and the path to a signed checkpoint. ' +
          "It can be checked without this installation ('portledger check-proof') and by other tlog-proof tools. " +
          'The record is in it unmasked.',
      )
      .argument('<index>', 'the index that search shows', parseIndex)
      .requiredOption('-o, --output <file>', 'the new file; - is standard output')
      .option('--ledger <name>', 'the ledger of the index', 'access'),
  )
    .option('--passphrase-file <file>', 'passphrase of the root key, to read without a server')
    .option('--json', 'print what was written as JSON')
    .addHelpText('after', examples('portledger prove 4711 -o 4711.tlog-proof'))
    .action(async (index: number, options: ProveOptions) => {
      invocation.exitCode = await prove(index, options, invocation);
    });
}

export async function prove(index: number, options: ProveOptions, invocation: Invocation): Promise<ExitCode> {
  const toOutput = options.output === '-';
  if (toOutput && options.json) {
    throw new CommandError('Cannot write proof and JSON to standard output: expected -o FILE with --json.');
  }
  const target = toOutput ? undefined : makeNewFile(invocation, options.output, 'proof file');
  let proof: Uint8Array;
  try {
    proof = isDirect(options, invocation)
      ? await proveDirectly(index, options, invocation)
      : await proveAtServer(index, options, invocation);
  } catch (error) {
    target?.discard();
    throw error;
  }
  if (target === undefined) {
    await invocation.out.write(proof);
    return 0;
  }
  target.write(proof);
  const file = resolve(invocation.workingDirectory, options.output);
  if (options.json) {
    await invocation.out.line(JSON.stringify({ ledger: options.ledger, index, file, bytes: proof.length }));
  } else {
    await invocation.out.line(
      `Wrote the proof of ${options.ledger} ${index} to ${options.output}. Check it anywhere with the log's key:`,
    );
    const command = `portledger check-proof ${shellWord(options.output)} --key key.pub`;
    await invocation.out.line(asTyped(`  ${command}`, invocation));
  }
  return 0;
}

async function proveAtServer(
  index: number,
  options: ProveOptions,
  invocation: Invocation,
): Promise<Uint8Array> {
  using client = new ServerClient(findServerToRead(options, invocation));
  return await client.bytes({ path: ROUTES.proof(options.ledger, index), signal: invocation.interrupted });
}

async function proveDirectly(
  index: number,
  options: ProveOptions,
  invocation: Invocation,
): Promise<Uint8Array> {
  await using reader = await openReader(options, invocation);
  return await reader.prove(options.ledger, index);
}
