// POST /api/v1/records: records in, durable when answered.

import { performance } from 'node:perf_hooks';
import { ApiError, asApiError } from '../api-error.ts';
import { type App, principalOf, type ServerContext } from '../context.ts';
import { Parameters } from '../parameters.ts';
import { bodyFormat, readBody } from '../request-body.ts';

/** Visible ASCII: it goes into digests and comparisons, and must not differ by an invisible character. */
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,256}$/;

export function registerRecords(app: App, context: ServerContext): void {
  const { intake, metrics } = context;
  app.register(async (scope: App) => {
    // The body is read by us, not by the framework: with a limit that holds after decompression, against one budget.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined));

    scope.post('/api/v1/records', { config: { permission: 'append' } }, async (request, reply) => {
      try {
        new Parameters(request.query, []);
        const format = bodyFormat(request.headers['content-type']);
        const idempotencyKey = parseIdempotencyKey(request.headers['idempotency-key']);
        using lease = intake.budget.open();
        const body = await readBody(request.raw, lease);
        const started = performance.now();
        const accepted = await intake.accept({
          principal: principalOf(request).name,
          format,
          body,
          ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
        });
        metrics.appendSeconds.observe((performance.now() - started) / 1000);
        const { ledger, first, count, quarantined, replayed } = accepted;
        if (replayed) {
          reply.header('portledger-replayed', 'true');
        } else {
          metrics.accepted.inc(count);
          metrics.quarantined.inc(quarantined.length);
          metrics.bodyBytes.inc(body.length);
        }
        return { ranges: count === 0 ? [] : [{ ledger, first, count }], quarantined };
      } catch (error) {
        metrics.refused.inc({ reason: asApiError(error).code });
        throw error;
      }
    });
  });
}

function parseIdempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && IDEMPOTENCY_KEY.test(header)) return header;
  throw new ApiError(
    400,
    'invalid-idempotency-key',
    'Cannot accept records: the Idempotency-Key header is not acceptable, expected 1 to 256 visible ASCII characters.',
  );
}
