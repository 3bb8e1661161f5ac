// `portledger token`: access tokens of a running server. A secret is written to a new file with mode 0600 and nowhere else;
// it is shown on the terminal only when `-o -` asks for that.

import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { ROLES } from '../access/principals.ts';
import { CommandError } from './command-error.ts';
import { examples } from './command-line.ts';
import { makeNewFile } from './files.ts';
import type { ExitCode, Invocation } from './invocation.ts';
import { parseDuration } from './option-values.ts';
import { ROUTES } from './routes.ts';
import { addServerOptions, findServer, type ServerOptions } from './server-address.ts';
import { ServerClient } from './server-client.ts';
import { printable } from './terminal.ts';

interface TokenDescription {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly created: string;
  readonly expires?: string;
  readonly lastUsed?: string;
  readonly revoked?: string;
}

interface CreateOptions extends ServerOptions {
  readonly name: string;
  readonly role: string;
  readonly expires?: number;
  readonly output: string;
  readonly json?: boolean;
}

interface ListOptions extends ServerOptions {
  readonly json?: boolean;
}

export function define(command: Command, invocation: Invocation): void {
  command
    .description(
      'Access tokens. Roles: admin (everything), auditor (read all, export, prove), viewer (read, personal values ' +
        'masked), ingest (add records).',
    )
    .addHelpText(
      'after',
      examples(
        'portledger token create --name gateway --role ingest --expires 90d -o gateway.token',
        'portledger token list',
        'portledger token revoke k3j5x2abcd',
      ),
    );
  addServerOptions(
    command
      .command('create')
      .description('Make a token and write its secret to a new file with mode 0600.')
      .requiredOption('--name <name>', 'who will use it; appears in custody entries')
      .requiredOption('--role <role>', ROLES.join(', '), parseRole)
      .option('--expires <duration>', 'for instance 90d, 12h, 1y (default: never)', parseDuration)
      .requiredOption('-o, --output <file>', 'the new file; - is standard output'),
  )
    .option('--json', 'print the description of the token as JSON')
    .addHelpText(
      'after',
      examples('portledger token create --name audit-2026 --role auditor --expires 30d -o audit.token'),
    )
    .action(async (options: CreateOptions) => {
      invocation.exitCode = await createToken(options, invocation);
    });
  addServerOptions(
    command.command('list').description('Show all tokens, revoked ones included; never a secret.'),
  )
    .option('--json', 'print them as JSON')
    .addHelpText('after', examples('portledger token list --json'))
    .action(async (options: ListOptions) => {
      invocation.exitCode = await listTokens(options, invocation);
    });
  addServerOptions(
    command
      .command('revoke')
      .description('Make a token useless, from the next request on. The last admin token cannot be revoked.')
      .argument('<id>', 'the id that the list shows'),
  )
    .option('--json', 'print the revoked token as JSON')
    .addHelpText('after', examples('portledger token revoke k3j5x2abcd'))
    .action(async (id: string, options: ListOptions) => {
      invocation.exitCode = await revokeToken(id, options, invocation);
    });
}

async function createToken(options: CreateOptions, invocation: Invocation): Promise<ExitCode> {
  const toOutput = options.output === '-';
  if (toOutput && options.json) {
    throw new CommandError('Cannot write secret and JSON to standard output: expected -o FILE with --json.');
  }
  using client = new ServerClient(findServer(options, invocation));
  const wanted = {
    name: options.name,
    role: options.role,
    ...(options.expires === undefined
      ? {}
      : { expires: new Date(invocation.now() + options.expires).toISOString() }),
  };
  const target = toOutput ? undefined : makeNewFile(invocation, options.output, 'token file');
  let answer: TokenDescription & { readonly token: string };
  try {
    answer = (await client.json({
      method: 'POST',
      path: ROUTES.tokens,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(wanted)),
    })) as typeof answer;
  } catch (error) {
    target?.discard();
    throw error;
  }
  const { token, ...description } = answer;
  if (target === undefined) {
    await invocation.out.line(token);
    return 0;
  }
  target.write(Buffer.from(`${token}\n`));
  if (options.json) await invocation.out.line(JSON.stringify(description));
  else {
    const until = description.expires === undefined ? '' : `, until ${description.expires}`;
    await invocation.out.line(
      `Token ${description.id} (${description.name}, ${description.role}${until}) is in ${options.output}.`,
    );
  }
  return 0;
}

async function listTokens(options: ListOptions, invocation: Invocation): Promise<ExitCode> {
  using client = new ServerClient(findServer(options, invocation));
  const answer = (await client.json({ path: ROUTES.tokens })) as { readonly tokens: TokenDescription[] };
  if (options.json) {
    await invocation.out.line(JSON.stringify(answer));
    return 0;
  }
  const rows = answer.tokens.map((token) => [
    token.id,
    token.name,
    token.role,
    stateOf(token, invocation.now()),
    day(token.created),
    day(token.lastUsed),
  ]);
  const titles = ['ID', 'NAME', 'ROLE', 'STATE', 'CREATED', 'LAST USED'];
  const widths = titles.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]!.length)));
  for (const row of [titles, ...rows]) {
    await invocation.out.line(
      row
        .map((cell, at) => printable(cell).padEnd(widths[at]!))
        .join('  ')
        .trimEnd(),
    );
  }
  return 0;
}

async function revokeToken(id: string, options: ListOptions, invocation: Invocation): Promise<ExitCode> {
  using client = new ServerClient(findServer(options, invocation));
  const token = await client.json({ method: 'DELETE', path: ROUTES.token(id) });
  await invocation.out.line(options.json ? JSON.stringify(token) : `Token ${printable(id)} is revoked.`);
  return 0;
}

function stateOf(token: TokenDescription, now: number): string {
  if (token.revoked !== undefined) return `revoked ${day(token.revoked)}`;
  if (token.expires === undefined) return 'valid';
  return Date.parse(token.expires) <= now ? `expired ${day(token.expires)}` : `until ${day(token.expires)}`;
}

function day(time: string | undefined): string {
  return time === undefined ? '-' : time.slice(0, 10);
}

function parseRole(text: string): string {
  if (!(ROLES as readonly string[]).includes(text)) {
    throw new InvalidArgumentError(`Expected one of ${ROLES.join(', ')}.`);
  }
  return text;
}
