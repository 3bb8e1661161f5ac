// `portledger keys rotate`: a new root key, and every live epoch key wrapped by it instead of the old one. Records are not
// encrypted again: their epoch keys stay. Through the API where a server runs, otherwise directly under the lock of the
// data directory.

import type { Command } from 'commander';
import { CommandError } from './command-error.ts';
import { examples } from './command-line.ts';
import { resolveDirectories } from './directories.ts';
import { readPassphrase } from './files.ts';
import type { ExitCode, Invocation } from './invocation.ts';
import { rotateRootDirectly } from './open-ledgers.ts';
import { ROUTES } from './routes.ts';
import { addServerOptions, findServer, runningServer, type ServerOptions } from './server-address.ts';
import { ServerClient } from './server-client.ts';

interface RotateOptions extends ServerOptions {
  readonly passphraseFile?: string;
  readonly newPassphraseFile?: string;
  readonly json?: boolean;
}

interface Rotated {
  readonly root: string;
  readonly rewrapped: number;
}

export function define(command: Command, invocation: Invocation): void {
  command
    .description('The root key, which wraps the keys that records are encrypted with.')
    .addHelpText('after', examples('portledger keys rotate --new-passphrase-file new.txt'));
  addServerOptions(
    command
      .command('rotate')
      .description(
        'Make a new root key and wrap every live epoch key with it. Backups of the old root key stay able to open old ' +
          'copies of the wrapped keys: destroy them too.',
      )
      .option('--passphrase-file <file>', 'the present passphrase, where there is one')
      .option(
        '--new-passphrase-file <file>',
        'protect the new root key with this passphrase; only while no server runs (default: a key file)',
      ),
  )
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      examples('portledger keys rotate --passphrase-file old.txt --new-passphrase-file new.txt'),
    )
    .action(async (options: RotateOptions) => {
      invocation.exitCode = await rotate(options, invocation);
    });
}

async function rotate(options: RotateOptions, invocation: Invocation): Promise<ExitCode> {
  const passphrase = options.passphraseFile && readPassphrase(invocation, options.passphraseFile);
  const newPassphrase = options.newPassphraseFile && readPassphrase(invocation, options.newPassphraseFile);
  if (passphrase !== undefined && newPassphrase === undefined) {
    throw new CommandError(
      'Cannot rotate: --passphrase-file without --new-passphrase-file would leave the new root key unprotected. Give both.',
    );
  }
  const rotated = mustAskServer(options, invocation)
    ? await rotateAtServer(newPassphrase, options, invocation)
    : await rotateRootDirectly(
        resolveDirectories(options, invocation),
        { passphrase, newPassphrase },
        invocation,
      );
  if (options.json) await invocation.out.line(JSON.stringify(rotated));
  else {
    const noun = rotated.rewrapped === 1 ? 'epoch key is' : 'epoch keys are';
    await invocation.out.line(`New root key ${rotated.root}: ${rotated.rewrapped} ${noun} wrapped by it.`);
    if (newPassphrase !== undefined) {
      await invocation.out.line(
        'From the next start on the server needs the new passphrase (up --passphrase-file).',
      );
    }
  }
  return 0;
}

function mustAskServer(options: ServerOptions, invocation: Invocation): boolean {
  if (options.server !== undefined) return true;
  const named = options.data !== undefined || options.state !== undefined;
  if (!named && invocation.environment.PORTLEDGER_SERVER) return true;
  return runningServer(resolveDirectories(options, invocation), invocation) !== undefined;
}

/** A passphrase does not travel: what the server is to start with next is set where it is, while it is stopped. */
async function rotateAtServer(
  newPassphrase: string | undefined,
  options: ServerOptions,
  invocation: Invocation,
): Promise<Rotated> {
  if (newPassphrase !== undefined) {
    throw new CommandError(
      'Cannot set a passphrase while the server runs: expected it to be stopped. Stop it, run this on its host, and start it with --passphrase-file.',
    );
  }
  using client = new ServerClient(findServer(options, invocation));
  const answer = (await client.json({ method: 'POST', path: ROUTES.rotateKeys })) as {
    readonly rotated: Rotated;
  };
  return answer.rotated;
}
