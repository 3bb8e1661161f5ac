// Writes docs/fields.md, the field reference, from the table in src/event/fields.ts. With --check it writes nothing and
// fails if the page is not what the table says.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FIELDS, type Field, type FieldGroup, type FieldType } from '../src/event/fields.ts';
import { LABEL_NAME_MAX, LABEL_VALUE_MAX, LABELS_MAX } from '../src/event/validate.ts';

export const PAGE = fileURLToPath(new URL('../docs/fields.md', import.meta.url));

const GROUPS: Readonly<Record<FieldGroup, string>> = {
  what: 'What happened',
  who: 'Who did it',
  'from and to': 'From where, to where',
  tls: 'TLS',
  http: 'HTTP',
  trace: 'What belongs together',
  provenance: 'How we know',
  output: 'In answers only',
};

const TYPES: Readonly<Record<FieldType, string>> = {
  keyword: 'text that is compared whole',
  text: 'text that is read, and searched by words',
  enum: 'one of the values listed',
  ip: 'IPv4 dotted, or IPv6 as in RFC 5952; an IPv4-mapped address is written as IPv4; a zone is dropped',
  port: 'number from 0 to 65535; accepted as text too',
  long: 'integer from 0 to 2^53 − 1; accepted as text too',
  duration: 'integer number of nanoseconds; accepted as text too',
  timestamp:
    'UTC with nine fractional digits. Accepted: RFC 3339 with any precision and offset, or seconds or milliseconds since 1970',
  boolean: '`true` or `false`; accepted as text too',
  list: 'sorted texts without repetition, joined with commas; `\\,` is a comma inside one, `\\\\` a backslash. Accepted as a JSON list too',
  hex: 'lower-case hex; colons are dropped',
  serial: 'certificate serial number: lower-case hex without leading zero bytes',
  'tls-version':
    '`1.3` `1.2` `1.1` `1.0` `ssl3` `ssl2` `dtls1.3` `dtls1.2` `dtls1.0`. Accepted: `TLSv1.3`, `TLS 1.3`, `TLSv13`, `0x0304`, 772 and their like',
  'suite-id': '`0x` and four hex digits. Accepted: `0xC02F`, `0xC0,0x2F`, 49199',
};

export function fieldReference(): string {
  const sections = Object.entries(GROUPS).map(([group, title]) => {
    const rows = FIELDS.filter((field) => field.group === group).map(row);
    return [`## ${title}`, '', HEADER, ...rows, ''].join('\n');
  });
  const types = Object.entries(TYPES).map(([type, meaning]) => `| ${type} | ${meaning} |`);
  return [
    '# Fields',
    '',
    '<!-- Made by tools/field-reference.ts from src/event/fields.ts. Change the table there. -->',
    '',
    'A record is flat: dotted names, one scalar each. Names are those of the Elastic Common Schema; *italic* ones are ours.',
    'The short names work in queries. Values marked *masked* are hidden from principals who may only read masked records.',
    '',
    'Senders may write fields flat (`"source.port": 443`), nested (`{"source": {"port": 443}}`), or as the plain template',
    '`{"timestamp", "user", "src_port", "dest_port", "action"}`, optionally with `src_ip` and `dest_ip`. `null`, `""` and `"-"`',
    'mean that there is no value. A value that is not what its field holds sends the whole item to quarantine, where it is',
    'kept as it was received; so does a name that appears twice.',
    '',
    `Attributes that have no field become \`labels.<name>\`, as text: up to ${LABELS_MAX} a record, names up to ${LABEL_NAME_MAX}`,
    `and values up to ${LABEL_VALUE_MAX} characters. \`field.omitted\` counts what was left out or cut.`,
    '',
    ...sections,
    '## Types',
    '',
    '| type | meaning |',
    '|---|---|',
    ...types,
    '',
  ].join('\n');
}

const HEADER =
  '| field | short | type | meaning | OCSF | OpenTelemetry | CEF |\n|---|---|---|---|---|---|---|';

function row(field: Field): string {
  const name = field.ours ? `*\`${field.name}\`*` : `\`${field.name}\``;
  const notes = [
    field.type === 'enum' ? `One of ${field.values.join(', ')}.` : '',
    field.lowerCase ? 'Lower case.' : '',
    field.source === 'us' ? 'Set by us.' : '',
    field.masked ? '*Masked.*' : '',
  ].filter((note) => note !== '');
  const meaning = [field.description, ...notes].join(' ');
  const cells = [
    name,
    field.aliases.map(code).join(' '),
    field.type,
    meaning,
    code(field.ocsf),
    code(field.otel),
    code(field.cef),
  ];
  return `| ${cells.join(' | ')} |`;
}

function code(text: string | undefined): string {
  return text === undefined ? '' : `\`${text}\``;
}

function main(): void {
  if (!process.argv.includes('--check')) {
    writeFileSync(PAGE, fieldReference());
    return;
  }
  if (readFileSync(PAGE, 'utf8') === fieldReference()) return;
  console.error(
    'Cannot accept docs/fields.md: it differs from the field table, expected the same. Run node tools/field-reference.ts.',
  );
  process.exitCode = 1;
}

if (import.meta.main) main();
