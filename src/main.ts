// Start, wire, stop. This file gives the command line its process: streams, clock, randomness, files and signals. What
// each command does is in `cli/`, one file per command; how a server is put together is in `cli/up.ts`.
//
// Stopping: the first SIGINT or SIGTERM asks the command to finish what it has begun (`up` drains, `send` sees its request
// through); the second ends the process at once. Both are safe at any moment: what has been acknowledged is on the disk.

import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import { join, relative } from 'node:path';
import description from '../package.json' with { type: 'json' };
import { runCommandLine } from './cli/command-line.ts';
import type { Invocation } from './cli/invocation.ts';
import { Terminal, wantsColours } from './cli/terminal.ts';
import { FileDisk } from './disk/file-disk.ts';
import { inspectPath } from './disk/path-facts.ts';

// Files that only their owner may read, whatever the shell's mask is: some are made by libraries that do not ask.
process.umask(0o077);

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (interruption.signal.aborted) process.exit(128 + constants.signals[signal]);
    interruption.abort();
  });
}

const invocation: Invocation = {
  environment: process.env,
  workingDirectory: process.cwd(),
  input: process.stdin,
  out: terminalOf(process.stdout),
  err: terminalOf(process.stderr),
  disk: new FileDisk(),
  inspectPath,
  now: Date.now,
  randomBytes,
  sleep,
  interrupted: interruption.signal,
  version: description.version,
  program: programName(),
  processId: process.pid,
  processExists,
  exitCode: 0,
};

// Not process.exit: what has been printed must reach a pipe first. Nothing that a command opened outlives it.
process.exitCode = await runCommandLine(process.argv.slice(2), invocation);
process.stdin.destroy();

function terminalOf(stream: NodeJS.WriteStream): Terminal {
  const isTerminal = stream.isTTY === true;
  return new Terminal(stream, {
    isTerminal,
    colours: wantsColours(isTerminal, process.env),
    columns: () => stream.columns ?? 100,
  });
}

/** How to call this program again: installed by a package manager it is on the path, in a checkout it is not. */
function programName(): string {
  const executable = join(import.meta.dirname, '../bin/portledger');
  if (executable.includes('/node_modules/')) return 'portledger';
  const nearby = relative(process.cwd(), executable);
  return nearby.startsWith('..') ? executable : nearby;
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (signal?.aborted) done();
    else signal?.addEventListener('abort', done, { once: true });
  });
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It exists and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
