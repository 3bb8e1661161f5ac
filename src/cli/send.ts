// `portledger send`: files or standard input to a server, in requests that either count once or not at all.
//
// Each request carries an idempotency key made of this run's random id and the request's number, and is repeated with the
// same key and the same bytes until the server has answered, so a lost answer never doubles a record. Requests go one after
// the other: records get their indexes in the order of the input.

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { CommandError, messageOf } from './command-error.ts';
import { examples } from './command-line.ts';
import { shellWord } from './directories.ts';
import type { ExitCode, Invocation } from './invocation.ts';
import { type InputItem, splitItems } from './record-input.ts';
import { ROUTES } from './routes.ts';
import { type IndexRange, printSummary, type RefusedItem, type SendSummary } from './send-summary.ts';
import { addServerOptions, findServer, type ServerOptions } from './server-address.ts';
import { type ApiRequest, ConnectionLost, ServerClient, ServerRefusal } from './server-client.ts';

export const REQUEST_BYTES_MAX = 8 * 1024 * 1024;
/** Far more than full requests of real records hold; keeps what the server must do for one request bounded. */
const REQUEST_RECORDS_MAX = 10_000;
const READ_BYTES = 1024 * 1024;
/** Standard input may be a live pipe: what has arrived is sent when nothing more came for this long. */
const IDLE_FLUSH_MS = 500;
const RETRY_FIRST_MS = 250;
const RETRY_STEP_MS_MAX = 15_000;
/** After this much waiting for one request, it is given up. */
const RETRY_TOTAL_MS = 120_000;
const REPORTED_ITEMS_MAX = 10_000;

export interface SendOptions extends ServerOptions {
  readonly idempotencyKey?: string;
  readonly json?: boolean;
}

export function define(command: Command, invocation: Invocation): void {
  addServerOptions(
    command
      .description(
        'Send records to a server: NDJSON (one record a line), or JSON (an array, or objects over several lines). ' +
          'Exit code 1 when something was quarantined.',
      )
      .argument('<file...>', 'files with records; - is standard input')
      .option(
        '--idempotency-key <key>',
        'makes sending the same input twice add nothing (default: a random one)',
      ),
  )
    .option('--json', 'print the summary as JSON')
    .addHelpText(
      'after',
      examples(
        'portledger send access.ndjson',
        'tail -F access.ndjson | portledger send -',
        'portledger send day.json --idempotency-key day-2026-11-20',
      ),
    )
    .action(async (files: string[], options: SendOptions) => {
      invocation.exitCode = await send(files, options, invocation);
    });
}

export async function send(
  files: readonly string[],
  options: SendOptions,
  invocation: Invocation,
): Promise<ExitCode> {
  if (files.filter((file) => file === '-').length > 1) {
    throw new CommandError('Cannot send - twice: standard input can be read once, expected one "-" at most.');
  }
  const { idempotencyKey } = options;
  const run = runKey(idempotencyKey, invocation);
  using client = new ServerClient(findServer(options, invocation));
  const post = (wanted: ApiRequest): Promise<unknown> => client.json(wanted);
  const sender = new RequestSender(post, run, idempotencyKey === undefined, invocation);
  let failure: unknown;
  try {
    for (const file of files) {
      if (invocation.interrupted.aborted) break;
      await sendFile(file, sender, invocation);
    }
  } catch (error) {
    failure = error;
  }
  await printSummary(sender.summary, options, invocation);
  if (failure !== undefined && sender.summary.unsettled !== undefined) {
    const hint = repeatHint(sender, files, options, invocation);
    throw new CommandError(`${messageOf(failure)} ${hint}`, failure);
  }
  if (failure !== undefined) throw failure;
  if (invocation.interrupted.aborted) {
    throw new CommandError('Cannot send the rest: interrupted. The summary says what is accepted.');
  }
  if (sender.isEmpty) await invocation.err.line('Nothing was sent: there is no record in the input.');
  return sender.summary.quarantinedCount + sender.summary.skippedCount > 0 ? 1 : 0;
}

/** How to find out about the last request without counting anything twice. */
function repeatHint(
  { summary, run, isCutByInput }: RequestSender,
  files: readonly string[],
  options: SendOptions,
  { program }: Invocation,
): string {
  const { file, firstLine, lastLine } = summary.unsettled!;
  const unknown = `Whether lines ${firstLine} to ${lastLine} of ${file} were accepted is not known.`;
  if (!isCutByInput)
    return `${unknown} They came as they were written, so look for them with search before they are sent again.`;
  const { server, tokenFile, ca, data, state } = options;
  const given = { server, 'token-file': tokenFile, ca, data, state };
  const words = [program, 'send', ...files, '--idempotency-key', run];
  for (const [name, value] of Object.entries(given)) if (value !== undefined) words.push(`--${name}`, value);
  return `${unknown} The same input under the same key counts once: ${words.map(shellWord).join(' ')}`;
}

