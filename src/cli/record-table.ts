// Records as a table that fits the window: when, who, from where, to where, over what, with which outcome, what, and the
// index that `portledger prove` takes. Where output is piped nothing is cut.

import { cutToWidth, displayWidth, printable, type Terminal } from './terminal.ts';

export type OutputRecord = Readonly<Record<string, unknown>>;

interface Column {
  readonly title: string;
  readonly cell: (row: OutputRecord) => string;
  /** Cut down to this where the window is narrow; columns without it are never cut. */
  readonly widthMin?: number;
}

const COLUMNS: readonly Column[] = [
  { title: 'TIME (UTC)', cell: timeOf },
  { title: 'WHO', cell: whoOf, widthMin: 6 },
  { title: 'FROM', cell: (row) => endpointOf(row, 'source'), widthMin: 8 },
  { title: 'TO', cell: (row) => endpointOf(row, 'destination'), widthMin: 8 },
  { title: 'TLS', cell: (row) => text(row, 'tls.version'), widthMin: 3 },
  { title: 'OUTCOME', cell: (row) => text(row, 'event.outcome'), widthMin: 7 },
  { title: 'WHAT', cell: whatOf, widthMin: 10 },
  { title: 'INDEX', cell: indexOf },
];

const GAP = 2;
const WHAT_COLUMN = COLUMNS.findIndex((column) => column.title === 'WHAT');

/** Prints rows in groups: widths follow the first group, and grow where a later one needs more. */
export class RecordTable {
  readonly #out: Terminal;
  #widths: number[] | undefined;

  constructor(out: Terminal) {
    this.#out = out;
  }

  async print(rows: readonly OutputRecord[]): Promise<void> {
    if (rows.length === 0) return;
    const cells = rows.map((row) => COLUMNS.map((column) => printable(column.cell(row)) || '-'));
    const first = this.#widths === undefined;
    const needed = COLUMNS.map((column, at) =>
      Math.max(
        this.#widths?.[at] ?? displayWidth(column.title),
        cells.reduce((width, row) => Math.max(width, displayWidth(row[at]!)), 0),
      ),
    );
    this.#widths = this.#out.isTerminal ? fitWidths(needed, this.#out.columns) : needed;
    if (first)
      await this.#out.line(this.#out.colour('bold', this.#format(COLUMNS.map((column) => column.title))));
    await this.#out.write(
      rows.map((row, at) => `${this.#coloured(row, this.#format(cells[at]!))}\n`).join(''),
    );
  }

  #format(cells: readonly string[]): string {
    const last = cells.length - 1;
    return cells
      .map((cell, at) => {
        const width = this.#widths![at]!;
        const shown = this.#out.isTerminal ? cutToWidth(cell, width) : cell;
        return at === last ? shown : shown + ' '.repeat(Math.max(0, width - displayWidth(shown)) + GAP);
      })
      .join('');
  }

  #coloured(row: OutputRecord, line: string): string {
    return row['event.outcome'] === 'failure' ? this.#out.colour('red', line) : line;
  }
}

/** Takes away from the widest column that may be cut, until the row fits or nothing more can go. */
export function fitWidths(needed: readonly number[], columns: number): number[] {
  const widths = [...needed];
  const total = (): number => widths.reduce((sum, width) => sum + width, 0) + GAP * (widths.length - 1);
  for (let excess = total() - columns; excess > 0; excess -= 1) {
    let widest = -1;
    for (const [at, width] of widths.entries()) {
      const { widthMin } = COLUMNS[at] ?? {};
      if (widthMin === undefined || width <= widthMin) continue;
      // Between equals the description gives way last: it is what people read.
      if (widest === -1 || width > widths[widest]! || (width === widths[widest] && widest === WHAT_COLUMN))
        widest = at;
    }
    if (widest === -1) break;
    widths[widest]! -= 1;
  }
  return widths;
}

function text(row: OutputRecord, field: string): string {
  const value = row[field];
  return value === undefined || value === null ? '' : String(value);
}

function timeOf(row: OutputRecord): string {
  const time = text(row, '@timestamp');
  // Milliseconds are enough to read; --json has what was stored.
  const parts = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d{1,3})?\d*Z$/.exec(time);
  return parts === null ? time : `${parts[1]} ${parts[2]}${(parts[3] ?? '.').padEnd(4, '0')}`;
}

function whoOf(row: OutputRecord): string {
  for (const field of ['user.name', 'user.id', 'tls.client.subject', 'process.name']) {
    const value = text(row, field);
    if (value !== '') return value;
  }
  return '';
}

function endpointOf(row: OutputRecord, side: 'source' | 'destination'): string {
  const host = text(row, `${side}.service`) || text(row, `${side}.ip`);
  const port = text(row, `${side}.port`);
  if (port === '') return host;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function whatOf(row: OutputRecord): string {
  const method = text(row, 'http.request.method');
  const parts =
    method === ''
      ? [text(row, 'event.action') || text(row, 'record.kind')]
      : [method, text(row, 'url.path'), text(row, 'http.response.status_code')];
  parts.push(text(row, 'event.reason'));
  return parts.filter((part) => part !== '').join(' ');
}

function indexOf(row: OutputRecord): string {
  const ledger = text(row, 'ledger.name');
  const index = text(row, 'ledger.index');
  return ledger === '' || ledger === 'access' ? index : `${ledger}/${index}`;
}
