// A request's body as one Buffer, or a refusal before more of it is in memory than there is room for.
//
// Untrusted: length, encoding and content. Bounds: 16 MiB as sent and 16 MiB once decompressed, checked as the bytes come,
// so that a body of 16 KiB that unpacks to gigabytes costs no more than any other.

import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { ByteLease } from '../intake/byte-budget.ts';
import type { BodyFormat } from '../intake/records-intake.ts';
import { ApiError } from './api-error.ts';

export const BODY_BYTES_MAX = 16 * 1024 * 1024;

const FORMATS: Readonly<Record<string, BodyFormat>> = {
  'application/json': 'json',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
  'application/x-jsonlines': 'ndjson',
  'text/plain': 'ndjson',
};

/** By content type. Throws a 415. */
export function bodyFormat(contentType: string | undefined): BodyFormat {
  const [type = '', ...parameters] = (contentType ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const format = Object.hasOwn(FORMATS, type) ? FORMATS[type] : undefined;
  const charset = parameters
    .find((parameter) => parameter.startsWith('charset='))
    ?.slice(8)
    .replaceAll('"', '');
  if (format && (charset === undefined || charset === 'utf-8' || charset === 'us-ascii')) return format;
  const state = contentType === undefined ? 'missing' : 'not one of ours';
  throw new ApiError(
    415,
    'unsupported-content-type',
    `Cannot accept records: the content type is ${state}, expected application/x-ndjson or application/json in UTF-8.`,
    { 'accept-post': 'application/x-ndjson, application/json' },
  );
}

/** The whole body, decompressed; the lease covers it. Throws an ApiError, or a LedgerError where there is no room. */
export async function readBody(request: IncomingMessage, lease: ByteLease): Promise<Buffer> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'identity' && encoding !== 'gzip' && encoding !== 'x-gzip') {
    throw new ApiError(
      415,
      'unsupported-content-encoding',
      'Cannot accept records: the content encoding is not one of ours, expected gzip or none.',
      { 'accept-encoding': 'gzip' },
    );
  }
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > BODY_BYTES_MAX) throw tooLarge();
  lease.cover(declared);
  const body =
    encoding === 'identity' ? await collect(request, lease, declared) : await unpack(request, lease);
  if (body.length === 0) {
    throw new ApiError(
      400,
      'empty-body',
      'Cannot accept records: the body is empty, expected at least one record.',
    );
  }
  return body;
}

async function unpack(request: IncomingMessage, lease: ByteLease): Promise<Buffer> {
  const gunzip = createGunzip();
  let sent = 0;
  request.on('data', (chunk: Buffer) => {
    sent += chunk.length;
    if (sent > BODY_BYTES_MAX) gunzip.destroy(tooLarge());
  });
  request.on('error', (error) => gunzip.destroy(error));
  request.on('aborted', () => gunzip.destroy(aborted()));
  request.pipe(gunzip);
  try {
    return await collect(gunzip, lease, 0);
  } catch (error) {
    if (String((error as NodeJS.ErrnoException).code).startsWith('Z_')) {
      throw new ApiError(
        400,
        'bad-gzip',
        'Cannot accept records: the body does not decompress, expected whole gzip data as its content encoding says.',
      );
    }
    throw error;
  } finally {
    request.unpipe(gunzip);
    gunzip.destroy();
  }
}

async function collect(stream: Readable, lease: ByteLease, declared: number): Promise<Buffer> {
  // One copy where the length is known, into memory that is the body's own: views of it live as long as the request.
  const whole = declared > 0 ? Buffer.allocUnsafeSlow(declared) : undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  await drain(stream, (chunk) => {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) throw tooLarge();
    lease.cover(length);
    if (whole) chunk.copy(whole, length - chunk.length);
    else chunks.push(chunk);
  });
  return whole ? whole.subarray(0, length) : Buffer.concat(chunks, length);
}

/** Like `for await`, but that would destroy the request, and with it the connection, when `take` throws. */
function drain(readable: Readable, take: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (settle: () => void) => {
      // The error listener stays: an error that comes after the answer must not end the process.
      readable.off('data', onData).off('end', onEnd).off('close', onClose);
      settle();
    };
    const onEnd = () => stop(resolve);
    const onError = (error: unknown) => stop(() => reject(error));
    const onClose = () => onError(aborted());
    const onData = (chunk: Buffer) => {
      try {
        take(chunk);
      } catch (error) {
        onError(error);
      }
    };
    readable.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
  });
}

function tooLarge(): ApiError {
  return new ApiError(
    413,
    'body-too-large',
    `Cannot accept records: the body is larger than ${BODY_BYTES_MAX} bytes, expected at most that, decompressed too. Send several requests.`,
  );
}

function aborted(): ApiError {
  return new ApiError(
    400,
    'aborted',
    'Cannot accept records: the sender went away before the end of the body.',
  );
}
