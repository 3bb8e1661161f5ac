// Requests to a server's API. The certificate is always verified: against the CA of the ready file or `--ca`, otherwise
// against the system's. Whatever comes back is bounded before it is kept.

import type { IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { getCACertificates } from 'node:tls';
import { CommandError, messageOf } from './command-error.ts';
import type { ServerAddress } from './server-address.ts';

/** Answers that are read as a whole: lists, statuses, one proof. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
const ERROR_BYTES_MAX = 64 * 1024;
/** A record is at most 32 KiB of canonical bytes; masked or joined output stays well below this. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;
/** Without any byte from the server for so long, a request counts as lost. Streams are kept alive by the server. */
const SILENCE_MS_MAX = 120_000;

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** Below the server's address, without a leading slash. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal?: AbortSignal;
  /** Called when the server has begun to answer, which for a stream may be long before its first line. */
  readonly onAnswer?: () => void;
}

/** The server answered, with something other than success. */
export class ServerRefusal extends Error {
  override readonly name = 'ServerRefusal';
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;
  constructor(status: number, message: string, retryAfterSeconds: number | undefined) {
    super(message);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** No answer, or none to the end: the request may or may not have taken effect. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

export class ServerClient implements Disposable {
  readonly address: ServerAddress;
  readonly #agent: Agent;

  constructor(address: ServerAddress) {
    this.address = address;
    this.#agent = new Agent({
      keepAlive: true,
      ca: address.ca ?? [...getCACertificates('bundled'), ...getCACertificates('system')],
    });
  }

  /** The whole answer. Throws ServerRefusal, ConnectionLost or, where retrying cannot help, CommandError. */
  async bytes(wanted: ApiRequest): Promise<Uint8Array> {
    const answer = await this.#send(wanted);
    return await readBounded(answer, ANSWER_BYTES_MAX, this.address.url);
  }

  async json(wanted: ApiRequest): Promise<unknown> {
    const bytes = await this.bytes(wanted);
    try {
      return JSON.parse(Buffer.from(bytes).toString('utf8'));
    } catch (error) {
      throw new CommandError(
        `Cannot read the answer of ${this.address.url.origin}: it is not JSON, expected Portledger's API. Check the address.`,
        error,
      );
    }
  }

