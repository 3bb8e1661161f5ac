// The shapes in the API's description (OpenAPI 3.1, JSON Schema).

export type Schema = Readonly<Record<string, unknown>>;

export const text: Schema = { type: 'string' };
export const count: Schema = { type: 'integer', minimum: 0 };
export const time: Schema = { type: 'string', format: 'date-time' };
export const flag: Schema = { type: 'boolean' };
export const list = (items: Schema): Schema => ({ type: 'array', items });
export const object = (
  properties: Readonly<Record<string, Schema>>,
  optional: readonly string[] = [],
): Schema => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
});

export const record: Schema = {
  type: 'object',
  description: 'One record: flat, dotted field names, scalar values, with ledger.name and ledger.index.',
  additionalProperties: { type: ['string', 'number', 'boolean'] },
};
export const ledgerStatus = object(
  {
    name: text,
    origin: text,
    verifierKey: text,
    size: { ...count, description: 'Durable entries.' },
    published: { ...count, description: 'Entries under the signed checkpoint.' },
    root: text,
    epoch: count,
    records: count,
    quarantined: count,
    contentBytes: count,
    queuedBytes: count,
    stopped: { ...text, description: 'Set once the writer has stopped: why.' },
  },
  ['stopped'],
);
export const source = object({
  observer: text,
  records: count,
  quarantined: count,
  bytes: count,
  last: time,
});
export const role: Schema = { enum: ['admin', 'auditor', 'viewer', 'ingest'] };
export const token = object(
  {
    id: text,
    name: text,
    role,
    created: time,
    expires: time,
    lastUsed: { ...time, description: 'Coarse: to five minutes.' },
    revoked: time,
  },
  ['expires', 'lastUsed', 'revoked'],
);
export const quarantinedItem = object({
  index: count,
  position: { ...count, description: 'Where the item stood in its request, from 0.' },
  reason: text,
  received: time,
  encoding: { enum: ['utf-8', 'base64'] },
  content: text,
});
export const error = object({ error: object({ code: text, message: text }) });