function runKey(given: string | undefined, invocation: Invocation): string {
  if (given === undefined) return Buffer.from(invocation.randomBytes(16)).toString('hex');
  if (!/^[\x21-\x7e]{1,200}$/.test(given)) {
    throw new CommandError(
      'Cannot use this --idempotency-key: expected 1 to 200 printable ASCII characters without spaces.',
    );
  }
  return given;
}

async function sendFile(file: string, sender: RequestSender, invocation: Invocation): Promise<void> {
  const splitter = splitItems(REQUEST_BYTES_MAX - 1);
  for await (const chunk of file === '-' ? readInput(invocation) : readFile(file, invocation)) {
    if (chunk === 'idle') await sender.flushWhenIdle();
    else await sender.add(file, splitter.push(chunk));
    if (invocation.interrupted.aborted) break;
  }
  await sender.add(file, splitter.end());
  // Files share no request, so that a file sent again under the same --idempotency-key gives the same requests.
  await sender.flush();
}

/** A file's bytes. Each chunk is its own memory: lines are cut out of it without copying. */
function* readFile(file: string, invocation: Invocation): Generator<Uint8Array> {
  const opened = invocation.disk.open(resolve(invocation.workingDirectory, file), 'read');
  try {
    for (let position = 0; ; ) {
      const chunk = new Uint8Array(READ_BYTES);
      const length = opened.read(chunk, position);
      if (length === 0) return;
      position += length;
      yield chunk.subarray(0, length);
    }
  } finally {
    opened.close();
  }
}

/** Standard input, with 'idle' whenever nothing has arrived for a moment. Ends at an interruption. */
async function* readInput(invocation: Invocation): AsyncGenerator<Uint8Array | 'idle'> {
  const iterator = invocation.input[Symbol.asyncIterator]();
  const stop = new Promise<'stop'>((resolve) => {
    if (invocation.interrupted.aborted) resolve('stop');
    invocation.interrupted.addEventListener('abort', () => resolve('stop'), { once: true });
  });
  let next = iterator.next();
  for (let waiting = true; ; ) {
    const settled = new AbortController();
    const idle = waiting ? invocation.sleep(IDLE_FLUSH_MS, settled.signal).then(() => 'idle' as const) : stop;
    const result = await Promise.race([next, idle, stop]);
    settled.abort();
    if (result === 'stop') {
      // Its promise may never settle; nobody waits for it.
      void iterator.return?.();
      return;
    }
    if (result === 'idle') {
      // One flush is enough until more arrives.
      waiting = false;
      yield 'idle';
      continue;
    }
    if (result.done) return;
    yield result.value;
    waiting = true;
    next = iterator.next();
  }
}

/** Collects items into requests and sees each of them through. */
export class RequestSender {
  readonly summary: SendSummary = {
    accepted: 0,
    ranges: [],
    quarantinedCount: 0,
    quarantined: [],
    skippedCount: 0,
    skipped: [],
  };
  readonly #post: (wanted: ApiRequest) => Promise<unknown>;
  /** What the idempotency keys of this run begin with. */
  readonly run: string;
  readonly #mayFlushWhenIdle: boolean;
  readonly #invocation: Invocation;
  #file = '';
  #items: InputItem[] = [];
  #bytes = 0;
  #requests = 0;
  #isCutByInput = true;

  constructor(
    post: (wanted: ApiRequest) => Promise<unknown>,
    run: string,
    mayFlushWhenIdle: boolean,
    invocation: Invocation,
  ) {
    this.#post = post;
    this.run = run;
    this.#mayFlushWhenIdle = mayFlushWhenIdle;
    this.#invocation = invocation;
  }

  /** Whether the input held nothing at all. */
  get isEmpty(): boolean {
    return this.#requests + this.summary.skippedCount === 0;
  }

  /** Whether the same input would make the same requests again: not where a pause or an interruption has ended one. */
  get isCutByInput(): boolean {
    return this.#isCutByInput;
  }

