// Single entries: one record, its proof, and what was kept apart.

import { roleAllows } from '../../access/principals.ts';
import { type Ledger, LedgerError, type StoredEntry } from '../../ledger/ledger.ts';
import { type App, actorOf, principalOf, readableLedger, type ServerContext } from '../context.ts';
import { Parameters, parseCount } from '../parameters.ts';
import { answerRecorded } from '../recorded-answer.ts';
import { outputRecord } from '../search-records.ts';

const QUARANTINE_DEFAULT = 100;
const QUARANTINE_MAX = 1000;
/** One item may be as long as a body: the list ends early rather than fill the memory. */
const QUARANTINE_BYTES_MAX = 16 * 1024 * 1024;

interface EntryAddress {
  Params: { ledger: string; index: string };
}

export function registerEvidence(app: App, context: ServerContext): void {
  app.get<EntryAddress>(
    '/api/v1/records/:ledger/:index',
    { config: { permission: 'read' } },
    async (request, reply) => {
      new Parameters(request.query, []);
      const ledger = readableLedger(context, request, request.params.ledger);
      const index = parseIndex(request.params.index);
      const act = { actor: actorOf(request), action: 'view', ledger: ledger.name, parameters: { index } };
      const { role } = principalOf(request);
      const body = await answerRecorded(context, act, async () => {
        const entry = await readEntry(ledger, index);
        const { published } = ledger.status();
        const shown = showEntry(
          context,
          ledger,
          entry,
          roleAllows(role, 'unmasked'),
          roleAllows(role, 'quarantine'),
        );
        const answer = {
          ledger: ledger.name,
          index,
          kind: entry.kind,
          published: index < published,
          ...shown,
        };
        return { body: `${JSON.stringify(answer)}\n`, rows: 1 };
      });
      return reply.type('application/json; charset=utf-8').send(body);
    },
  );

  app.get<EntryAddress>(
    '/api/v1/prove/:ledger/:index',
    { config: { permission: 'prove' } },
    async (request, reply) => {
      new Parameters(request.query, []);
      const ledger = readableLedger(context, request, request.params.ledger);
      const index = parseIndex(request.params.index);
      const act = { actor: actorOf(request), action: 'prove', ledger: ledger.name, parameters: { index } };
      const body = await answerRecorded(context, act, async () => {
        const entry = await readEntry(ledger, index);
        // The proof discloses the item as it was received: that needs the right to see it.
        if (entry.kind === 'quarantined' && !roleAllows(principalOf(request).role, 'quarantine')) {
          throw notFound(ledger, index);
        }
        return { body: await ledger.prove(index), rows: 1 };
      });
      reply.header('content-disposition', `attachment; filename="${ledger.name}-${index}.tlog-proof"`);
      return reply.type('text/plain; charset=utf-8').send(body);
    },
  );

  app.get('/api/v1/quarantine', { config: { permission: 'quarantine' } }, async (request, reply) => {
    const parameters = new Parameters(request.query, ['limit', 'cursor', 'ledger']);
    const limit = parameters.count('limit', 1, QUARANTINE_MAX) ?? QUARANTINE_DEFAULT;
    const below = parameters.count('cursor', 0, Number.MAX_SAFE_INTEGER);
    const ledger = readableLedger(context, request, parameters.text('ledger'));
    const act = {
      actor: actorOf(request),
      action: 'quarantine',
      ledger: ledger.name,
      parameters: { limit, cursor: below },
    };
    const body = await answerRecorded(context, act, async () => {
      const { items, cursor } = await readQuarantine(ledger, limit, below);
      return { body: `${JSON.stringify({ ledger: ledger.name, items, cursor })}\n`, rows: items.length };
    });
    return reply.type('application/json; charset=utf-8').send(body);
  });
}

async function readEntry(ledger: Ledger, index: number): Promise<StoredEntry> {
  for await (const entries of ledger.scan({ from: index, to: index + 1 })) {
    const entry = entries.find((one) => one.index === index);
    if (entry) return entry;
  }
  throw notFound(ledger, index);
}

function showEntry(
  context: ServerContext,
  ledger: Ledger,
  entry: StoredEntry,
  isUnmasked: boolean,
  seesQuarantine: boolean,
): Readonly<Record<string, unknown>> {
  switch (entry.kind) {
    case 'record':
      return { record: outputRecord(ledger, entry, isUnmasked ? undefined : context.masking) };
    case 'control':
      return { control: JSON.parse(Buffer.from(entry.bytes).toString()) as unknown };
    case 'quarantined': {
      const { content, encoding, ...item } = quarantinedItem(entry);
      return { item: seesQuarantine ? { ...item, content, encoding } : item };
    }
    default:
      return entry.kind satisfies never;
  }
}

async function readQuarantine(ledger: Ledger, limit: number, below: number | undefined) {
  const to = Math.min(below ?? Number.MAX_SAFE_INTEGER, ledger.status().size);
  const items: ReturnType<typeof quarantinedItem>[] = [];
  let bytes = 0;
  for await (const entries of ledger.scan({ order: 'newest', to, kinds: ['quarantined'] })) {
    for (const entry of entries) {
      items.push(quarantinedItem(entry));
      bytes += entry.bytes.length;
      if (items.length === limit || bytes > QUARANTINE_BYTES_MAX) return { items, cursor: entry.index };
    }
  }
  return { items };
}

/** Bytes that are text are shown as text, others as base64; both exactly as they were received. */
function quarantinedItem(entry: StoredEntry) {
  const stored = JSON.parse(Buffer.from(entry.bytes).toString()) as {
    readonly position: number;
    readonly raw: string;
    readonly reason: string;
    readonly received: string;
  };
  const raw = Buffer.from(stored.raw, 'base64');
  const text = raw.toString();
  const isText = Buffer.from(text).equals(raw);
  return {
    index: entry.index,
    position: stored.position,
    reason: stored.reason,
    received: stored.received,
    encoding: isText ? 'utf-8' : 'base64',
    content: isText ? text : stored.raw,
  };
}

function parseIndex(text: string): number {
  return parseCount('index', text, 0, Number.MAX_SAFE_INTEGER);
}

function notFound(ledger: Ledger, index: number): LedgerError {
  const { size } = ledger.status();
  const state =
    index < size
      ? 'it is not there for you, expected one that your role may see'
      : `there are ${size} entries, expected an index from 0 to ${size - 1}`;
  return new LedgerError('not-found', `Cannot read entry ${index} of ledger "${ledger.name}": ${state}.`);
}
