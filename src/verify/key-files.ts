// The wrapped keys and the installation's own file (docs/formats.md, section 4): small JSON files with a check over themselves.
// What is wrapped cannot be seen from here; that the right keys are there, and no others, can.

import { hash } from 'node:crypto';
import { parseBase64 } from '../bytes/base64.ts';
import { canonicalText, type JsonValue } from '../event/canonical.ts';
import { parseCanonicalObject } from './control-entries.ts';
import type { Findings } from './report.ts';
import { type Source, SourceError } from './source.ts';
import type { EpochsFound } from './verify-ledger.ts';

const FILE_BYTES_MAX = 100_000;
const KEY_MEMBERS = 'check,epoch,ledger,root,v,wrapped';
/** Nonce, key, tag. */
const WRAPPED_BYTES = 12 + 32 + 16;

type Members = { readonly [name: string]: JsonValue };

/** Undefined where the bytes are not canonical JSON and a line feed with the right check in it. */
export function parseCheckedJson(bytes: Buffer): Members | undefined {
  if (bytes.at(-1) !== 0x0a) return undefined;
  const members = parseCanonicalObject(bytes.subarray(0, -1));
  if (members === undefined) return undefined;
  const { check, ...rest } = members;
  return hash('sha256', canonicalText(rest), 'hex').slice(0, 16) === check ? members : undefined;
}

export async function readCheckedJson(
  source: Source,
  file: string,
  findings: Findings,
): Promise<Members | undefined> {
  let bytes: Buffer | undefined;
  try {
    bytes = await source.readAll(file, FILE_BYTES_MAX);
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    findings.problem(file, 0, 0, error.message);
    return undefined;
  }
  if (bytes === undefined) {
    findings.problem(file, 0, 0, 'the file is missing');
    return undefined;
  }
  const members = parseCheckedJson(bytes);
  if (members === undefined) findings.problem(file, 0, 0, 'the file’s check does not match its content');
  return members;
}

export function keyFile(ledger: string, epoch: number): string {
  return `keys/${ledger}/${String(epoch).padStart(10, '0')}.json`;
}

/** The epochs that a ledger has key files for, each of them checked as far as it can be without the root key. */
export async function listKeys(source: Source, ledger: string, findings: Findings): Promise<number[]> {
  const epochs: number[] = [];
  const roots = new Set<string>();
  for (const { name, kind } of (await source.list(`keys/${ledger}`)) ?? []) {
    const file = `keys/${ledger}/${name}`;
    const epoch = Number(/^(\d{10})\.json$/.exec(name)?.[1]);
    if (kind === 'file' && name.endsWith('.tmp')) {
      findings.note(`${file}: a temporary file, not a key`);
      continue;
    }
    if (kind !== 'file' || !(epoch > 0)) {
      findings.problem(file, 0, 0, 'this does not belong here');
      continue;
    }
    epochs.push(epoch);
    const members = await readCheckedJson(source, file, findings);
    if (members === undefined) continue;
    const problem = keyProblem(members, ledger, epoch);
    if (problem !== undefined) findings.problem(file, 0, 0, problem);
    else roots.add(String(members.root));
  }
  if (roots.size > 1) {
    findings.note(
      `keys/${ledger}: the keys are wrapped under ${roots.size} root keys: a rotation was interrupted, or some are older copies.`,
    );
  }
  return epochs;
}

function keyProblem(members: Members, ledger: string, epoch: number): string | undefined {
  if (Object.keys(members).join() !== KEY_MEMBERS || members.v !== 1 || typeof members.root !== 'string') {
    return 'this is not a wrapped key';
  }
  if (members.ledger !== ledger || members.epoch !== epoch) {
    return `this is the key of epoch ${members.epoch} of ledger ${members.ledger}`;
  }
  const wrapped = typeof members.wrapped === 'string' ? parseBase64(members.wrapped) : undefined;
  return wrapped?.length === WRAPPED_BYTES ? undefined : 'the wrapped key has the wrong length';
}

/** Every epoch with content has its key, and no key is there that should not be. `listed` was read before the ledger was. */
export async function judgeKeys(
  source: Source,
  ledger: string,
  epochs: EpochsFound,
  listed: readonly number[],
  findings: Findings,
): Promise<void> {
  const { opened, destroyed, late } = epochs;
  for (const epoch of opened) {
    const file = keyFile(ledger, epoch);
    const isThere = (await source.size(file)) !== undefined;
    if (!isThere && !destroyed.has(epoch)) {
      findings.problem(
        file,
        0,
        0,
        `the key of epoch ${epoch} is missing, and no entry says that it was destroyed: its content cannot be read`,
      );
    }
    if (isThere && destroyed.has(epoch)) {
      findings.problem(
        file,
        0,
        0,
        `the ledger says that the key of epoch ${epoch} was destroyed, and here it is`,
      );
    }
  }
  // A writer makes the key before it opens the epoch.
  const next = (opened.at(-1) ?? 0) + 1;
  for (const epoch of listed) {
    if (!opened.includes(epoch) && epoch !== next && !late.has(epoch) && !late.has(epoch - 1)) {
      findings.problem(keyFile(ledger, epoch), 0, 0, `the ledger has no epoch ${epoch}`);
    }
  }
}
