// The HTTPS API: wiring, and the order of events in each request.
//
//   TLS 1.2+ → headers → who is it → may they → body → route → answer → one log line
//
// Nobody's body is read before the token and its role have been checked. There is no plaintext door here.
//
// What we deliberately do not do: HSTS (it would bind every other service on this host name to HTTPS), cookies and sessions
// (there is nothing for a hostile page to ride on), CORS (other origins have no business here), rate limits per principal
// (the budget for bodies in flight is the one bound that matters to others).

import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import Fastify, { type FastifyError } from 'fastify';
import type { Logger } from 'pino';
import type { AccessStore } from '../access/access-store.ts';
import { CustodyJournal } from '../access/custody-journal.ts';
import { Denials } from '../access/denials.ts';
import { Masking } from '../access/masking.ts';
import type { Disk } from '../disk/disk.ts';
import { RecordsIntake } from '../intake/records-intake.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { ApiError, asApiError, errorBody } from './api-error.ts';
import { presentedToken } from './authorization.ts';
import {
  type ApiReply,
  type ApiRequest,
  type App,
  addressOf,
  assertAllowed,
  type ServerContext,
} from './context.ts';
import { createMetrics } from './metrics.ts';
import { RouteMethods } from './route-methods.ts';
import { registerEvidence } from './routes/evidence.ts';
import { registerHealth } from './routes/health.ts';
import { registerOperations } from './routes/operations.ts';
import { registerPublicLog } from './routes/public-log.ts';
import { registerRecords } from './routes/records.ts';
import { registerSearch } from './routes/search.ts';
import { registerTokens } from './routes/tokens.ts';

export interface ServerOptions {
  /** All ledgers by name, the custody ledger included. */
  readonly ledgers: ReadonlyMap<string, Ledger>;
  /** Takes the records, and is searched when no other is named. */
  readonly defaultLedger: Ledger;
  readonly custodyLedger: Ledger;
  readonly access: AccessStore;
  readonly disk: Disk;
  /** Holds `<name>/checkpoint` and `<name>/tile/…` of each ledger. */
  readonly ledgersDirectory: string;
  /** PEM. */
  readonly tls: { readonly cert: string; readonly key: string };
  readonly listen: { readonly host: string; readonly port: number };
  readonly logger: Logger;
  /** ms since 1970. */
  readonly now: () => number;
  readonly version: string;
  /**
   * Makes a new root key and wraps everything else under it; what it resolves with is in the answer. There is one root key for
   * all ledgers.
   */
  readonly rotateKeys: () => Promise<unknown>;
  /** More for `/api/v1/status`. No secrets. */
  readonly statusDetails?: () => Readonly<Record<string, unknown>>;
  readonly bytesInFlightMax?: number;
  /** Default 15 s. */
  readonly heartbeatMs?: number;
}

export interface RunningServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** `https://host:port` */
  readonly url: string;
  /** Takes no more requests, lets those under way finish for ten seconds, ends tails, closes. */
  drain(): Promise<void>;
}

const HEARTBEAT_MS = 15_000;
const DRAIN_MS = 10_000;
/** A sender that is slower than this over a whole request, or silent for so long, makes room for others. */
const REQUEST_MS_MAX = 120_000;
const SILENCE_MS_MAX = 60_000;
const HEADERS_MS_MAX = 15_000;
/** Bodies other than records: a token's name and role. */
const SMALL_BODY_BYTES_MAX = 16 * 1024;

const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const stopping = new AbortController();
  const context = createContext(options, stopping.signal);
  const app = createApp(options, context);
  await app.listen(options.listen);
  const { port } = app.server.address() as AddressInfo;
  const { host } = options.listen;

  let drained: Promise<void> | undefined;
  const drain = () => {
    drained ??= drainApp(app, context, stopping);
    return drained;
  };
  const url = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return { host, port, url, drain, [Symbol.asyncDispose]: drain };
}