  /** The lines of a streamed answer, without their line ends; blank lines, which keep a stream alive, are left out. */
  async *lines(wanted: ApiRequest): AsyncGenerator<Buffer> {
    const answer = await this.#send(wanted);
    wanted.onAnswer?.();
    let pending: Buffer[] = [];
    let pendingBytes = 0;
    try {
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        let start = 0;
        for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
          const tail = chunk.subarray(start, end);
          const line = pending.length === 0 ? tail : Buffer.concat([...pending, tail]);
          pending = [];
          pendingBytes = 0;
          start = end + 1;
          if (line.length > 0) yield line;
        }
        if (start < chunk.length) {
          pending.push(chunk.subarray(start));
          pendingBytes += chunk.length - start;
          if (pendingBytes > LINE_BYTES_MAX) throw tooLong(this.address.url, LINE_BYTES_MAX);
        }
      }
    } catch (error) {
      if (error instanceof CommandError || wanted.signal?.aborted) throw error;
      throw new ConnectionLost(
        `Cannot read the answer of ${this.address.url.origin} to its end: ${messageOf(error)}. Try again.`,
      );
    } finally {
      answer.destroy();
    }
    if (pendingBytes > 0) {
      throw new ConnectionLost(
        `Cannot read the answer of ${this.address.url.origin} to its end: the last line is incomplete. Try again.`,
      );
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async #send(wanted: ApiRequest): Promise<IncomingMessage> {
    const url = new URL(wanted.path, this.address.url);
    for (const [name, value] of Object.entries(wanted.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const options: RequestOptions = {
      method: wanted.method ?? 'GET',
      agent: this.#agent,
      timeout: SILENCE_MS_MAX,
      headers: {
        ...(this.address.token === undefined ? {} : { authorization: `Bearer ${this.address.token}` }),
        ...(wanted.body === undefined ? {} : { 'content-length': wanted.body.length }),
        ...wanted.headers,
      },
      ...(wanted.signal === undefined ? {} : { signal: wanted.signal }),
    };
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request(url, options, resolve);
      outgoing.on('error', (error) => reject(connectionError(error, this.address.url, wanted.signal)));
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer for ${SILENCE_MS_MAX / 1000} s`)));
      outgoing.end(wanted.body);
    });
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status < 300) return answer;
    const text = Buffer.from(await readBounded(answer, ERROR_BYTES_MAX, this.address.url)).toString('utf8');
    throw new ServerRefusal(
      status,
      refusalMessage(status, text, this.address.url),
      parseRetryAfter(answer.headers['retry-after']),
    );
  }
}

/** Seconds to wait. The form with a date is ignored: it would need both clocks to agree. */
export function parseRetryAfter(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,5}$/.test(value.trim()) ? Number(value) : undefined;
}

/** The server's own words where it is ours, with a hint for what operators can do here. */
export function refusalMessage(status: number, body: string, url: URL): string {
  const said = messageInBody(body);
  if (status === 401) {
    return `Cannot use ${url.origin}: it does not accept the token, expected one that works. Ask an admin for a new one ('portledger token create').`;
  }
  if (said !== undefined)
    return said.startsWith('Cannot ') ? said : `Cannot do this at ${url.origin}: ${said}`;
  return `Cannot do this at ${url.origin}: it answered with status ${status}, expected Portledger's API. Check the address.`;
}

function messageInBody(body: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    const { error, message, detail } = parsed as Record<string, unknown>;
    for (const candidate of [
      (error as Record<string, unknown> | undefined)?.message,
      message,
      detail,
      error,
    ]) {
      if (typeof candidate === 'string' && candidate !== '') return candidate;
    }
  } catch {
    // Not ours, or cut off: the status says enough.
  }
  return undefined;
}

async function readBounded(answer: IncomingMessage, bytesMax: number, url: URL): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > bytesMax) throw tooLong(url, bytesMax);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new ConnectionLost(
      `Cannot read the answer of ${url.origin} to its end: ${messageOf(error)}. Try again.`,
    );
  }
  return Buffer.concat(chunks);
}

function tooLong(url: URL, bytesMax: number): CommandError {
  return new CommandError(
    `Cannot read the answer of ${url.origin}: it is longer than ${bytesMax} bytes, expected less.`,
  );
}

/** Codes with which the other side, or its certificate, will not be different in a second. */
const LASTING_CODES = new Set(['ENOTFOUND', 'EACCES', 'EINVAL']);

function connectionError(error: Error, url: URL, signal: AbortSignal | undefined): Error {
  if (signal?.aborted) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (/CERT|SELF_SIGNED|ISSUER|ALTNAME|LEAF_SIGNATURE|INVALID_(CA|PURPOSE)|PATH_LENGTH/.test(code)) {
    return new CommandError(
      `Cannot trust ${url.origin}: its certificate does not verify (${code}), expected one from a trusted CA for this name. Give the CA of the installation with --ca.`,
      error,
    );
  }
  if (code.startsWith('ERR_SSL') || code === 'EPROTO') {
    return new CommandError(
      `Cannot speak TLS with ${url.origin}: ${messageOf(error)}. Check address and port.`,
      error,
    );
  }
  if (LASTING_CODES.has(code)) {
    return new CommandError(`Cannot reach ${url.origin}: ${messageOf(error)}. Check the address.`, error);
  }
  const state = code === 'ECONNREFUSED' ? 'nothing listens there' : messageOf(error);
  return new ConnectionLost(
    `Cannot reach ${url.origin}: ${state}, expected a Portledger server. Check the address, or start it with 'portledger up'.`,
  );
}
