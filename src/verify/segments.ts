// The segment files of a ledger: which exist, where each ends, and whether their headers can be what they say.
//
//   0000000001.seg  [ header | frames ………… ]
//   0000000002.seg  [ header: previous length ─┘| frames … ]         a segment ends where the next one says; what lies
//                                                                   behind that was left by a crash

import { isProblem } from '../bytes/problem.ts';
import {
  originHash,
  parseSegmentHeader,
  SEGMENT_HEADER_BYTES,
  segmentFileName,
} from '../sealed/segment-header.ts';
import { segmentFile } from './frame-reader.ts';
import type { Findings } from './report.ts';
import type { Source } from './source.ts';
import { checkLeftover } from './torn-end.ts';

export interface SegmentInfo {
  readonly number: number;
  readonly size: number;
  /** Where it ends as part of the log, as the segment after it says; its file may be shorter or longer. */
  readonly end: number;
  readonly epoch: number;
  /** Index of its first entry. */
  readonly first: number;
  /** Hex. */
  readonly previousChain: string;
  /** The header cannot be read: nothing of it but number and size counts. */
  readonly damaged: boolean;
}

export async function listSegments(
  source: Source,
  ledger: string,
  origin: string,
  findings: Findings,
): Promise<SegmentInfo[]> {
  const names = (await source.list(`${ledger}content`)) ?? [];
  const numbers: number[] = [];
  for (const { name, kind } of names) {
    const file = `${ledger}content/${name}`;
    const number = Number(/^(\d{10})\.seg$/.exec(name)?.[1]);
    if (kind === 'file' && number > 0) numbers.push(number);
    else if (kind === 'file' && name.endsWith('.tmp'))
      findings.note(`${file}: a temporary file, not part of the ledger`);
    else findings.problem(file, 0, 0, 'this does not belong here');
  }

  const segments: SegmentInfo[] = [];
  // From the last one backwards: each header says where the segment before it ends.
  let next: { readonly number: number; readonly first: number; readonly previousLength: number } | undefined;
  for (const number of numbers.sort((a, b) => b - a)) {
    const file = segmentFile(ledger, number);
    const size = (await source.size(file)) ?? 0;
    const header = parseSegmentHeader(await source.read(file, 0, SEGMENT_HEADER_BYTES));
    const followed = next !== undefined && next.number === number + 1;
    const end = followed ? next!.previousLength : size;
    const info = { number, size, end };
    const problem = isProblem(header) ? header.problem : headerProblem(header, number, origin);
    if (isProblem(header) || problem !== undefined) {
      const first = next?.first ?? 0;
      findings.problem(file, first, first, problem!);
      segments.push({ ...info, epoch: 0, first, previousChain: '', damaged: true });
      next = undefined;
      continue;
    }
    segments.push({
      ...info,
      epoch: header.epoch,
      first: header.first,
      previousChain: Buffer.from(header.previousChain).toString('hex'),
      damaged: false,
    });
    if (followed && size > end) {
      const left = await checkLeftover(source, file, { end, size, index: next!.first });
      if (isProblem(left)) findings.problem(file, next!.first, next!.first, left.problem);
      else if (left.note !== undefined) findings.note(left.note);
    }
    next = { number, first: header.first, previousLength: header.previousLength };
  }
  return segments.reverse();
}

function headerProblem(
  header: { readonly segment: number; readonly originHash: Uint8Array; readonly previousLength: number },
  number: number,
  origin: string,
): string | undefined {
  if (header.segment !== number) {
    return `the header says ${segmentFileName(header.segment)}, the name says ${segmentFileName(number)}`;
  }
  if (!originHash(origin).equals(header.originHash)) return `the segment is not of the log ${origin}`;
  const isFirst = number === 1;
  if (isFirst !== (header.previousLength === 0))
    return `the header says the segment before it has ${header.previousLength} bytes`;
  return undefined;
}
