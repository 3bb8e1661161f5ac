// `portledger up`: everything in one process. Configuration, then the installation (installation.ts), then the ready files,
// then three lines for the person at the terminal, then waiting for a signal.

import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { CommandError } from './command-error.ts';
import { examples } from './command-line.ts';
import { type Config, parseConfig } from './config.ts';
import { type Directories, resolveDirectories } from './directories.ts';
import { readPassphrase, readTextFile } from './files.ts';
import type { RunningInstallation, StartInstallation } from './installation.ts';
import type { ExitCode, Invocation } from './invocation.ts';
import { type ListenAddress, parseListenAddress, parseListenOption } from './option-values.ts';
import { asTyped } from './program-name.ts';
import { formatReadyFile, type ReadyFile } from './ready-file.ts';
import { serverFile } from './state-files.ts';

const LISTEN_DEFAULT = '127.0.0.1:8420';

export interface UpOptions {
  readonly config?: string;
  readonly data?: string;
  readonly state?: string;
  readonly listen?: ListenAddress;
  readonly autoPorts?: boolean;
  readonly readyFile?: string;
  readonly passphraseFile?: string;
  readonly json?: boolean;
}

export function define(command: Command, invocation: Invocation): void {
  command
    .description(
      'Run the server: everything in one process, on loopback unless told otherwise. Needs no configuration. The first ' +
        'start makes keys, certificates and an admin token. Ends with Ctrl-C or SIGTERM, after what is under way; a second ' +
        'signal ends it at once, which loses nothing that was acknowledged.',
    )
    .option('--config <file>', 'YAML configuration (docs/config.schema.json); the command line wins over it')
    .option('--data <dir>', 'data directory (default: $XDG_DATA_HOME/portledger)')
    .option('--state <dir>', 'state directory (default: below $XDG_STATE_HOME/portledger)')
    .option('--listen <host:port>', `address of the API (default: ${LISTEN_DEFAULT})`, parseListenOption)
    .option('--auto-ports', 'where the port is taken, use the next free one')
    .option('--ready-file <file>', 'write addresses, CA file and token file here once every door is open')
    .option('--passphrase-file <file>', 'file whose first line is the passphrase of the root key')
    .option('--json', 'print the content of the ready file instead of text')
    .addHelpText(
      'after',
      examples(
        'portledger up',
        'portledger up --data ./try --listen 127.0.0.1:0 --ready-file ready.json',
        'portledger up --config /etc/portledger.yaml',
      ),
    )
    .action(async (options: UpOptions) => {
      invocation.exitCode = await up(options, invocation);
    });
}

export async function up(
  options: UpOptions,
  invocation: Invocation,
  start: StartInstallation = startHere,
): Promise<ExitCode> {
  const config = readConfig(options, invocation);
  const directories = resolveDirectories(
    { data: options.data ?? config.data, state: options.state ?? config.state },
    invocation,
  );
  const passphraseFile = options.passphraseFile ?? config.passphraseFile;
  const readyFile = options.readyFile ?? config.readyFile;
  const readyFiles = [serverFile(directories)];
  if (readyFile !== undefined) readyFiles.push(readyFilePath(readyFile, invocation));
  const removeReadyFiles = (): void => {
    for (const path of readyFiles) invocation.disk.remove(path);
  };

  const installation = await start(
    {
      directories,
      listen: options.listen ?? parseListenAddress(config.listen ?? LISTEN_DEFAULT)!,
      autoPorts: options.autoPorts ?? config.autoPorts ?? false,
      passphrase: passphraseFile === undefined ? undefined : readPassphrase(invocation, passphraseFile),
      // What a killed process left behind must not look like this one being ready. Not before the lock is held: until
      // then they may belong to a server that runs.
      onLocked: removeReadyFiles,
    },
    invocation,
  );
  try {
    const ready: ReadyFile = {
      api: installation.api,
      caFile: installation.caFile,
      tokenFile: installation.tokenFile,
      data: directories.data,
      state: directories.state,
      pid: invocation.processId,
      version: invocation.version,
    };
    for (const path of readyFiles) invocation.disk.replaceFile(path, formatReadyFile(ready));
    await greet(installation, directories, options, ready, invocation);
    await aborted(invocation.interrupted);
    if (!options.json)
      await invocation.err.line('Stopping: finishing what is under way (again to stop at once).');
  } finally {
    // Before the drain: nobody should come to a server that is leaving.
    removeReadyFiles();
    await installation.stop();
  }
  if (!options.json) await invocation.err.line('Stopped.');
  return 0;
}

/** Loaded when it is needed: help and mistakes in the configuration should not wait for a web server. */
const startHere: StartInstallation = async (options, invocation) => {
  const { startInstallation } = await import('./installation.ts');
  return await startInstallation(options, invocation);
};

function readConfig(options: UpOptions, invocation: Invocation): Config {
  if (options.config === undefined) return {};
  const file = resolve(invocation.workingDirectory, options.config);
  return parseConfig(readTextFile(invocation, options.config, 'configuration'), file);
}

/** Written by renaming another file to it: a device such as /dev/stdout would be replaced by a file. */
function readyFilePath(path: string, invocation: Invocation): string {
  const absolute = resolve(invocation.workingDirectory, path);
  if (/^\/(dev|proc|sys)\//.test(absolute)) {
    throw new CommandError(
      `Cannot write the ready file to "${path}": it is no regular file, expected a path for a new one. Use --json for standard output.`,
    );
  }
  invocation.disk.makeDirectory(dirname(absolute));
  return absolute;
}

async function greet(
  installation: RunningInstallation,
  directories: Directories,
  options: UpOptions,
  ready: ReadyFile,
  invocation: Invocation,
): Promise<void> {
  const { out, err } = invocation;
  for (const notice of installation.notices) await err.line(notice);
  if (options.json) {
    await out.line(JSON.stringify(ready));
    return;
  }
  const rest = directories.arguments === '' ? '' : ` ${directories.arguments}`;
  const entries = installation.ledgers.map(({ name, size }) => `${name} ${size}`).join(', ');
  const time = new Date(invocation.now()).toISOString();
  const record = `{"timestamp":"${time}","user":"alice","src_port":"50122","dest_port":"8443","action":"login"}`;
  await out.line(
    `${out.colour('green', 'Portledger is running')} at ${ready.api}; data in ${directories.data}, state in ${directories.state}; entries: ${entries}`,
  );
  await out.line(asTyped(`Send:   echo '${record}' | portledger send -${rest}`, invocation));
  await out.line(
    asTyped(`Check:  portledger search port:8443${rest} && portledger verify${rest}`, invocation),
  );
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
