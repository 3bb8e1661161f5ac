// GET /api/v1/search and /api/v1/tail: NDJSON, newest first, or as it comes.
//
// A viewer searches what a viewer sees: personal values as tokens, and no patterns on them.

import { CUSTODY_QUERY_LENGTH_MAX } from '../../access/custody-journal.ts';
import { isMasked } from '../../access/masking.ts';
import { roleAllows } from '../../access/principals.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { compileMatcher, type Matcher } from '../../query/match.ts';
import { parseQuery } from '../../query/parse.ts';
import { findPatternOnMasked, redactQuery } from '../../query/visibility.ts';
import { ApiError } from '../api-error.ts';
import {
  type ApiReply,
  type ApiRequest,
  type App,
  actorOf,
  principalOf,
  readableLedger,
  type ServerContext,
} from '../context.ts';
import { Parameters } from '../parameters.ts';
import { streamRecorded } from '../recorded-answer.ts';
import { type Selection, searchRecords, tailRecords } from '../search-records.ts';

const LIMIT_DEFAULT = 100;
export const LIMIT_MAX = 10_000;
const NDJSON = 'application/x-ndjson; charset=utf-8';

export function registerSearch(app: App, context: ServerContext): void {
  app.get('/api/v1/search', { config: { permission: 'read' } }, async (request, reply) => {
    const parameters = new Parameters(request.query, ['q', 'limit', 'cursor', 'ledger']);
    const limit = parameters.count('limit', 1, LIMIT_MAX) ?? LIMIT_DEFAULT;
    const below = parameters.count('cursor', 0, Number.MAX_SAFE_INTEGER);
    const asked = readQuestion(context, request, parameters);
    const gone = goneSignal(reply);
    let cursor = '';
    const stream = await streamRecorded(context, {
      act: { ...asked.act, action: 'search', parameters: { limit, cursor: below } },
      gone,
      isEndless: false,
      // The entries of custody that this very search makes are not part of it.
      chunks: (begin) =>
        searchRecords({
          ...asked.selection(gone),
          limit,
          below: asked.isCustody ? Math.min(below ?? begin, begin) : (below ?? Number.MAX_SAFE_INTEGER),
          onMore: (lastIndex) => {
            cursor = String(lastIndex);
          },
        }),
    });
    // Known only at the end, so it comes as a trailer. It is the last line's `ledger.index`, for clients without trailers.
    reply.trailer('portledger-cursor', async () => cursor);
    return reply.type(NDJSON).send(stream);
  });

  app.get('/api/v1/tail', { config: { permission: 'read' } }, async (request, reply) => {
    const parameters = new Parameters(request.query, ['q', 'from', 'ledger']);
    const from = parameters.count('from', 0, Number.MAX_SAFE_INTEGER);
    const asked = readQuestion(context, request, parameters);
    const gone = goneSignal(reply);
    const stream = await streamRecorded(context, {
      act: { ...asked.act, action: 'tail', parameters: { from } },
      gone,
      isEndless: true,
      chunks: (begin) =>
        tailRecords({
          ...asked.selection(AbortSignal.any([gone, context.draining])),
          from: from ?? asked.ledger.status().size,
          heartbeatMs: context.heartbeatMs,
          ...(asked.isCustody ? { except: begin } : {}),
        }),
    });
    return reply.type(NDJSON).send(stream);
  });
}

interface Question {
  readonly ledger: Ledger;
  readonly isCustody: boolean;
  readonly act: { actor: ReturnType<typeof actorOf>; ledger: string; query: string };
  readonly selection: (signal: AbortSignal) => Selection;
}

function readQuestion(context: ServerContext, request: ApiRequest, parameters: Parameters): Question {
  const ledger = readableLedger(context, request, parameters.text('ledger'));
  const text = parameters.text('q') ?? '';
  const parsed = parseQuery(text);
  if (!parsed.ok) throw new ApiError(400, 'invalid-query', parsed.problem.message);
  const masking = roleAllows(principalOf(request).role, 'unmasked') ? undefined : context.masking;
  const problem = masking && findPatternOnMasked(parsed.query, isMasked);
  if (problem) throw new ApiError(400, 'pattern-on-masked-field', problem.message);
  const query = redactQuery(text, parsed.query, isMasked, (field, value) =>
    context.masking.token(field, value),
  );
  if (query.length > CUSTODY_QUERY_LENGTH_MAX) {
    throw new ApiError(
      400,
      'invalid-query',
      `Cannot search: the query as the custody ledger keeps it has ${query.length} characters, expected at most ${CUSTODY_QUERY_LENGTH_MAX}. Search in several parts.`,
    );
  }
  const matcher: Matcher = compileMatcher(parsed.query, {
    nowMs: context.now(),
    ...(masking ? { hidden: isMasked } : {}),
  });
  return {
    ledger,
    isCustody: ledger === context.journal.ledger,
    act: { actor: actorOf(request), ledger: ledger.name, query: query.trim() === '' ? '*' : query },
    selection: (signal) => ({ ledger, matcher, signal, ...(masking ? { masking } : {}) }),
  };
}

function goneSignal(reply: ApiReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return gone.signal;
}
