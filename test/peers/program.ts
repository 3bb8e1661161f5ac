// The real program in directories of its own: commands that run to their end, servers that are started, stopped and killed,
// and a client that speaks HTTPS to them. What is inside the program is not looked at.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PROGRAM = join(import.meta.dirname, '../../bin/portledger');
const PATIENCE_MS = 60_000;

export interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly trailers: NodeJS.Dict<string>;
  readonly text: string;
}

export interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HomeOptions {
  /** Where the directories are, in place of `data` and `state` in a temporary directory. */
  readonly data?: string;
  readonly state?: string;
}

/** One installation on this host. Whatever still runs when it is disposed of is killed, and its directory removed. */
export class Home implements AsyncDisposable {
  readonly path: string;
  readonly data: string;
  readonly state: string;
  readonly #running = new Set<ChildProcess>();

  constructor(name: string, { data, state }: HomeOptions = {}) {
    this.path = mkdtempSync(join(tmpdir(), `portledger-${name}-`));
    this.data = data ?? join(this.path, 'data');
    this.state = state ?? join(this.path, 'state');
  }

  /** `--data … --state …` */
  get here(): string[] {
    return ['--data', this.data, '--state', this.state];
  }

  async run(words: readonly string[], input = ''): Promise<Finished> {
    const { child, finished } = this.#launch(words);
    child.stdin!.on('error', () => {});
    child.stdin!.end(input);
    return await finished;
  }

  /** Runs a command that must end with this code. */
  async expectCode(code: number, words: readonly string[], input = ''): Promise<Finished> {
    const finished = await this.run(words, input);
    assert.equal(finished.code, code, `${words.join(' ')}\n${finished.out}${finished.err}`);
    return finished;
  }

  async json<Shape>(words: readonly string[], code = 0): Promise<Shape> {
    return JSON.parse((await this.expectCode(code, [...words, '--json', ...this.here])).out) as Shape;
  }

  /** Starts a server; `ready` resolves once it answers, and rejects when it ends before. */
  launchServer(): LaunchedServer {
    const readyFile = join(this.path, 'ready.json');
    rmSync(readyFile, { force: true });
    const words = ['up', ...this.here, '--listen', '127.0.0.1:0', '--ready-file', readyFile];
    const { child, finished } = this.#launch(words);
    return new LaunchedServer(child, finished, readyFile);
  }

  async start(): Promise<RunningServer> {
    return await this.launchServer().ready();
  }

  /** `up` must refuse to start: exit code 2, and what it says. */
  async refusal(): Promise<string> {
    const launched = this.launchServer();
    const started = await launched.ready().catch(() => undefined);
    if (started !== undefined) {
      await started.kill();
      throw new Error('up started, expected it to refuse');
    }
    const { code, err } = await launched.kill();
    assert.equal(code, 2, err);
    return err;
  }

  async verify(): Promise<VerifyAnswer> {
    const { out, err } = await this.run(['verify', '--json', ...this.here]);
    assert.notEqual(out, '', err);
    return JSON.parse(out) as VerifyAnswer;
  }

  async expectVerified(): Promise<void> {
    const answer = await this.verify();
    assert.equal(answer.ok, true, JSON.stringify(answer, undefined, 2));
  }

  #launch(words: readonly string[]): { child: ChildProcess; finished: Promise<Finished> } {
    mkdirSync(this.path, { recursive: true });
    const child = spawn(PROGRAM, words, {
      cwd: this.path,
      env: { PATH: process.env.PATH, HOME: this.path },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const printed = { out: '', err: '' };
    child.stdout.on('data', (chunk) => {
      printed.out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      printed.err += chunk;
    });
    this.#running.add(child);
    const finished = once(child, 'close').then(([code]) => {
      this.#running.delete(child);
      return { code: code as number | null, ...printed };
    });
    return { child, finished };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#running) {
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    }
    rmSync(this.path, { recursive: true, force: true });
  }
}

export interface VerifyAnswer {
  readonly ok: boolean;
  readonly verdict: string;
  readonly ledgers: readonly {
    readonly name: string;
    readonly problems: readonly { readonly file: string; readonly problem: string }[];
  }[];
  readonly problems: readonly { readonly file: string; readonly problem: string }[];
}

/** A server that has been started and need not be ready yet. */
export class LaunchedServer {
  readonly #child: ChildProcess;
  readonly #finished: Promise<Finished>;
  readonly #readyFile: string;
  #ended: Finished | undefined;

