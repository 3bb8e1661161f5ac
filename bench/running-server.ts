// A server of its own for a benchmark: the real `bin/portledger up` as a child process with temporary directories, and a client
// that sends prepared bodies over kept-alive connections.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const PORTLEDGER = join(import.meta.dirname, '../bin/portledger');

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export class RunningServer {
  readonly directory: string;
  #child: ChildProcess;
  #ready: { readonly api: string; readonly caFile: string; readonly tokenFile: string };
  #agent: Agent;
  #token: string;

  private constructor(directory: string, child: ChildProcess) {
    this.directory = directory;
    this.#child = child;
    this.#ready = JSON.parse(readFileSync(readyFile(directory), 'utf8'));
    this.#token = readFileSync(this.#ready.tokenFile, 'utf8').trim();
    this.#agent = new Agent({ keepAlive: true, ca: readFileSync(this.#ready.caFile) });
  }

  static async start(directory = temporaryDirectory()): Promise<RunningServer> {
    rmSync(readyFile(directory), { force: true });
    const options = ['--data', `${directory}/data`, '--state', `${directory}/state`];
    const child = spawn(
      PORTLEDGER,
      ['up', ...options, '--listen', '127.0.0.1:0', '--ready-file', readyFile(directory)],
      {
        stdio: ['ignore', 'ignore', 'ignore'],
      },
    );
    while (!existsSync(readyFile(directory))) {
      if (child.exitCode !== null) throw new Error(`portledger up has ended with ${child.exitCode}`);
      await sleep(2);
    }
    return new RunningServer(directory, child);
  }

  post(body: Uint8Array): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sending = request(
        `${this.#ready.api}/api/v1/records`,
        {
          method: 'POST',
          agent: this.#agent,
          headers: {
            authorization: `Bearer ${this.#token}`,
            'content-type': 'application/x-ndjson',
            'content-length': body.length,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () =>
            resolve({ status: response.statusCode!, text: Buffer.concat(chunks).toString() }),
          );
          response.on('error', reject);
        },
      );
      sending.on('error', reject);
      sending.end(body);
    });
  }

  /** Sends the body over and over, several requests at a time, until the time is over; returns records accepted a second. */
  async flood(body: Uint8Array, records: number, ms: number, connections = 4): Promise<number> {
    const end = performance.now() + ms;
    const start = performance.now();
    let accepted = 0;
    const send = async (): Promise<void> => {
      while (performance.now() < end) {
        const { status, text } = await this.post(body);
        if (status !== 200) throw new Error(`The server answered ${status}: ${text}`);
        accepted += records;
      }
    };
    await Promise.all(Array.from({ length: connections }, send));
    return (1000 * accepted) / (performance.now() - start);
  }

  /** Highest resident memory so far, bytes. */
  peakMemory(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]);
  }

  diskUse(): number {
    const [kilobytes] = execFileSync('du', ['-sk', `${this.directory}/data`], { encoding: 'utf8' }).split(
      '\t',
    );
    return 1024 * Number(kilobytes);
  }

  async kill(): Promise<void> {
    this.#agent.destroy();
    this.#child.kill('SIGKILL');
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    this.#child.kill('SIGTERM');
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }
}

/** Below one directory that run.ts removes at the end: ext4 without a journal is slow to make files right after others went. */
export function temporaryDirectory(): string {
  return mkdtempSync(join(process.env.BENCH_DIRECTORY ?? tmpdir(), 'portledger-bench-'));
}

function readyFile(directory: string): string {
  return `${directory}/ready.json`;
}
