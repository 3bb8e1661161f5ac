// How the installation is doing, and the two things an admin may ask of it: publish now, change keys.

import { ApiError } from '../api-error.ts';
import { type App, actorOf, type ServerContext } from '../context.ts';
import { Parameters, parseObject } from '../parameters.ts';
import { answerRecorded } from '../recorded-answer.ts';

const JSON_TYPE = 'application/json; charset=utf-8';

export function registerOperations(app: App, context: ServerContext): void {
  const { ledgers, intake, now } = context;
  const started = now();

  app.get('/api/v1/ledgers', { config: { permission: 'read' } }, async (request) => {
    new Parameters(request.query, []);
    return { ledgers: ledgerStatuses(context) };
  });

  app.get('/api/v1/sources', { config: { permission: 'read' } }, async (request) => {
    new Parameters(request.query, []);
    return { since: new Date(started).toISOString(), sources: sourceStatuses(context) };
  });

  app.get('/api/v1/status', { config: { permission: 'read' } }, async (request) => {
    new Parameters(request.query, []);
    const problems = stoppedLedgers(context);
    return {
      version: context.version,
      started: new Date(started).toISOString(),
      now: new Date(now()).toISOString(),
      ready: problems.length === 0 && !context.draining.aborted,
      problems,
      ledgers: ledgerStatuses(context),
      intake: { bytesInFlight: intake.budget.used, bytesInFlightMax: intake.budget.max },
      sources: sourceStatuses(context),
      ...context.statusDetails(),
    };
  });

  app.post('/api/v1/publish', { config: { permission: 'administer' } }, async (request, reply) => {
    new Parameters(request.query, []);
    const name = ledgerIn(context, request.body);
    const act = {
      actor: actorOf(request),
      action: 'publish',
      ...(name === undefined ? {} : { ledger: name }),
    };
    const body = await answerRecorded(context, act, async () => {
      const chosen = name === undefined ? [...ledgers.values()] : [ledgers.get(name)!];
      const published = await Promise.all(
        chosen.map(async (ledger) => [ledger.name, await ledger.publish()] as const),
      );
      return {
        body: `${JSON.stringify({ published: Object.fromEntries(published) })}\n`,
        rows: chosen.length,
      };
    });
    return reply.type(JSON_TYPE).send(body);
  });

  app.post('/api/v1/keys/rotate', { config: { permission: 'administer' } }, async (request, reply) => {
    new Parameters(request.query, []);
    const act = { actor: actorOf(request), action: 'keys-rotate' };
    const body = await answerRecorded(context, act, async () => {
      const rotated = await context.rotateKeys();
      return { body: `${JSON.stringify({ rotated: rotated ?? null })}\n`, rows: 1 };
    });
    return reply.type(JSON_TYPE).send(body);
  });
}

export interface StoppedLedger {
  readonly ledger: string;
  readonly reason: string;
}

export function stoppedLedgers(context: ServerContext): StoppedLedger[] {
  return [...context.ledgers.values()].flatMap((ledger) => {
    const reason = ledger.status().stopped;
    return reason === undefined ? [] : [{ ledger: ledger.name, reason }];
  });
}

function ledgerStatuses(context: ServerContext) {
  return [...context.ledgers.values()].map((ledger) => ({
    ...ledger.status(),
    verifierKey: ledger.verifierKey,
  }));
}

function sourceStatuses(context: ServerContext) {
  return context.intake.sources.list().map(({ lastMs, ...source }) => ({
    ...source,
    last: new Date(lastMs).toISOString(),
  }));
}

/** `{"ledger": NAME}` for one ledger, nothing for all. */
function ledgerIn(context: ServerContext, body: unknown): string | undefined {
  const { ledger } = parseObject(body, ['ledger']);
  if (ledger === undefined || (typeof ledger === 'string' && context.ledgers.has(ledger))) return ledger;
  throw new ApiError(
    404,
    'no-such-ledger',
    `Cannot answer request: there is no ledger of this name, expected one of ${[...context.ledgers.keys()].join(', ')}.`,
  );
}
