// From words to a command. Only the module of the command that was asked for is loaded, which keeps the start fast; the
// others appear in the help by their summary.

import { Command, CommanderError } from 'commander';
import { CommandError, messageOf } from './command-error.ts';
import type { ExitCode, Invocation } from './invocation.ts';
import { asTyped } from './program-name.ts';

/** What each file of a command exports: it adds description, arguments, options, examples and the action. */
export interface CommandModule {
  define(command: Command, invocation: Invocation): void;
}

interface CommandEntry {
  readonly summary: string;
  load(): Promise<CommandModule>;
}

/** In the order of the help. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  up: { summary: 'run the server: ledgers, API, keys, in one process', load: () => import('./up.ts') },
  send: { summary: 'send records to a server', load: () => import('./send.ts') },
  search: { summary: 'find records', load: () => import('./search.ts') },
  tail: { summary: 'follow records as they arrive', load: () => import('./tail.ts') },
  verify: {
    summary: 'check every stored byte against the signed checkpoints',
    load: () => import('./verify.ts'),
  },
  prove: { summary: 'write a proof file for one record', load: () => import('./prove.ts') },
  'check-proof': {
    summary: 'check a proof file, without server or network',
    load: () => import('./check-proof.ts'),
  },
  keys: { summary: 'rotate the root key', load: () => import('./keys.ts') },
  token: { summary: 'create, list and revoke access tokens', load: () => import('./token.ts') },
  doctor: {
    summary: 'what is wrong with this installation, and the fix',
    load: () => import('./doctor.ts'),
  },
};

export async function runCommandLine(words: readonly string[], invocation: Invocation): Promise<ExitCode> {
  try {
    const program = await buildProgram(words, invocation);
    await program.parseAsync([...words], { from: 'user' });
    return invocation.exitCode;
  } catch (error) {
    invocation.err.clearProgress();
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    await invocation.err.line(asTyped(describeFailure(error), invocation));
    return 2;
  }
}

async function buildProgram(words: readonly string[], invocation: Invocation): Promise<Command> {
  const program = new Command('portledger')
    .description(
      'Audit-ready access logs for internal ports: sealed in a verifiable ledger, searched and proved.',
    )
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void invocation.out.write(asTyped(text, invocation)),
      writeErr: (text) => void invocation.err.write(asTyped(text, invocation)),
      outputError: (text, write) => write(text.replace(/^error: /, 'portledger: Cannot run: ')),
      getOutHelpWidth: () => helpWidth(invocation.out.columns),
      getErrHelpWidth: () => helpWidth(invocation.err.columns),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    // Wrapped between words even where the names of the options leave little room.
    .configureHelp({ minWidthToWrap: 20 })
    .showHelpAfterError("Run 'portledger --help', or 'portledger COMMAND --help', to see what there is.")
    .version(invocation.version, '--version', 'print the version')
    .helpOption('-h, --help', 'explain the command, with an example')
    .addHelpText(
      'after',
      '\nExit codes: 0 fine, 1 the check found something,\n2 wrong usage or the command could not do its work.\n' +
        examples('portledger up', 'portledger send access.ndjson', "portledger search 'port:8443 since:24h'"),
    );
  // The first word that is no option names the command; `help NAME` explains it. Options of the program take no value.
  const operands = words.filter((word) => !word.startsWith('-'));
  const [first, topic] = operands;
  if (first === 'help' && topic !== undefined && topic !== 'help' && !Object.hasOwn(COMMANDS, topic)) {
    throw new CommandError(
      `Cannot explain "${topic}": there is no such command, expected one of ${Object.keys(COMMANDS).join(', ')}.`,
    );
  }
  const wanted = first === 'help' ? topic : first;
  for (const [name, entry] of Object.entries(COMMANDS)) {
    const command = program.command(name).summary(entry.summary).description(entry.summary);
    if (name === wanted) (await entry.load()).define(command, invocation);
  }
  // Without a command that is the help, and wrong usage: a script that lost its argument must not look successful.
  return program;
}

/** The last part of a command's help. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}\n`;
}

/** One line for what operators can act on; the stack as well for a defect of ours. */
function describeFailure(error: unknown): string {
  const message = messageOf(error);
  if (message.startsWith('Cannot ')) return `portledger: ${message}`;
  if (error instanceof CommandError) return `portledger: ${message}`;
  const stack = error instanceof Error ? (error.stack ?? message) : message;
  return `portledger: Cannot go on: unexpected error. Please report it with these lines:\n${stack}`;
}

function helpWidth(columns: number): number {
  return Math.max(60, Math.min(columns, 110));
}
