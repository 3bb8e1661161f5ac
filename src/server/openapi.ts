// The API described for programs (OpenAPI 3.1). Written by hand; a test compares it with the routes that exist.

import {
  count,
  error,
  flag,
  ledgerStatus,
  list,
  object,
  quarantinedItem,
  record,
  role,
  type Schema,
  source,
  text,
  time,
  token,
} from './openapi-schemas.ts';

const parameter = (
  name: string,
  place: 'query' | 'path' | 'header',
  schema: Schema,
  description: string,
) => ({
  name,
  in: place,
  required: place === 'path',
  schema,
  description,
});
const q = parameter(
  'q',
  'query',
  text,
  'Query, for instance: port:8443 tls<1.2 user:svc-* -outcome:success since:24h',
);
const ledgerQuery = parameter(
  'ledger',
  'query',
  text,
  'Default: access. The custody ledger needs auditor or admin.',
);
const cursor = parameter(
  'cursor',
  'query',
  count,
  'Only entries below this index: continue an earlier answer.',
);
const ledgerPath = parameter('ledger', 'path', text, 'Name of the ledger.');
const namePath = parameter('name', 'path', text, 'Name of the ledger.');
const indexPath = parameter('index', 'path', count, 'Index of the entry.');

const answer = (description: string, type: string, schema: Schema = text) => ({
  description,
  content: { [type]: { schema } },
});
const json = (description: string, schema: Schema) => answer(description, 'application/json', schema);
const refusals = (...statuses: readonly number[]) =>
  Object.fromEntries(statuses.map((status) => [status, json(REFUSALS[status]!, error)]));
const REFUSALS: Readonly<Record<number, string>> = {
  400: 'The request is malformed; the message says what was expected.',
  401: 'No acceptable token.',
  403: 'The role does not allow it.',
  404: 'There is nothing here.',
  409: 'It contradicts what exists.',
  413: 'The body is larger than 16 MiB, as sent or decompressed, or has more than 200,000 items.',
  415: 'Content type or encoding is not accepted.',
  422: 'The idempotency key belongs to another body.',
  503: 'Not now: overloaded (Retry-After says when), a ledger has stopped, or custody cannot be recorded.',
};
const open: readonly unknown[] = [];
const oneLedger = {
  required: false,
  content: { 'application/json': { schema: object({ ledger: text }, ['ledger']) } },
};
const lines = {
  type: 'string',
  description: 'One record a line (NDJSON). Blank lines only keep the connection alive.',
};

