// A TLS server on a free port, with certificates as an installation makes them.

import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { openLocalTls } from '../../access/local-ca.ts';
import { MemoryDisk } from '../../access/testing/memory-disk.ts';

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface TlsServer {
  readonly url: URL;
  readonly ca: string;
  close(): void;
}

export async function startTlsServer(answer: Answer): Promise<TlsServer> {
  const tls = await openLocalTls({
    disk: new MemoryDisk(),
    directory: '/tls',
    names: ['127.0.0.1'],
    now: Date.now,
    random: randomBytes,
  });
  const server = createServer({ cert: tls.serverPem, key: tls.serverPem }, answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}/`),
    ca: tls.caPem,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
