// What became of the records that `portledger send` was given, for people and for programs.

import type { Invocation } from './invocation.ts';
import { printable } from './terminal.ts';

const SHOWN_ITEMS_MAX = 20;

export interface IndexRange {
  readonly ledger: string;
  readonly first: number;
  count: number;
}

export interface RefusedItem {
  readonly file: string;
  readonly line: number;
  readonly reason: string;
}

export interface SendSummary {
  accepted: number;
  /** In order; neighbours are joined. */
  readonly ranges: IndexRange[];
  quarantinedCount: number;
  /** Kept by the server for inspection, not as records. The first 10,000. */
  readonly quarantined: RefusedItem[];
  skippedCount: number;
  /** Longer than a request may be: not sent at all. */
  readonly skipped: RefusedItem[];
  /** Of the last request, whose answer never came: accepted or not, only the server knows. */
  unsettled?: Unsettled;
}

interface Unsettled {
  readonly file: string;
  readonly firstLine: number;
  readonly lastLine: number;
  readonly count: number;
}

export async function printSummary(
  summary: SendSummary,
  options: { readonly json?: boolean },
  invocation: Invocation,
): Promise<void> {
  const { out } = invocation;
  invocation.err.clearProgress();
  if (options.json) {
    await out.line(JSON.stringify(summary));
    return;
  }
  await out.line(summaryLine(summary));
  for (const [title, list, count] of [
    ['quarantined', summary.quarantined, summary.quarantinedCount],
    ['not sent', summary.skipped, summary.skippedCount],
  ] as const) {
    for (const item of list.slice(0, SHOWN_ITEMS_MAX)) {
      await out.line(`  ${title} ${item.file}:${item.line}: ${printable(item.reason)}`);
    }
    if (count > SHOWN_ITEMS_MAX)
      await out.line(`  … and ${count - SHOWN_ITEMS_MAX} more (--json lists them)`);
  }
}

export function summaryLine(summary: SendSummary): string {
  const ranges = summary.ranges
    .slice(0, 5)
    .map(({ ledger, first, count }) => `${ledger} ${first}${count > 1 ? `–${first + count - 1}` : ''}`);
  if (summary.ranges.length > 5) ranges.push('…');
  const where = ranges.length === 0 ? '' : ` (${ranges.join(', ')})`;
  const noun = summary.accepted === 1 ? 'record' : 'records';
  const skipped = summary.skippedCount === 0 ? '' : `, ${summary.skippedCount} not sent`;
  const unsettled =
    summary.unsettled === undefined ? '' : `; of ${summary.unsettled.count} more it is not known`;
  return `${summary.accepted} ${noun} accepted${where}, ${summary.quarantinedCount} quarantined${skipped}${unsettled}`;
}
