// What every route is given, and what hangs on a request.

import type { Server as HttpsServer } from 'node:https';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { AccessStore } from '../access/access-store.ts';
import type { Actor, CustodyJournal } from '../access/custody-journal.ts';
import type { Denials } from '../access/denials.ts';
import type { Masking } from '../access/masking.ts';
import { type Permission, type Principal, roleAllows, rolesWith } from '../access/principals.ts';
import type { Disk } from '../disk/disk.ts';
import type { RecordsIntake } from '../intake/records-intake.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { ApiError } from './api-error.ts';
import type { Metrics } from './metrics.ts';

export type App = FastifyInstance<HttpsServer>;

export interface ServerContext {
  readonly ledgers: ReadonlyMap<string, Ledger>;
  readonly defaultLedger: Ledger;
  readonly journal: CustodyJournal;
  readonly denials: Denials;
  readonly access: AccessStore;
  readonly masking: Masking;
  readonly intake: RecordsIntake;
  readonly metrics: Metrics;
  readonly disk: Disk;
  /** `<ledgersDirectory>/<name>/` is served as `/ledgers/<name>/`. */
  readonly ledgersDirectory: string;
  readonly logger: Logger;
  readonly now: () => number;
  readonly version: string;
  readonly heartbeatMs: number;
  /** Aborted when the server stops taking requests. */
  readonly draining: AbortSignal;
  readonly rotateKeys: () => Promise<unknown>;
  readonly statusDetails: () => Readonly<Record<string, unknown>>;
}

declare module 'fastify' {
  interface FastifyRequest {
    principal: Principal | undefined;
  }
  interface FastifyContextConfig {
    /** What the asker must be allowed; without it the route is open to everybody. */
    permission?: Permission;
  }
}

export type ApiRequest = FastifyRequest<Record<string, unknown>, HttpsServer>;
export type ApiReply = FastifyReply<Record<string, unknown>, HttpsServer>;

/** The principal of a route with a permission. */
export function principalOf(request: { principal: Principal | undefined }): Principal {
  if (!request.principal) throw new Error('a route without a permission asked for its principal');
  return request.principal;
}

export function actorOf(request: ApiRequest): Actor {
  const { name, tokenId } = principalOf(request);
  return { name, id: tokenId, proof: 'token', address: addressOf(request) };
}

/** A dual-stack socket names IPv4 peers `::ffff:192.0.2.1`. */
export function addressOf(request: {
  readonly socket: { readonly remoteAddress?: string | undefined };
}): string {
  return (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
}

/** A permission that depends on what is asked for, beyond the route's own. Throws a 403. */
export function assertAllowed(request: ApiRequest, permission: Permission, what: string): void {
  const { role } = principalOf(request);
  if (roleAllows(role, permission)) return;
  throw new ApiError(
    403,
    'forbidden',
    `Cannot ${what}: your role is ${role}, expected ${rolesWith(permission).join(' or ')}. Ask an admin for such a token.`,
  );
}

/** The ledger of this name, if the asker may read it. Throws a 404 or 403. */
export function readableLedger(
  context: ServerContext,
  request: ApiRequest,
  name: string | undefined,
): Ledger {
  const ledger = name === undefined ? context.defaultLedger : context.ledgers.get(name);
  if (!ledger) {
    throw new ApiError(
      404,
      'no-such-ledger',
      `Cannot read ledger: there is none of this name, expected one of ${[...context.ledgers.keys()].join(', ')}.`,
    );
  }
  if (ledger === context.journal.ledger) assertAllowed(request, 'custody', 'read the custody ledger');
  return ledger;
}
