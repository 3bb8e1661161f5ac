// For load balancers, monitoring, and people who arrive with a browser.

import type { App, ServerContext } from '../context.ts';
import { OPENAPI } from '../openapi.ts';
import { stoppedLedgers } from './operations.ts';

export function registerHealth(app: App, context: ServerContext): void {
  app.get('/healthz', async () => ({ ok: true }));

  app.get('/readyz', async (_request, reply) => {
    const reasons = context.draining.aborted
      ? [{ ledger: '', reason: 'the server is stopping' }]
      : stoppedLedgers(context);
    reply.code(reasons.length === 0 ? 200 : 503);
    return { ready: reasons.length === 0, reasons };
  });

  app.get('/metrics', { config: { permission: 'read' } }, async (_request, reply) => {
    const { registry } = context.metrics;
    return reply.type(registry.contentType).send(await registry.metrics());
  });

  app.get('/api/openapi.json', async (_request, reply) => {
    return reply
      .type('application/json; charset=utf-8')
      .send(JSON.stringify({ ...OPENAPI, info: { ...OPENAPI.info, version: context.version } }));
  });

  app.get('/', async (_request, reply) => reply.type('text/html; charset=utf-8').send(WELCOME));
}

/** Says what is here to somebody without a token; nothing in it depends on the installation. */
const WELCOME = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Portledger</title>
<h1>Portledger</h1>
<p>This server keeps access records of internal ports in a ledger that anybody can verify.</p>
<p>Send, find and prove records from a terminal on this machine:</p>
<pre>
portledger send access.ndjson
portledger search 'outcome:failure since:24h'
portledger prove 4711 -o 4711.tlog-proof
portledger doctor
</pre>
<p>Everything above goes through the API, which needs a token and is described in
<a href="/api/openapi.json">openapi.json</a>. What needs no token:
<a href="/ledgers/access/checkpoint">the signed checkpoint</a>, <a href="/ledgers/access/key.pub">the log's key</a>,
<a href="/healthz">healthz</a> and <a href="/readyz">readyz</a>.</p>
</html>
`;
