// What went wrong, for whoever asked: {"error":{"code","message"}} with a status. Whatever is not known here is ours, and
// leaves as "internal" without details; the details are in the server's log.

import { AccessError } from '../access/access-store.ts';
import { CustodyError } from '../access/custody-journal.ts';
import { TooManyItemsError } from '../event/batch-encoder.ts';
import { LedgerError, type LedgerErrorCode } from '../ledger/ledger.ts';

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  /** For programs; the message is for people. */
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

const LEDGER_STATUS: Readonly<Record<LedgerErrorCode, number>> = {
  overloaded: 503,
  'key-reused': 422,
  stopped: 503,
  'disk-full': 503,
  'not-found': 404,
  damaged: 503,
  'behind-anchor': 503,
  'unlike-anchor': 503,
  locked: 503,
};

const ACCESS_STATUS = { invalid: 400, 'name-taken': 409, 'not-found': 404, 'last-admin': 409 } as const;

/** A writer that has stopped needs a person; asking more often than this helps nobody. */
const STOPPED_RETRY_SECONDS = 30;

export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof LedgerError) {
    const status = LEDGER_STATUS[error.code];
    const retryAfter = error.retryAfterSeconds ?? STOPPED_RETRY_SECONDS;
    return new ApiError(
      status,
      error.code,
      error.message,
      status === 503 ? { 'retry-after': String(retryAfter) } : {},
    );
  }
  if (error instanceof TooManyItemsError) return new ApiError(413, 'too-many-items', error.message);
  if (error instanceof AccessError) {
    return new ApiError(ACCESS_STATUS[error.code], error.code, error.message);
  }
  if (error instanceof CustodyError) {
    return new ApiError(503, 'custody-unavailable', error.message, {
      'retry-after': String(STOPPED_RETRY_SECONDS),
    });
  }
  return ofFramework(error);
}

/** Fastify's own refusals (a malformed URL, a body that is no JSON) carry a status below 500 and say nothing secret. */
function ofFramework(error: unknown): ApiError {
  const { statusCode, code, message } = (error ?? {}) as Record<string, unknown>;
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    const reason = typeof code === 'string' ? code.replace(/^FST_(ERR_)?/, '').toLowerCase() : 'bad-request';
    return new ApiError(
      statusCode,
      reason.replaceAll('_', '-'),
      `Cannot answer request: ${String(message)}.`,
    );
  }
  return new ApiError(
    500,
    'internal',
    "Cannot answer request: an error on our side, expected none. The server's log has the details.",
  );
}

export function errorBody(error: ApiError): string {
  return `${JSON.stringify({ error: { code: error.code, message: error.message } })}\n`;
}
