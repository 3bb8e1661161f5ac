// Which port the server gets.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { CommandError } from './command-error.ts';
import type { ListenAddress } from './option-values.ts';

const PORTS_TRIED_MAX = 100;

/** Listens on the wanted port or, with `autoPorts`, on the next one that is free. */
export async function listenOnFreePort<T>(
  { host, port }: ListenAddress,
  autoPorts: boolean,
  listen: (port: number) => Promise<T>,
): Promise<T> {
  for (let tried = 0; ; tried += 1) {
    try {
      return await listen(port + tried);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
      if (code === 'EADDRINUSE') {
        if (autoPorts && tried + 1 < PORTS_TRIED_MAX && port + tried < 65_535) continue;
        const remedy = autoPorts
          ? `None of the ${tried + 1} ports from there on is free: choose another with --listen.`
          : 'Stop what uses it, choose another with --listen, or take the next free one with --auto-ports.';
        throw new CommandError(
          `Cannot listen on ${place}: the port is taken, expected a free one. ${remedy}`,
          error,
        );
      }
      if (code === 'EACCES') {
        throw new CommandError(
          `Cannot listen on ${place}: this user may not, expected a port from 1024 on. Choose one with --listen.`,
          error,
        );
      }
      if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
        throw new CommandError(
          `Cannot listen on ${place}: this host has no such address, expected one of its own. Choose one with --listen.`,
          error,
        );
      }
      throw error;
    }
  }
}

/** Fails as listening will, and leaves nothing behind: for before keys and ledgers are made. Another may still come first. */
export async function assertCanListen(address: ListenAddress, autoPorts: boolean): Promise<void> {
  await listenOnFreePort(address, autoPorts, async (port) => {
    const probe = createServer();
    probe.listen({ host: address.host, port });
    await once(probe, 'listening');
    probe.close();
    await once(probe, 'close');
  });
}