  constructor(child: ChildProcess, finished: Promise<Finished>, readyFile: string) {
    this.#child = child;
    this.#finished = finished;
    this.#readyFile = readyFile;
    void finished.then((result) => {
      this.#ended = result;
    });
  }

  async ready(): Promise<RunningServer> {
    for (const end = Date.now() + PATIENCE_MS; ; await pause(10)) {
      if (this.#ended) throw new Error(`up ended with ${this.#ended.code}:\n${this.#ended.err}`);
      if (existsSync(this.#readyFile)) break;
      if (Date.now() > end) throw new Error(`up was not ready within ${PATIENCE_MS} ms`);
    }
    return new RunningServer(this, JSON.parse(readFileSync(this.#readyFile, 'utf8')) as Ready);
  }

  get processId(): number {
    return this.#child.pid!;
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** kill -9; resolves when the process is gone. */
  async kill(): Promise<Finished> {
    this.#child.kill('SIGKILL');
    return await this.#finished;
  }

  async stop(): Promise<Finished> {
    this.#child.kill('SIGTERM');
    return await this.#finished;
  }
}

interface Ready {
  readonly api: string;
  readonly caFile: string;
  readonly tokenFile: string;
}

export class RunningServer {
  readonly #launched: LaunchedServer;
  readonly #api: URL;
  readonly #token: string;
  readonly #agent: Agent;

  constructor(launched: LaunchedServer, { api, caFile, tokenFile }: Ready) {
    this.#launched = launched;
    this.#api = new URL(api);
    this.#token = readFileSync(tokenFile, 'utf8').trim();
    this.#agent = new Agent({ ca: readFileSync(caFile), keepAlive: true });
  }

  get processId(): number {
    return this.#launched.processId;
  }

  get hasEnded(): boolean {
    return this.#launched.hasEnded;
  }

  async kill(): Promise<Finished> {
    const finished = await this.#launched.kill();
    this.#agent.destroy();
    return finished;
  }

  async stop(): Promise<Finished> {
    const finished = await this.#launched.stop();
    this.#agent.destroy();
    return finished;
  }

  /** Rejects where the answer did not come, or did not come whole. */
  call(path: string, { method = 'GET', headers = {}, body }: Call = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host: this.#api.hostname,
          port: this.#api.port,
          path,
          method,
          agent: this.#agent,
          headers: { authorization: `Bearer ${this.#token}`, ...headers },
        },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
          incoming.on('error', reject);
          incoming.on('close', () => {
            if (!incoming.complete) {
              reject(new Error('the answer was cut off'));
              return;
            }
            const { statusCode = 0, headers, trailers } = incoming;
            resolve({ status: statusCode, headers, trailers, text: Buffer.concat(chunks).toString() });
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  send(body: string, idempotencyKey?: string): Promise<Answer> {
    const key = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
    const headers = { 'content-type': 'application/x-ndjson', ...key };
    return this.call('/api/v1/records', { method: 'POST', headers, body });
  }

  /** Sends and expects all of it to be accepted; the index of the first record. */
  async sendAccepted(body: string): Promise<number> {
    const { status, text } = await this.send(body);
    assert.equal(status, 200, text);
    const { ranges, quarantined } = JSON.parse(text) as SendAnswer;
    assert.deepEqual(quarantined, []);
    return ranges[0]!.first;
  }

  /** All records of a ledger from `from` on, newest first, page by page. */
  async *records(from = 0, ledger = 'access'): AsyncGenerator<Record<string, unknown>> {
    for (let cursor = ''; ; ) {
      const query = new URLSearchParams({ limit: '10000', ledger, ...(cursor === '' ? {} : { cursor }) });
      const { status, text, trailers } = await this.call(`/api/v1/search?${query}`);
      assert.equal(status, 200, text);
      const rows = text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      for (const row of rows) {
        if ((row['ledger.index'] as number) < from) return;
        yield row;
      }
      cursor = trailers['portledger-cursor'] ?? '';
      if (cursor === '') return;
      assert.equal(cursor, String(rows.at(-1)?.['ledger.index']), 'the cursor is not the last index');
    }
  }
}

export interface SendAnswer {
  readonly ranges: readonly { readonly ledger: string; readonly first: number; readonly count: number }[];
  readonly quarantined: readonly { readonly position: number; readonly reason: string }[];
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