export const OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'Portledger',
    version: '0',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    description:
      'Every reading is recorded in the custody ledger before the first byte of its answer, and its end after the last.',
  },
  security: [{ bearer: [] }, { basic: [] }, { apiKey: [] }],
  components: {
    securitySchemes: {
      bearer: { type: 'http', scheme: 'bearer' },
      basic: { type: 'http', scheme: 'basic', description: 'Any user name; the token is the password.' },
      apiKey: { type: 'apiKey', in: 'header', name: 'Authorization', description: 'ApiKey <token>' },
    },
  },
  paths: {
    '/api/v1/records': {
      post: {
        summary: 'Add records; answered once they are durable.',
        description:
          'Needs append. At most 16 MiB, decompressed too. What is no record is kept apart and reported.',
        parameters: [
          parameter(
            'Idempotency-Key',
            'header',
            { type: 'string', pattern: '^[\\x21-\\x7e]{1,256}$' },
            'The same key with the same body adds nothing and gets the same answer, for 24 hours.',
          ),
          parameter(
            'Content-Encoding',
            'header',
            { enum: ['gzip', 'identity'] },
            'How the body is compressed.',
          ),
        ],
        requestBody: {
          required: true,
          content: {
            'application/x-ndjson': { schema: lines },
            'application/json': { schema: { oneOf: [record, list(record)] } },
          },
        },
        responses: {
          200: {
            ...json(
              'Durable.',
              object({
                ranges: list(object({ ledger: text, first: count, count })),
                quarantined: list(object({ position: count, reason: text })),
              }),
            ),
            headers: {
              'Portledger-Replayed': { schema: { const: 'true' }, description: 'Set on a replay.' },
            },
          },
          ...refusals(400, 401, 403, 413, 415, 422, 503),
        },
      },
    },
    '/api/v1/search': {
      get: {
        summary: 'Find records, newest first.',
        description:
          'Needs read. To continue, ask again with cursor = ledger.index of the last line; the trailer Portledger-Cursor says the same, and is empty when there is no more.',
        parameters: [
          q,
          parameter(
            'limit',
            'query',
            { type: 'integer', minimum: 1, maximum: 10_000, default: 100 },
            'Records.',
          ),
          cursor,
          ledgerQuery,
        ],
        responses: {
          200: {
            ...answer('Records.', 'application/x-ndjson', lines),
            headers: { Trailer: { schema: { const: 'portledger-cursor' } } },
          },
          ...refusals(400, 401, 403, 404, 503),
        },
      },
    },
    '/api/v1/tail': {
      get: {
        summary: 'Follow records as they become durable.',
        description: 'Needs read. A blank line at least every 15 seconds.',
        parameters: [q, parameter('from', 'query', count, 'First index; default: from now on.'), ledgerQuery],
        responses: {
          200: answer('Records, without end.', 'application/x-ndjson', lines),
          ...refusals(400, 401, 403, 404, 503),
        },
      },
    },
    '/api/v1/records/{ledger}/{index}': {
      get: {
        summary: 'One entry.',
        description: 'Needs read. Has record, control or item, by its kind.',
        parameters: [ledgerPath, indexPath],
        responses: {
          200: json(
            'The entry.',
            object(
              {
                ledger: text,
                index: count,
                kind: { enum: ['record', 'quarantined', 'control'] },
                published: { ...flag, description: 'Whether it is under the signed checkpoint.' },
                record,
                control: { type: 'object' },
                item: quarantinedItem,
              },
              ['record', 'control', 'item'],
            ),
          ),
          ...refusals(400, 401, 403, 404, 503),
        },
      },
    },
    '/api/v1/prove/{ledger}/{index}': {
      get: {
        summary: 'The C2SP tlog-proof file of one entry, with the entry unmasked.',
        description: 'Needs prove.',
        parameters: [ledgerPath, indexPath],
        responses: { 200: answer('The proof.', 'text/plain'), ...refusals(400, 401, 403, 404, 503) },
      },
    },
    '/api/v1/quarantine': {
      get: {
        summary: 'Items that are no records, as they were received, newest first.',
        description: 'Needs quarantine.',
        parameters: [
          parameter('limit', 'query', { type: 'integer', minimum: 1, maximum: 1000, default: 100 }, 'Items.'),
          cursor,
          ledgerQuery,
        ],
        responses: {
          200: json(
            'Items.',
            object({ ledger: text, items: list(quarantinedItem), cursor: count }, ['cursor']),
          ),
          ...refusals(400, 401, 403, 404, 503),
        },
      },
    },
    '/api/v1/ledgers': {
      get: {
        summary: 'Status of every ledger.',
        description: 'Needs read.',
        responses: {
          200: json('Ledgers.', object({ ledgers: list(ledgerStatus) })),
          ...refusals(400, 401, 403),
        },
      },
    },
    '/api/v1/sources': {
      get: {
        summary: 'Who has sent, how much, and when last; since the start of the server.',
        description: 'Needs read.',
        responses: {
          200: json('Sources.', object({ since: time, sources: list(source) })),
          ...refusals(400, 401, 403),
        },
      },
    },
    '/api/v1/status': {
      get: {
        summary: 'The state of the installation.',
        description: 'Needs read.',
        responses: {
          200: json(
            'Status.',
            object({
              version: text,
              started: time,
              now: time,
              ready: flag,
              problems: list(object({ ledger: text, reason: text })),
              ledgers: list(ledgerStatus),
              intake: object({ bytesInFlight: count, bytesInFlightMax: count }),
              sources: list(source),
            }),
          ),
          ...refusals(400, 401, 403),
        },
      },
    },
    '/api/v1/tokens': {
      get: {
        summary: 'All tokens, revoked ones included; never their text.',
        description: 'Needs administer.',
        responses: { 200: json('Tokens.', object({ tokens: list(token) })), ...refusals(400, 401, 403, 503) },
      },
      post: {
        summary: 'Create a token. Its text is in this answer and nowhere else.',
        description: 'Needs administer.',
        requestBody: {
          required: true,
          content: {
            'application/json': {
              schema: object({ name: text, role, expires: time }, ['expires']),
            },
          },
        },
        responses: {
          201: json('The token.', { allOf: [token, object({ token: text })] }),
          ...refusals(400, 401, 403, 409, 415, 503),
        },
      },
    },
    '/api/v1/tokens/{id}': {
      delete: {
        summary: 'Revoke a token, from the next request on.',
        description: 'Needs administer. The last working admin token stays.',
        parameters: [parameter('id', 'path', text, 'Id of the token.')],
        responses: { 200: json('The revoked token.', token), ...refusals(400, 401, 403, 404, 409, 503) },
      },
    },
    '/api/v1/publish': {
      post: {
        summary: 'Publish what is durable, now.',
        description: 'Needs administer.',
        requestBody: oneLedger,
        responses: {
          200: json(
            'Published sizes by ledger.',
            object({ published: { type: 'object', additionalProperties: count } }),
          ),
          ...refusals(400, 401, 403, 404, 415, 503),
        },
      },
    },
    '/api/v1/keys/rotate': {
      post: {
        summary: 'Make a new root key, and wrap the key of every epoch and the log signing key under it.',
        description:
          'Needs administer. Records are not encrypted again. The root key is one for all ledgers. Refused (409) where the ' +
          'root key has a passphrase.',
        responses: {
          200: json(
            'The id of the new root key, and how many epoch keys it wraps.',
            object({ rotated: object({ root: text, rewrapped: count }) }),
          ),
          ...refusals(400, 401, 403, 409, 503),
        },
      },
    },
    '/api/openapi.json': {
      get: {
        security: open,
        summary: 'This description.',
        responses: { 200: json('OpenAPI.', { type: 'object' }) },
      },
    },
    '/ledgers/{name}/checkpoint': {
      get: {
        security: open,
        summary: 'The signed checkpoint (C2SP tlog-checkpoint).',
        parameters: [namePath],
        responses: { 200: answer('Signed note.', 'text/plain'), ...refusals(404) },
      },
    },
    '/ledgers/{name}/key.pub': {
      get: {
        security: open,
        summary: "The log's verifier key (C2SP signed-note).",
        parameters: [namePath],
        responses: { 200: answer('Verifier key.', 'text/plain'), ...refusals(404) },
      },
    },
    '/ledgers/{name}/tile/{path}': {
      get: {
        security: open,
        summary: 'Tiles and entry bundles (C2SP tlog-tiles).',
        parameters: [namePath, parameter('path', 'path', text, '<L>/<N>[.p/<W>] or entries/<N>[.p/<W>]')],
        responses: { 200: answer('Tile.', 'application/octet-stream', { type: 'string' }), ...refusals(404) },
      },
    },
    '/healthz': {
      get: {
        security: open,
        summary: 'The process answers.',
        responses: { 200: json('Yes.', object({ ok: flag })) },
      },
    },
    '/readyz': {
      get: {
        security: open,
        summary: 'Records are accepted.',
        responses: {
          200: json('Yes.', object({ ready: flag, reasons: list(object({ ledger: text, reason: text })) })),
          503: json(
            'No, and why.',
            object({ ready: flag, reasons: list(object({ ledger: text, reason: text })) }),
          ),
        },
      },
    },
    '/metrics': {
      get: {
        summary: 'Prometheus metrics.',
        description: 'Needs read.',
        responses: { 200: answer('Metrics.', 'text/plain'), ...refusals(401, 403) },
      },
    },
    '/': {
      get: {
        security: open,
        summary: 'What this is, for people.',
        responses: { 200: answer('Page.', 'text/html') },
      },
    },
  },
} as const;
