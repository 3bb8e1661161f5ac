// `cache/<ledger>/`: what a writer starts from instead of reading the whole log (docs/formats.md, section 6). It proves nothing
// and may be deleted; but a changed one would cost a restart its memory of idempotency keys, so it is checked as well.
//
// Files only grow up to what `settled.json` says of them, and that file is replaced as a whole; a generation of requests may go
// while it is being looked for, so a mismatch is looked at twice.

import { createHash, createHmac, hkdfSync } from 'node:crypto';
import { canonicalText, type JsonValue } from '../event/canonical.ts';
import { parseCheckedJson } from './key-files.ts';
import type { Findings } from './report.ts';
import { type Source, SourceError } from './source.ts';

const SETTLED_BYTES_MAX = 1_000_000;
const STRETCH_BYTES = 1024 * 1024;

export interface CacheCheck {
  readonly source: Source;
  readonly ledger: string;
  readonly findings: Findings;
  readonly epochKey: ((ledger: string, epoch: number) => Uint8Array | undefined) | undefined;
  readonly sleep: (ms: number) => Promise<void>;
}

interface CacheProblem {
  readonly file: string;
  readonly problem: string;
}

export async function checkCache(check: CacheCheck): Promise<void> {
  const directory = `cache/${check.ledger}`;
  const entries = await check.source.list(directory);
  if (entries === undefined) return;
  for (const { name, kind } of entries) {
    if (
      kind === 'file' &&
      (name === 'settled.json' || name === 'reserve' || /^requests-\d+$/.test(name) || name.endsWith('.tmp'))
    )
      continue;
    check.findings.problem(`${directory}/${name}`, 0, 0, 'this does not belong here');
  }
  await checkReserve(check, `${directory}/reserve`);
  if ((await findProblem(check, directory)) === undefined) return;
  await check.sleep(2000);
  const problem = await findProblem(check, directory);
  if (problem !== undefined) check.findings.problem(`${directory}/${problem.file}`, 0, 0, problem.problem);
}

/** Room for a full disk, and nothing but zeros. */
async function checkReserve({ source, findings }: CacheCheck, file: string): Promise<void> {
  for (let at = 0; ; ) {
    const stretch = await source.read(file, at, STRETCH_BYTES);
    if (stretch.length === 0) return;
    if (stretch.some((byte) => byte !== 0)) {
      findings.problem(file, 0, 0, 'the reserve holds something, expected zeros');
      return;
    }
    at += stretch.length;
  }
}

async function findProblem(check: CacheCheck, directory: string): Promise<CacheProblem | undefined> {
  const { source, ledger, epochKey } = check;
  const file = 'settled.json';
  try {
    const bytes = await source.readAll(`${directory}/${file}`, SETTLED_BYTES_MAX);
    if (bytes === undefined) return { file, problem: 'the file is missing' };
    const members = parseCheckedJson(bytes);
    if (members === undefined) return { file, problem: 'the file’s check does not match its content' };
    const { check: _, mac, ...settled } = members;
    const epoch = Number((settled.epoch as { readonly number?: JsonValue } | undefined)?.number);
    const key = epochKey?.(ledger, epoch);
    if (key !== undefined && mac !== macOf(settled, key)) {
      return { file, problem: 'the file was not written by the ledger’s writer' };
    }
    for (const mark of Array.isArray(settled.requests) ? settled.requests : []) {
      const problem = await journalProblem(source, directory, mark as JournalMark);
      if (problem !== undefined) return problem;
    }
    return undefined;
  } catch (error) {
    if (error instanceof SourceError) return { file, problem: error.message };
    throw error;
  }
}

function macOf(settled: { readonly [name: string]: JsonValue }, epochKey: Uint8Array): string {
  const key = Buffer.from(hkdfSync('sha256', epochKey, '', 'portledger/v1/settled', 32));
  return createHmac('sha256', key).update(canonicalText(settled)).digest('hex');
}

interface JournalMark {
  readonly number: number;
  readonly bytes: number;
  readonly digest: string;
}

async function journalProblem(
  source: Source,
  directory: string,
  { number, bytes, digest }: JournalMark,
): Promise<CacheProblem | undefined> {
  const file = `requests-${number}`;
  const size = await source.size(`${directory}/${file}`);
  if (size === undefined) return bytes === 0 ? undefined : { file, problem: 'the file is missing' };
  if (size < bytes)
    return { file, problem: `the file has ${size} bytes, settled.json says at least ${bytes}` };
  const hash = createHash('sha256');
  for (let at = 0; at < bytes; at += STRETCH_BYTES) {
    const stretch = await source.read(`${directory}/${file}`, at, Math.min(STRETCH_BYTES, bytes - at));
    hash.update(stretch);
  }
  return hash.digest('hex') === digest
    ? undefined
    : { file, problem: 'the file’s content does not match settled.json' };
}
