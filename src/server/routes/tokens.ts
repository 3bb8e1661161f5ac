// Tokens: list, create, revoke. A token's text is in the answer to its creation and nowhere else.

import type { TokenRow } from '../../access/access-store.ts';
import { isRole, ROLES } from '../../access/principals.ts';
import { ApiError } from '../api-error.ts';
import { type App, actorOf, type ServerContext } from '../context.ts';
import { Parameters, parseObject } from '../parameters.ts';
import { answerRecorded } from '../recorded-answer.ts';

const JSON_TYPE = 'application/json; charset=utf-8';

export function registerTokens(app: App, context: ServerContext): void {
  const { access } = context;

  app.get('/api/v1/tokens', { config: { permission: 'administer' } }, async (request, reply) => {
    new Parameters(request.query, []);
    const act = { actor: actorOf(request), action: 'token-list' };
    const body = await answerRecorded(context, act, async () => {
      const tokens = access.list().map(describe);
      return { body: `${JSON.stringify({ tokens })}\n`, rows: tokens.length };
    });
    return reply.type(JSON_TYPE).send(body);
  });

  app.post('/api/v1/tokens', { config: { permission: 'administer' } }, async (request, reply) => {
    new Parameters(request.query, []);
    const { name, role, expires } = parseObject(request.body, ['name', 'role', 'expires']);
    if (typeof name !== 'string' || !isRole(role)) {
      throw new ApiError(
        400,
        'invalid',
        `Cannot create token: "name" or "role" is missing or unknown, expected a name and one of the roles ${ROLES.join(', ')}.`,
      );
    }
    const expiry = expires === undefined ? undefined : parseExpiry(expires);
    const act = {
      actor: actorOf(request),
      action: 'token-create',
      parameters: { token_name: name.slice(0, 64), token_role: role, token_expires: expiry },
    };
    const body = await answerRecorded(context, act, async () => {
      const { row, text } = access.create({
        name,
        role,
        ...(expiry === undefined ? {} : { expires: expiry }),
      });
      return { body: `${JSON.stringify({ ...describe(row), token: text })}\n`, rows: 1 };
    });
    return reply.code(201).type(JSON_TYPE).send(body);
  });

  app.delete<{ Params: { id: string } }>(
    '/api/v1/tokens/:id',
    { config: { permission: 'administer' } },
    async (request, reply) => {
      new Parameters(request.query, []);
      const { id } = access.get(request.params.id);
      const act = { actor: actorOf(request), action: 'token-revoke', parameters: { token_id: id } };
      const body = await answerRecorded(context, act, async () => {
        return { body: `${JSON.stringify(describe(access.revoke(id)))}\n`, rows: 1 };
      });
      return reply.type(JSON_TYPE).send(body);
    },
  );
}

function parseExpiry(expires: unknown): number {
  const isTime = typeof expires === 'string' && /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/.test(expires);
  const ms = isTime ? Date.parse(expires) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new ApiError(
    400,
    'invalid',
    'Cannot create token: "expires" is not acceptable, expected a time such as 2027-01-31T00:00:00Z.',
  );
}

function describe(row: TokenRow) {
  const time = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString());
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    created: time(row.created),
    expires: time(row.expires),
    lastUsed: time(row.lastUsed),
    revoked: time(row.revoked),
  };
}
