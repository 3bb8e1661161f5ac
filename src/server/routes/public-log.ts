// The public half of each ledger, as C2SP tlog-tiles wants it: checkpoint, tiles, entry bundles, and the log's key. Open to
// everybody: it holds commitments only, and whoever verifies must not need our permission.
//
// What reaches the disk is a ledger's name that we know and a path that parses as a tile's, in its one spelling; nothing of
// the request is ever joined to a path.

import { ApiError } from '../api-error.ts';
import type { App, ServerContext } from '../context.ts';

/** tile/<level 0..63, or entries>/<index in groups of three digits>[.p/<width 1..255>] */
const TILE =
  /^(entries|[0-9]|[1-5][0-9]|6[0-3])\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?$/;

const TEXT = 'text/plain; charset=utf-8';
/** A tile of one path never changes. */
const FOREVER = 'public, max-age=31536000, immutable';

interface LedgerAddress {
  Params: { name: string };
}

export function registerPublicLog(app: App, context: ServerContext): void {
  const read = (name: string, path: string): Uint8Array => {
    const bytes = context.ledgers.has(name)
      ? context.disk.readFile(`${context.ledgersDirectory}/${name}/${path}`)
      : undefined;
    if (!bytes) throw notThere();
    return bytes;
  };

  app.get<LedgerAddress>('/ledgers/:name/checkpoint', async (request, reply) => {
    const checkpoint = read(request.params.name, 'checkpoint');
    return reply.header('cache-control', 'no-cache').type(TEXT).send(checkpoint);
  });

  app.get<LedgerAddress>('/ledgers/:name/key.pub', async (request, reply) => {
    const key = read(request.params.name, 'key.pub');
    return reply.header('cache-control', 'no-cache').type(TEXT).send(key);
  });

  app.get<{ Params: { name: string; '*': string } }>('/ledgers/:name/tile/*', async (request, reply) => {
    const tile = canonicalTilePath(request.params['*']);
    if (tile === undefined) throw notThere();
    const bytes = read(request.params.name, tile);
    return reply.header('cache-control', FOREVER).type('application/octet-stream').send(bytes);
  });
}

/** The path of the tile below its ledger, rebuilt from what was parsed; undefined where the text is no tile's path. */
export function canonicalTilePath(text: string): string | undefined {
  const parts = TILE.exec(text);
  if (!parts) return undefined;
  const [, level, index, width] = parts as unknown as [string, string, string, string | undefined];
  // Leading groups of zeros would be a second spelling of a shorter path.
  if (index.startsWith('x000/')) return undefined;
  return `tile/${level}/${index}${width === undefined ? '' : `.p/${width}`}`;
}

function notThere(): ApiError {
  return new ApiError(
    404,
    'not-found',
    'Cannot read the log: there is nothing at this path, expected a published tile.',
    {
      'cache-control': 'no-store',
    },
  );
}