/** The app with all routes, not listening yet. `onRoute` sees each of them as it is registered. */
export function createApp(
  options: ServerOptions,
  context: ServerContext,
  onRoute: (route: { readonly method: string | string[]; readonly url: string }) => void = () => {},
): App {
  const { cert, key } = options.tls;
  const app = Fastify<HttpsServer>({
    https: { cert, key, minVersion: 'TLSv1.2' },
    bodyLimit: SMALL_BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
    connectionTimeout: SILENCE_MS_MAX,
    exposeHeadRoutes: false,
    frameworkErrors: (error: FastifyError, request: unknown, reply: unknown) =>
      refuse(context, request as ApiRequest, reply as ApiReply, error),
  }) as unknown as App;
  app.server.headersTimeout = HEADERS_MS_MAX;
  app.server.on('tlsClientError', () => context.metrics.tlsFailures.inc());
  app.removeContentTypeParser('text/plain');

  app.decorateRequest('principal', undefined);
  const methods = new RouteMethods();
  app.addHook('onRoute', (route) => {
    methods.add(route.url, route.method);
    onRoute(route);
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    if (context.draining.aborted) reply.header('connection', 'close');
    const { permission } = request.routeOptions.config;
    if (permission === undefined) return;
    request.principal = authenticate(context, request.headers.authorization);
    assertAllowed(request, permission, 'answer request');
  });
  app.addHook('onResponse', async (request, reply) => logResponse(context, request, reply));
  app.setErrorHandler((error, request, reply) => refuse(context, request, reply, error));
  app.setNotFoundHandler((request, reply) => {
    const allowed = methods.at(request.url).join(', ');
    if (allowed !== '') {
      const message = `Cannot answer request: there is no ${request.method} at this address, expected ${allowed}.`;
      return refuse(
        context,
        request,
        reply,
        new ApiError(405, 'method-not-allowed', message, { allow: allowed }),
      );
    }
    const message =
      'Cannot answer request: there is nothing at this address, expected one in /api/openapi.json.';
    return refuse(context, request, reply, new ApiError(404, 'not-found', message));
  });

  registerRecords(app, context);
  registerSearch(app, context);
  registerEvidence(app, context);
  registerTokens(app, context);
  registerOperations(app, context);
  registerPublicLog(app, context);
  registerHealth(app, context);
  return app;
}

export function createContext(options: ServerOptions, draining: AbortSignal): ServerContext {
  const { custodyLedger, defaultLedger, now, logger } = options;
  const journal = new CustodyJournal({ ledger: custodyLedger, now });
  const intake = new RecordsIntake({
    ledger: defaultLedger,
    now,
    ...(options.bytesInFlightMax === undefined ? {} : { bytesInFlightMax: options.bytesInFlightMax }),
  });
  const metrics = createMetrics(options.ledgers.values(), () => intake.budget.used);
  const denials = new Denials({
    journal,
    after: (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    onLost: (count, cause) => {
      metrics.custodyLost.inc(count);
      logger.error({ err: cause, count }, 'denials could not be recorded');
    },
  });
  return {
    ledgers: options.ledgers,
    defaultLedger,
    journal,
    denials,
    access: options.access,
    masking: new Masking(options.access.secret('masking')),
    intake,
    metrics,
    disk: options.disk,
    ledgersDirectory: options.ledgersDirectory,
    logger,
    now,
    version: options.version,
    heartbeatMs: options.heartbeatMs ?? HEARTBEAT_MS,
    draining,
    rotateKeys: options.rotateKeys,
    statusDetails: options.statusDetails ?? (() => ({})),
  };
}

function authenticate(context: ServerContext, header: string | undefined) {
  const token = presentedToken(header);
  const principal = token === undefined ? undefined : context.access.authenticate(token);
  if (principal) return principal;
  // The same words whether the token is missing, unknown, expired or revoked: the difference is for admins.
  throw new ApiError(
    401,
    'unauthorized',
    'Cannot answer request: there is no acceptable token, expected "Authorization: Bearer <token>". Ask an admin for one.',
    { 'www-authenticate': 'Bearer realm="portledger"' },
  );
}

function refuse(context: ServerContext, request: ApiRequest, reply: ApiReply, cause: unknown): ApiReply {
  const error = asApiError(cause);
  if (error.status === 401 || error.status === 403) {
    context.metrics.denials.inc({ status: String(error.status) });
    context.denials.note({
      address: addressOf(request),
      status: error.status,
      route: `${request.method} ${request.routeOptions.url ?? '(none)'}`,
      ...(request.principal ? { principal: request.principal.name } : {}),
    });
  }
  if (error.status >= 500) {
    context.logger.error({ err: cause, route: request.routeOptions.url }, 'request failed');
  }
  return reply
    .code(error.status)
    .headers(error.headers)
    .type('application/json; charset=utf-8')
    .send(errorBody(error));
}

/** The route's pattern, never the path or query as sent: those hold what people search for. */
function logResponse(context: ServerContext, request: ApiRequest, reply: ApiReply): void {
  const { config, url } = request.routeOptions;
  // What is public, and the intake of records, is counted in /metrics; a line for each would be a second access log.
  const isCounted = config.permission === undefined || config.permission === 'append';
  const level = isCounted && reply.statusCode < 400 ? 'debug' : 'info';
  context.logger[level](
    {
      method: request.method,
      route: url,
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      principal: request.principal?.name,
      token: request.principal?.tokenId,
      address: addressOf(request),
    },
    'request',
  );
}

async function drainApp(app: App, context: ServerContext, stopping: AbortController): Promise<void> {
  const until = performance.now() + DRAIN_MS;
  stopping.abort();
  // Connections become idle one by one as their last answers end; idle ones are not waited for.
  const sweep = setInterval(() => {
    if (performance.now() < until) app.server.closeIdleConnections();
    else app.server.closeAllConnections();
  }, 50);
  try {
    await app.close();
  } finally {
    clearInterval(sweep);
    await context.denials.flush();
    context.metrics.registry.clear();
  }
}
