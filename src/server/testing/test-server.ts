// A real server on a free port, with ledgers in memory, and a client that speaks HTTPS to it.

import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Agent, request } from 'node:https';
import pino from 'pino';
import { AccessStore } from '../../access/access-store.ts';
import { openLocalTls } from '../../access/local-ca.ts';
import type { Role } from '../../access/principals.ts';
import { MemoryDisk } from '../../access/testing/memory-disk.ts';
import { MemoryLedger } from '../../intake/testing/memory-ledger.ts';
import { type RunningServer, type ServerOptions, startServer } from '../server.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: NodeJS.Dict<string>;
  readonly body: Buffer;
  readonly text: string;
  /** Lines of NDJSON. */
  readonly lines: Record<string, unknown>[];
  json(): Record<string, unknown>;
}

export interface Call {
  readonly method?: string;
  readonly role?: Role;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  /** Sees each piece of the answer as it comes; answering false hangs up. */
  readonly onData?: (chunk: Buffer) => boolean | undefined;
}

export interface TestServer extends AsyncDisposable {
  readonly server: RunningServer;
  readonly access: MemoryLedger;
  readonly custody: MemoryLedger;
  readonly store: AccessStore;
  readonly disk: MemoryDisk;
  readonly tokens: Readonly<Record<Role, string>>;
  readonly log: string[];
  readonly agent: Agent;
  call(path: string, call?: Call): Promise<Answer>;
  /** The custody records of one action, oldest first. */
  custodyOf(action: string): Record<string, unknown>[];
}

const tlsFiles = new MemoryDisk();

export async function startTestServer(overrides: Partial<ServerOptions> = {}): Promise<TestServer> {
  const now = Date.now;
  const tls = await openLocalTls({ disk: tlsFiles, directory: '/tls', names: [], now, random: randomBytes });
  const store = new AccessStore({ path: ':memory:', now, random: randomBytes });
  const tokens = Object.fromEntries(
    (['admin', 'auditor', 'viewer', 'ingest'] as const).map((role) => [
      role,
      store.create({ name: `the-${role}`, role }).text,
    ]),
  ) as Record<Role, string>;
  const access = new MemoryLedger('access');
  const custody = new MemoryLedger('custody');
  const disk = new MemoryDisk();
  const log: string[] = [];
  const server = await startServer({
    ledgers: new Map([access, custody].map((ledger) => [ledger.name, ledger])),
    defaultLedger: access,
    custodyLedger: custody,
    access: store,
    disk,
    ledgersDirectory: '/data/ledgers',
    tls: { cert: tls.serverPem, key: tls.serverPem },
    listen: { host: '127.0.0.1', port: 0 },
    logger: pino({ level: 'trace' }, { write: (line: string) => void log.push(line) }),
    now,
    version: '0.0.0-test',
    rotateKeys: async () => ({ root: 'new', rewrapped: 2 }),
    ...overrides,
  });
  const agent = new Agent({ ca: tls.caPem, keepAlive: true });

  const call = (path: string, { method = 'GET', role, headers = {}, body, onData }: Call = {}) =>
    new Promise<Answer>((resolve, reject) => {
      const authorization = role === undefined ? {} : { authorization: `Bearer ${tokens[role]}` };
      const outgoing = request(
        {
          host: '127.0.0.1',
          port: server.port,
          path,
          method,
          agent,
          headers: { ...authorization, ...headers },
        },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on('data', (chunk: Buffer) => {
            chunks.push(chunk);
            if (onData?.(chunk) === false) incoming.destroy();
          });
          incoming.on('close', () => {
            const whole = Buffer.concat(chunks);
            const text = whole.toString();
            resolve({
              status: incoming.statusCode ?? 0,
              headers: incoming.headers,
              trailers: incoming.trailers,
              body: whole,
              text,
              get lines() {
                const lines = text.split('\n').filter((line) => line !== '');
                return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
              },
              json: () => JSON.parse(text) as Record<string, unknown>,
            });
          });
          incoming.on('error', () => {});
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });

  return {
    server,
    access,
    custody,
    store,
    disk,
    tokens,
    log,
    agent,
    call,
    custodyOf: (action) => custody.records().filter((record) => record['event.action'] === action),
    async [Symbol.asyncDispose]() {
      agent.destroy();
      await server.drain();
      store.close();
    },
  };
}

export function recordLine(fields: Readonly<Record<string, unknown>> = {}): string {
  return `${JSON.stringify({ '@timestamp': '2026-11-20T11:00:00Z', 'user.name': 'alice', ...fields })}\n`;
}

export async function send(server: TestServer, body: string): Promise<Answer> {
  return server.call('/api/v1/records', {
    method: 'POST',
    role: 'ingest',
    headers: { 'content-type': 'application/x-ndjson' },
    body,
  });
}

/** What happens after an answer has ended, such as its end entry after a reader has left. */
export async function eventually<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (let attempt = 0; attempt < 2000; attempt++) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('it did not happen');
}
