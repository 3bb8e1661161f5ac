// The configuration of `portledger up`: one YAML file, every member optional. What is wrong is said with line and column.
// `docs/config.schema.json` is made from the same definition (tools/config-schema.ts), so that editors know it too.
//
// Relative paths are relative to the configuration file. The command line wins over the file.

import { dirname, resolve } from 'node:path';
import { type Document, isMap, isPair, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import { z } from 'zod';
import { CommandError } from './command-error.ts';
import { parseListenAddress } from './option-values.ts';

const path = z.string().min(1);

export const configSchema = z
  .strictObject({
    data: path.describe('Data directory: ledgers, search index, wrapped epoch keys.').optional(),
    state: path
      .describe(
        'State directory: anchor, root key file, tokens. Keep it on another file system than the data.',
      )
      .optional(),
    listen: z
      .string()
      .refine(
        (text) => parseListenAddress(text) !== undefined,
        'expected HOST:PORT, for instance 127.0.0.1:8420',
      )
      .describe('Address of API and console, HOST:PORT. Default: 127.0.0.1:8420.')
      .optional(),
    autoPorts: z.boolean().describe('Use the next free port where one is taken. Default: false.').optional(),
    readyFile: path.describe('Written once every door is open: addresses, CA file, token file.').optional(),
    passphraseFile: path.describe('File whose first line is the passphrase of the root key.').optional(),
  })
  .describe('Configuration of portledger up. Every member is optional.');

export interface Config {
  readonly data?: string | undefined;
  readonly state?: string | undefined;
  readonly listen?: string | undefined;
  readonly autoPorts?: boolean | undefined;
  readonly readyFile?: string | undefined;
  readonly passphraseFile?: string | undefined;
}

/** A configuration of a megabyte is a mistake; reading it would only delay saying so. */
const CONFIG_BYTES_MAX = 1024 * 1024;

export function parseConfig(text: string, file: string): Config {
  if (Buffer.byteLength(text) > CONFIG_BYTES_MAX) {
    throw new CommandError(
      `Cannot read configuration "${file}": it is longer than ${CONFIG_BYTES_MAX} bytes, expected a configuration of portledger up.`,
    );
  }
  const lines = new LineCounter();
  // Aliases could multiply a small file into a huge one, and there is nothing here to repeat.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const problems = document.errors.map((error) => at(lines, error.pos[0], error.message));
  visit(document, {
    Alias: (_, alias) => {
      problems.push(at(lines, alias.range?.[0] ?? 0, 'an alias (*name), expected the value itself'));
    },
  });
  if (problems.length === 0) {
    const result = configSchema.safeParse(document.toJS() ?? {});
    if (result.success) return withAbsolutePaths(result.data, dirname(file));
    problems.push(...result.error.issues.flatMap((issue) => describeIssue(issue, document, lines)));
  }
  throw new CommandError(
    `Cannot use configuration "${file}":\n${problems.map((line) => `  ${line}`).join('\n')}`,
  );
}

function describeIssue(issue: z.core.$ZodIssue, document: Document, lines: LineCounter): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const known = Object.keys(configSchema.shape);
      return at(
        lines,
        keyOffset(document, key),
        `unknown member "${key}", expected one of ${known.join(', ')}`,
      );
    });
  }
  const node: unknown = document.getIn(issue.path as string[], true);
  const offset = (node as { range?: [number, number, number] | null } | undefined)?.range?.[0] ?? 0;
  const name = issue.path.length === 0 ? 'the configuration' : issue.path.join('.');
  return [at(lines, offset, `${name}: ${issue.message}`)];
}

function keyOffset(document: Document, key: string): number {
  if (!isMap(document.contents)) return 0;
  const pair = document.contents.items.find(
    (item) => isPair(item) && isScalar(item.key) && item.key.value === key,
  );
  return (isScalar(pair?.key) ? pair.key.range?.[0] : undefined) ?? 0;
}

function at(lines: LineCounter, offset: number, message: string): string {
  const { line, col } = lines.linePos(offset);
  return `line ${Math.max(line, 1)}, column ${Math.max(col, 1)}: ${message}`;
}

function withAbsolutePaths(config: Config, base: string): Config {
  const absolute = (value: string | undefined): string | undefined =>
    value === undefined ? undefined : resolve(base, value);
  return {
    ...config,
    data: absolute(config.data),
    state: absolute(config.state),
    readyFile: absolute(config.readyFile),
    passphraseFile: absolute(config.passphraseFile),
  };
}
