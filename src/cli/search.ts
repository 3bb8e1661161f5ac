// `portledger search`: newest first. Over the API of a running server; on an installation that is given with --data and
// that nothing runs on, directly, which is a custody event of the operating-system user.

import type { Command } from 'commander';
import { examples } from './command-line.ts';
import type { DirectReader } from './direct-reader.ts';
import { resolveDirectories } from './directories.ts';
import { readPassphrase } from './files.ts';
import type { ExitCode, Invocation } from './invocation.ts';
import { parseCount } from './option-values.ts';
import { type OutputRecord, RecordTable } from './record-table.ts';
import { ROUTES } from './routes.ts';
import { addServerOptions, findServerToRead, runningServer, type ServerOptions } from './server-address.ts';
import { ServerClient } from './server-client.ts';

export const LIMIT_DEFAULT = 100;
/** Rows that are printed together: enough for column widths that hold, few enough that the first ones come at once. */
const GROUP_ROWS = 100;

/** Of commands that also read without a server. */
export interface DirectOptions extends ServerOptions {
  readonly passphraseFile?: string;
}

export interface SearchOptions extends DirectOptions {
  readonly limit: number;
  readonly ledger?: string;
  readonly json?: boolean;
}

export const QUERY_HELP =
  '\nQueries: port:8443  tls<1.2  user:svc-*  -outcome:success  since:24h  src:10.0.0.0/8  "quoted text"\n' +
  'Words side by side must all match; "or", "not" and ( ) work as expected.\n' +
  'A query that begins with - comes after --: portledger search -- -outcome:success\n';

export function define(command: Command, invocation: Invocation): void {
  addServerOptions(
    command
      .description(
        'Find records, newest first. With --data and no running server the ledger is read directly, and the search is ' +
          'recorded in the custody ledger under your operating-system user.',
      )
      .argument('[query...]', 'what to find; nothing finds everything')
      .option('-n, --limit <n>', 'stop after so many records', parseCount, LIMIT_DEFAULT)
      .option('--ledger <name>', 'the ledger to search (default: access)'),
  )
    .option('--passphrase-file <file>', 'passphrase of the root key, to read without a server')
    .option('--json', 'print one JSON record a line')
    .addHelpText(
      'after',
      QUERY_HELP +
        examples(
          "portledger search 'port:8443 tls<1.2 since:24h'",
          'portledger search user:svc-* -n 20 --json | jq .',
          'portledger search --ledger custody since:7d',
        ),
    )
    .action(async (words: string[], options: SearchOptions) => {
      invocation.exitCode = await search(words.join(' '), options, invocation);
    });
}

export async function search(
  query: string,
  options: SearchOptions,
  invocation: Invocation,
): Promise<ExitCode> {
  const stop = AbortSignal.any([invocation.interrupted, invocation.out.closed]);
  const found = isDirect(options, invocation)
    ? searchDirectly(query, options, invocation, stop)
    : searchServer(query, options, invocation, stop);
  try {
    const count = await printRecords(found, options.json === true, invocation);
    if (!options.json) await invocation.err.line(countLine(count, options.limit));
  } catch (error) {
    // Whoever closed the pipe or pressed Ctrl-C has seen enough.
    if (!stop.aborted) throw error;
  }
  return 0;
}

/** Whether there is nobody to ask: an installation was named, and no server runs on it. */
export function isDirect(options: ServerOptions, invocation: Invocation): boolean {
  if (options.server !== undefined || (options.data === undefined && options.state === undefined))
    return false;
  return runningServer(resolveDirectories(options, invocation), invocation) === undefined;
}

/** The server answers up to so many in one request; more are asked for from where the last answer ended. */
const PAGE_MAX = 10_000;

async function* searchServer(
  query: string,
  options: SearchOptions,
  invocation: Invocation,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  using client = new ServerClient(findServerToRead(options, invocation));
  let cursor: string | undefined;
  for (let left = options.limit; left > 0; ) {
    const limit = Math.min(left, PAGE_MAX);
    let found = 0;
    let last: Buffer | undefined;
    const wanted = { q: query, limit: String(limit), ledger: options.ledger, cursor };
    for await (const line of client.lines({ path: ROUTES.search, query: wanted, signal })) {
      found += 1;
      last = line;
      yield line;
    }
    left -= found;
    if (found < limit || left === 0) return;
    cursor = String((JSON.parse(last!.toString('utf8')) as OutputRecord)['ledger.index']);
  }
}

/** Loaded when it is needed: most readings go over the API. */
export async function openReader(options: DirectOptions, invocation: Invocation): Promise<DirectReader> {
  const { openDirectReader } = await import('./direct-reader.ts');
  const passphrase = options.passphraseFile && readPassphrase(invocation, options.passphraseFile);
  return await openDirectReader(resolveDirectories(options, invocation), passphrase, invocation);
}

async function* searchDirectly(
  query: string,
  options: SearchOptions,
  invocation: Invocation,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  await using reader = await openReader(options, invocation);
  yield* reader.search({ query, limit: options.limit, ledger: options.ledger ?? 'access', signal });
}

/** Prints lines as they are, or as a table; returns how many. */
async function printRecords(
  lines: AsyncIterable<Uint8Array>,
  json: boolean,
  invocation: Invocation,
): Promise<number> {
  const table = new RecordTable(invocation.out);
  let group: OutputRecord[] = [];
  let count = 0;
  for await (const line of lines) {
    count += 1;
    if (json) {
      await invocation.out.write(Buffer.concat([line, Buffer.from('\n')]));
      continue;
    }
    group.push(JSON.parse(Buffer.from(line).toString('utf8')) as OutputRecord);
    if (group.length === GROUP_ROWS) {
      await table.print(group);
      group = [];
    }
  }
  await table.print(group);
  return count;
}

function countLine(count: number, limit: number): string {
  if (count === 0) return 'No records match.';
  const records = count === 1 ? '1 record' : `${count} records`;
  return count === limit ? `${records}: the limit. There may be more (--limit).` : `${records}.`;
}
