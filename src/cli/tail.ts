// `portledger tail`: records from now on, or from an index on, as they become durable. Where the connection is lost it is
// made again and goes on behind the last record that was shown. Before the first one there is no such place, so that gap
// is said: what arrives in it must not be missed silently.

import type { Command } from 'commander';
import { examples } from './command-line.ts';
import type { ExitCode, Invocation } from './invocation.ts';
import { parseIndex } from './option-values.ts';
import { type OutputRecord, RecordTable } from './record-table.ts';
import { ROUTES } from './routes.ts';
import { QUERY_HELP } from './search.ts';
import { addServerOptions, findServer, type ServerOptions } from './server-address.ts';
import { ConnectionLost, ServerClient, ServerRefusal } from './server-client.ts';

const RECONNECT_MS = 2000;
const RECONNECTS_MAX = 30;

export interface TailOptions extends ServerOptions {
  readonly ledger?: string;
  readonly from?: number;
  readonly json?: boolean;
}

export function define(command: Command, invocation: Invocation): void {
  addServerOptions(
    command
      .description('Follow records as they arrive. Ends with Ctrl-C.')
      .argument('[query...]', 'what to show; nothing shows everything')
      .option('--ledger <name>', 'the ledger to follow (default: access)')
      .option('--from <index>', 'begin at this index instead of now', parseIndex),
  )
    .option('--json', 'print one JSON record a line')
    .addHelpText(
      'after',
      QUERY_HELP + examples('portledger tail outcome:failure', 'portledger tail --json port:8443 | jq .'),
    )
    .action(async (words: string[], options: TailOptions) => {
      invocation.exitCode = await tail(words.join(' '), options, invocation);
    });
}

export async function tail(query: string, options: TailOptions, invocation: Invocation): Promise<ExitCode> {
  const stop = AbortSignal.any([invocation.interrupted, invocation.out.closed]);
  using client = new ServerClient(findServer(options, invocation));
  const table = new RecordTable(invocation.out);
  let connected = false;
  let from = options.from;
  for (let lost = 0; !stop.aborted; ) {
    try {
      const lines = client.lines({
        path: ROUTES.tail,
        query: { q: query, ledger: options.ledger, from: from?.toString() },
        signal: stop,
        onAnswer: () => {
          connected = true;
          lost = 0;
        },
      });
      for await (const line of lines) {
        const record = JSON.parse(line.toString('utf8')) as OutputRecord;
        if (options.json) await invocation.out.write(Buffer.concat([line, Buffer.from('\n')]));
        else await table.print([record]);
        from = Number(record['ledger.index']) + 1;
      }
      // The server ended the stream: it is stopping.
      throw new ConnectionLost(`Cannot follow ${client.address.url.origin}: the server ended the stream.`);
    } catch (error) {
      if (stop.aborted) break;
      if (!mayComeBack(error) || !connected || lost === RECONNECTS_MAX) throw error;
      lost += 1;
      if (lost === 1) {
        const gap =
          from === undefined ? '; what arrives meanwhile is not shown here (find it with search)' : '';
        await invocation.err.line(`portledger: connection lost, trying again${gap}.`);
      }
      await invocation.sleep(RECONNECT_MS, stop);
    }
  }
  return 0;
}

function mayComeBack(error: unknown): boolean {
  return error instanceof ConnectionLost || (error instanceof ServerRefusal && error.status === 503);
}