  async add(file: string, items: readonly InputItem[]): Promise<void> {
    this.#file = file;
    for (const item of items) {
      if (item.bytes === undefined) {
        this.summary.skippedCount += 1;
        keep(this.summary.skipped, {
          file,
          line: item.line,
          reason: `longer than ${REQUEST_BYTES_MAX - 1} bytes`,
        });
        continue;
      }
      const full = this.#bytes + item.bytes.length + 1 > REQUEST_BYTES_MAX;
      if (full || this.#items.length === REQUEST_RECORDS_MAX) await this.flush();
      this.#items.push(item);
      this.#bytes += item.bytes.length + 1;
    }
  }

  /** Not under a key that was given: where requests end must then depend on the input alone, never on its pace. */
  async flushWhenIdle(): Promise<void> {
    if (!this.#mayFlushWhenIdle || this.#items.length === 0) return;
    this.#isCutByInput = false;
    await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#items.length === 0) return;
    if (this.#invocation.interrupted.aborted) this.#isCutByInput = false;
    const items = this.#items;
    const body = joinLines(items, this.#bytes);
    this.#items = [];
    this.#bytes = 0;
    this.#requests += 1;
    const answer = await this.#postUntilAnswered(body, items);
    this.#count(parseAppendAnswer(answer), items);
    this.#invocation.err.progress(
      `${this.summary.accepted.toLocaleString('en')} records accepted, at ${this.#file}:${items.at(-1)!.line}`,
    );
  }

  async #postUntilAnswered(body: Uint8Array, items: readonly InputItem[]): Promise<unknown> {
    const firstLine = items[0]!.line;
    let mayHaveCounted = false;
    const wanted: ApiRequest = {
      method: 'POST',
      path: ROUTES.records,
      headers: {
        'content-type': 'application/x-ndjson',
        'idempotency-key': `${this.run}-${this.#requests}`,
      },
      body,
    };
    for (let attempt = 0, waitedMs = 0; ; attempt += 1) {
      try {
        return await this.#post(wanted);
      } catch (error) {
        mayHaveCounted ||= isUnsettled(error);
        const waitMs = this.#waitBeforeRetry(error, attempt);
        const givenUp = waitMs === undefined || waitedMs + waitMs > RETRY_TOTAL_MS;
        if (givenUp || this.#invocation.interrupted.aborted) {
          if (mayHaveCounted) {
            const lastLine = items.at(-1)!.line;
            this.summary.unsettled = { file: this.#file, firstLine, lastLine, count: items.length };
          }
          throw new CommandError(
            `Cannot send ${this.#file} from line ${firstLine} on: ${(error as Error).message}`,
            error,
          );
        }
        waitedMs += waitMs;
        this.#invocation.err.progress(`waiting ${Math.ceil(waitMs / 1000)} s: ${(error as Error).message}`);
        await this.#invocation.sleep(waitMs, this.#invocation.interrupted);
      }
    }
  }

  /** Undefined where another attempt would get the same answer. */
  #waitBeforeRetry(error: unknown, attempt: number): number | undefined {
    let askedMs = 0;
    if (error instanceof ServerRefusal) {
      if (![429, 502, 503, 504].includes(error.status)) return undefined;
      askedMs = (error.retryAfterSeconds ?? 0) * 1000;
    } else if (!(error instanceof ConnectionLost)) {
      return undefined;
    }
    const step = Math.min(RETRY_STEP_MS_MAX, RETRY_FIRST_MS * 2 ** attempt);
    // Half of the step is random, so that senders which lost the same server do not come back together.
    const share = this.#invocation.randomBytes(1)[0]! / 255;
    return Math.max(askedMs, Math.round((step * (1 + share)) / 2));
  }

  #count(answer: AppendAnswer, items: readonly InputItem[]): void {
    for (const range of answer.ranges) {
      if (range.count === 0) continue;
      this.summary.accepted += range.count;
      const last = this.summary.ranges.at(-1);
      if (last && last.ledger === range.ledger && last.first + last.count === range.first) {
        last.count += range.count;
      } else {
        this.summary.ranges.push({ ...range });
      }
    }
    for (const { position, reason } of answer.quarantined) {
      this.summary.quarantinedCount += 1;
      keep(this.summary.quarantined, { file: this.#file, line: items[position]?.line ?? 0, reason });
    }
  }
}

/** A lost answer says nothing, and neither does a server that failed while it worked on the request. */
function isUnsettled(error: unknown): boolean {
  return error instanceof ConnectionLost || (error instanceof ServerRefusal && error.status >= 500);
}

interface AppendAnswer {
  readonly ranges: readonly IndexRange[];
  readonly quarantined: readonly { readonly position: number; readonly reason: string }[];
}

function parseAppendAnswer(answer: unknown): AppendAnswer {
  const { ranges, quarantined } = (answer ?? {}) as Partial<AppendAnswer>;
  if (!Array.isArray(ranges) || !Array.isArray(quarantined)) {
    throw new CommandError(
      'Cannot read the server\'s answer: it has no "ranges" and "quarantined", expected Portledger\'s API. Check the address.',
    );
  }
  return { ranges, quarantined };
}

function joinLines(items: readonly InputItem[], length: number): Uint8Array {
  const body = Buffer.allocUnsafe(length);
  let at = 0;
  for (const { bytes } of items) {
    body.set(bytes!, at);
    at += bytes!.length;
    body[at] = 10;
    at += 1;
  }
  return body;
}

function keep(list: RefusedItem[], item: RefusedItem): void {
  if (list.length < REPORTED_ITEMS_MAX) list.push(item);
}
