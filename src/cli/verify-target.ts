// From the words of `portledger verify` to what the verifier needs: what is read, what is remembered of it from elsewhere,
// and, where the root key is at hand, the keys to look inside.
//
// Nothing is written: not even the key ring is opened, which would complete a rotation that a running server is in.

import { join, resolve } from 'node:path';
import { formatVerifierKey } from '../merkle/note.ts';
import { type VerifyReport, worst } from '../verify/report.ts';
import { type VerifyOptions as VerifierOptions, verifyInstallation } from '../verify/verify-installation.ts';
import { CommandError } from './command-error.ts';
import { type Directories, resolveDirectories } from './directories.ts';
import { readPassphrase, readTextFile } from './files.ts';
import type { Invocation } from './invocation.ts';
import { PublishedLog } from './published-log.ts';
import { openEpochKeys } from './read-epoch-keys.ts';
import { parseServerUrl } from './server-address.ts';
import { ServerClient } from './server-client.ts';
import { anchorsDirectory } from './state-files.ts';
import { readVerifierKey } from './verifier-key-option.ts';
import type { VerifyOptions } from './verify.ts';

/** What a server has, where its address does not name one. */
const LEDGERS_OF_A_SERVER = ['access', 'custody'];

export async function verifyTarget(
  target: string | undefined,
  options: VerifyOptions,
  invocation: Invocation,
): Promise<VerifyReport> {
  const common = {
    trustedKeys: (options.key ?? []).map((value) => formatVerifierKey(readVerifierKey(value, invocation))),
    sleep: (ms: number) => invocation.sleep(ms, invocation.interrupted),
    onProgress: ({ ledger, entries, of }: { ledger: string; entries: number; of: number }) =>
      invocation.err.progress(`${ledger}: ${entries} of ${of} entries`),
  };
  const kept = options.since === undefined ? [] : [readTextFile(invocation, options.since, 'checkpoint')];
  const report =
    target !== undefined && /^[a-z]+:\/\//i.test(target)
      ? await verifyAddress(target, { ...common, remembered: kept }, options, invocation)
      : await verifyDirectory(target, { ...common, remembered: kept }, options, invocation);
  if (!options.index) return report;
  const note = 'There is no search index to compare: this version searches the ledger itself.';
  return { ...report, notes: [...report.notes, note] };
}

type Common = Omit<VerifierOptions, 'directory'>;

async function verifyDirectory(
  target: string | undefined,
  common: Common,
  options: VerifyOptions,
  invocation: Invocation,
): Promise<VerifyReport> {
  if (target !== undefined && options.data !== undefined) {
    throw new CommandError(
      'Cannot choose what to verify: both a directory and --data are given, expected one.',
    );
  }
  const data = target ?? options.data;
  const directories = resolveDirectories({ data, state: options.state }, invocation);
  const passphrase = options.passphraseFile && readPassphrase(invocation, options.passphraseFile);
  const keys = openEpochKeys(directories, passphrase, invocation.disk);
  // Anchors before anything else: the log only grows, so what is read later must contain them.
  const remembered = [...common.remembered, ...readAnchors(directories, invocation)];
  const report = await verifyInstallation({
    ...common,
    directory: directories.data,
    remembered,
    ...(keys.epochKey === undefined ? {} : { epochKey: keys.epochKey }),
  });
  return keys.note === undefined ? report : { ...report, notes: [...report.notes, keys.note] };
}

/** Of every ledger that ever was: one whose directory is gone must be missed. */
function readAnchors(directories: Directories, { disk }: Invocation): string[] {
  const directory = anchorsDirectory(directories);
  return disk.list(directory).flatMap((name) => {
    const anchor = disk.readFile(join(directory, name));
    return anchor === undefined ? [] : [Buffer.from(anchor).toString('utf8')];
  });
}

/** The published half of one ledger, or of those that a server has. */
async function verifyAddress(
  target: string,
  common: Common,
  options: VerifyOptions,
  invocation: Invocation,
): Promise<VerifyReport> {
  const url = parseServerUrl(target);
  const caFile = options.ca ?? (invocation.environment.PORTLEDGER_CA_FILE || undefined);
  const ca =
    caFile === undefined
      ? undefined
      : readTextFile(invocation, resolve(invocation.workingDirectory, caFile), 'CA file');
  const named = /\/ledgers\/[^/]+\/$/.test(url.pathname);
  const logs = named ? [url] : LEDGERS_OF_A_SERVER.map((name) => new URL(`ledgers/${name}/`, url));
  const reports: VerifyReport[] = [];
  for (const log of logs) {
    using client = new ServerClient({ url: log, token: undefined, ca });
    const directory = log.href.replace(/\/$/, '');
    const source = new PublishedLog(client, common.sleep);
    // A checkpoint speaks of one log; the verifier would miss it in the others.
    const remembered = common.remembered.filter(
      (note) => logs.length === 1 || note.split('\n', 1)[0]?.endsWith(`/${directory.split('/').at(-1)}`),
    );
    reports.push(
      await verifyInstallation({ ...common, remembered, directory, source, publicHalfOnly: true }),
    );
  }
  const verdict = worst(reports.map((report) => report.verdict));
  return {
    ok: verdict === 'ok',
    verdict,
    ledgers: reports.flatMap((report) => report.ledgers),
    problems: reports.flatMap((report) => report.problems),
    notes: [...new Set(reports.flatMap((report) => report.notes))],
  };
}
