// `portledger doctor`: gathers facts about the installation and the process that runs on it, and says what is wrong, why it
// matters and what to do (findings.ts). Reads only; `--adopt` is the exception, and asks for `--yes`.

import { X509Certificate } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { isProblem } from '../bytes/problem.ts';
import { parseCheckpoint } from '../merkle/checkpoint.ts';
import { parseNote } from '../merkle/note.ts';
import { CommandError, messageOf } from './command-error.ts';
import { examples } from './command-line.ts';
import { type Directories, resolveDirectories } from './directories.ts';
import { readPassphrase } from './files.ts';
import {
  type Finding,
  findingsOfAnchor,
  findingsOfCertificate,
  findingsOfClock,
  findingsOfDirectories,
  findingsOfLedger,
  findingsOfMode,
  findingsOfRootKey,
  findingsOfRuntime,
  SEVERITIES,
} from './findings.ts';
import type { ExitCode, Invocation } from './invocation.ts';
import { adoptLedgers } from './open-ledgers.ts';
import { asTyped, withDirectories } from './program-name.ts';
import type { ReadyFile } from './ready-file.ts';
import { ROUTES } from './routes.ts';
import { findServer, runningServer } from './server-address.ts';
import { ServerClient } from './server-client.ts';
import {
  accessStoreFile,
  adminTokenFile,
  anchorsDirectory,
  rootKeyFile,
  serverFile,
  tlsDirectory,
} from './state-files.ts';
import type { Colour } from './terminal.ts';

/** Publication is promised within a second; what is unpublished for longer than this is reported. */
const PUBLICATION_WAIT_MS = 2500;

interface DoctorOptions {
  readonly data?: string;
  readonly state?: string;
  readonly tokenFile?: string;
  readonly passphraseFile?: string;
  readonly adopt?: boolean;
  readonly yes?: boolean;
  readonly reason?: string;
  readonly json?: boolean;
}

export function define(command: Command, invocation: Invocation): void {
  command
    .description(
      'Say what is wrong with this installation, why it matters, and the fix. Exit code 1 when something is a warning or ' +
        'worse. Run it on the host of the server, as the user of the server.',
    )
    .option('--data <dir>', 'data directory')
    .option('--state <dir>', 'state directory')
    .option('--token-file <file>', 'token with the admin role (default: the first admin token)')
    .option('--adopt', 'accept ledgers that are behind or unlike their anchor; recorded in them')
    .option('--yes', 'confirm --adopt')
    .option('--reason <text>', 'for --adopt: why; recorded in the ledgers, readable by anybody')
    .option('--passphrase-file <file>', 'for --adopt: the passphrase of the root key')
    .option('--json', 'print the findings as JSON')
    .addHelpText(
      'after',
      examples('portledger doctor', 'portledger doctor --data /var/lib/portledger --json'),
    )
    .action(async (options: DoctorOptions) => {
      invocation.exitCode = await doctor(options, invocation);
    });
}

export async function doctor(options: DoctorOptions, invocation: Invocation): Promise<ExitCode> {
  if (!options.adopt && (options.yes || options.reason !== undefined)) {
    throw new CommandError(
      'Cannot use --yes or --reason without --adopt: there is nothing to confirm, expected --adopt with them.',
    );
  }
  const directories = resolveDirectories(options, invocation);
  if (options.adopt) return await adopt(directories, options, invocation);
  assertGivenDirectories(directories, options, invocation);
  const { findings, ...rest } = await examine(directories, options, invocation);
  const asCommand = (text: string): string =>
    asTyped(withDirectories(text, directories.arguments), invocation);
  const examined: Examined = {
    ...rest,
    findings: findings.map((finding) => ({ ...finding, fix: asCommand(finding.fix) })),
  };
  examined.findings.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
  const ok = examined.findings.every((finding) => finding.severity === 'notice');
  if (options.json) {
    const { data, state } = directories;
    await invocation.out.line(JSON.stringify({ ok, data, state, ...examined }));
  } else {
    await printFindings(examined, directories, invocation);
  }
  return ok ? 0 : 1;
}

/** Without a name the default may well be empty yet; what somebody names should be there, or nothing would be examined. */
function assertGivenDirectories(
  directories: Directories,
  options: DoctorOptions,
  { disk, inspectPath }: Invocation,
): void {
  const { data, state } = directories;
  for (const [option, given, path] of [
    ['--data', options.data, data],
    ['--state', options.state, state],
  ] as const) {
    if (given === undefined || inspectPath === undefined || inspectPath(path) !== undefined) continue;
    throw new CommandError(
      `Cannot examine ${path}: there is nothing, expected a directory of an installation. Check ${option}.`,
    );
  }
  const isInstalled =
    disk.readFile(join(data, 'installation.json')) !== undefined ||
    disk.list(join(data, 'ledgers')).length + disk.list(anchorsDirectory(directories)).length > 0;
  if (options.data !== undefined && !isInstalled) {
    throw new CommandError(
      `Cannot examine ${data}: there is no installation, expected one that 'portledger up' has made. Check --data.`,
    );
  }
}

interface Examined {
  readonly running: { readonly pid: number; readonly api: string } | undefined;
  readonly findings: Finding[];
  /** What could not be looked at, and why. */
  readonly unchecked: string[];
}

async function examine(
  directories: Directories,
  options: DoctorOptions,
  invocation: Invocation,
): Promise<Examined> {
  const ready = runningServer(directories, invocation);
  const examined: Examined = {
    running: ready && { pid: ready.pid, api: ready.api },
    findings: [],
    unchecked: [],
  };
  const { findings, unchecked } = examined;
  findings.push(...findingsOfRuntime(process.version));
  examineDirectories(directories, examined, invocation);
  examineCertificate(directories, ready, examined, invocation);
  findings.push(...examineRootKey(directories, invocation));
  if (ready === undefined) {
    findings.push(...examineAnchors(directories, invocation));
    findings.push(notRunningFinding(directories, invocation));
  } else {
    try {
      await examineServer(ready, options, examined, invocation);
    } catch (error) {
      findings.push({
        severity: 'critical',
        id: 'server-unreachable',
        what: `Process ${ready.pid} should serve ${ready.api}, and does not answer. ${messageOf(error)}`,
        why: 'Senders cannot deliver records either.',
        fix: 'Look at its log; stop it and start it again.',
      });
    }
  }
  if (invocation.inspectPath === undefined)
    unchecked.push('modes, file systems and free space: this build cannot tell');
  return examined;
}

function examineDirectories(directories: Directories, { findings }: Examined, invocation: Invocation): void {
  const { data, state } = directories;
  const inspect = invocation.inspectPath;
  if (inspect === undefined) return;
  const dataFacts = inspect(data);
  const stateFacts = inspect(state);
  findings.push(...findingsOfDirectories({ data, state, dataFacts, stateFacts }));
  for (const path of [
    rootKeyFile(directories),
    join(state, 'root.next.json'),
    join(state, 'signing.json'),
    accessStoreFile(directories),
    adminTokenFile(directories),
    serverFile(directories),
  ]) {
    const facts = inspect(path);
    if (facts !== undefined) findings.push(...findingsOfMode('secret-mode', path, facts));
  }
}

function examineCertificate(
  directories: Directories,
  ready: ReadyFile | undefined,
  { findings, unchecked }: Examined,
  invocation: Invocation,
): void {
  const directory = ready === undefined ? tlsDirectory(directories) : dirname(ready.caFile);
  const file = join(directory, 'server.pem');
  const now = invocation.now();
  const pem = invocation.disk.readFile(file);
  if (pem === undefined) {
    findings.push(...findingsOfClock(now, undefined));
    return;
  }
  try {
    const certificate = new X509Certificate(pem);
    findings.push(...findingsOfClock(now, certificate.validFromDate.getTime()));
    findings.push(...findingsOfCertificate(certificate.validToDate.getTime(), now, file));
  } catch (error) {
    unchecked.push(`certificate ${file}: ${messageOf(error)}`);
  }
}

function examineRootKey(directories: Directories, invocation: Invocation): Finding[] {
  const path = rootKeyFile(directories);
  const bytes = invocation.disk.readFile(path);
  if (bytes === undefined) return [];
  try {
    const { provider } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { readonly provider?: string };
    return findingsOfRootKey(provider, path);
  } catch {
    return [
      {
        severity: 'critical',
        id: 'root-key-damaged',
        what: `${path} is not what 'portledger up' writes.`,
        why: 'Without the root key no record can be decrypted.',
        fix: 'Restore the state directory from its backup.',
      },
    ];
  }
}

function examineAnchors(directories: Directories, invocation: Invocation): Finding[] {
  const { disk } = invocation;
  const ledgers = join(directories.data, 'ledgers');
  const anchors = anchorsDirectory(directories);
  const names = new Set([...disk.list(ledgers), ...disk.list(anchors)]);
  return [...names].flatMap((ledger) =>
    findingsOfAnchor({
      ledger,
      checkpoint: readCheckpoint(disk.readFile(join(ledgers, ledger, 'checkpoint'))),
      anchor: readCheckpoint(disk.readFile(join(anchors, ledger))),
    }),
  );
}

/** Size and root as the file says them. Signatures are for `verify`. */
function readCheckpoint(bytes: Uint8Array | undefined): { size: number; root: string } | undefined {
  const note = bytes && parseNote(bytes);
  if (note === undefined || isProblem(note)) return undefined;
  const checkpoint = parseCheckpoint(note.text);
  if (isProblem(checkpoint)) return undefined;
  return { size: checkpoint.size, root: Buffer.from(checkpoint.root).toString('hex') };
}

function notRunningFinding(directories: Directories, invocation: Invocation): Finding {
  const rest = directories.arguments === '' ? '' : ` ${directories.arguments}`;
  const made = invocation.disk.readFile(rootKeyFile(directories)) !== undefined;
  const killed = invocation.disk.readFile(serverFile(directories)) !== undefined;
  return {
    severity: made ? 'warning' : 'notice',
    id: 'not-running',
    what: made
      ? `No server runs on ${directories.data}.`
      : `There is no installation in ${directories.data} yet.`,
    why: killed
      ? 'The last one was killed. What it acknowledged is on the disk; no records are accepted meanwhile.'
      : 'No records are accepted meanwhile.',
    fix: `portledger up${rest}`,
  };
}

interface LedgerAnswer {
  readonly name: string;
  readonly size: number;
  readonly published: number;
  readonly quarantined: number;
  readonly stopped?: string;
}

async function examineServer(
  ready: ReadyFile,
  options: DoctorOptions,
  { findings }: Examined,
  invocation: Invocation,
): Promise<void> {
  const { data, state, tokenFile } = options;
  // Named by directory or by default, never by PORTLEDGER_SERVER: this is about the installation on this host.
  const environment = { ...invocation.environment, PORTLEDGER_SERVER: undefined };
  using client = new ServerClient(findServer({ data, state, tokenFile }, { ...invocation, environment }));
  const first = await readLedgers(client);
  const pending = first.some((ledger) => ledger.published < ledger.size);
  if (pending) await invocation.sleep(PUBLICATION_WAIT_MS, invocation.interrupted);
  const second = pending ? await readLedgers(client) : first;
  for (const ledger of second) {
    const earlier = first.find(({ name }) => name === ledger.name) ?? ledger;
    const server = { ...ready, tokenFile: tokenFile ?? ready.tokenFile };
    const facts = { ...ledger, earlierPublished: earlier.published, earlierSize: earlier.size, server };
    findings.push(...findingsOfLedger(facts));
  }
}

async function readLedgers(client: ServerClient): Promise<readonly LedgerAnswer[]> {
  const answer = (await client.json({ path: ROUTES.ledgers })) as { readonly ledgers?: LedgerAnswer[] };
  if (!Array.isArray(answer.ledgers)) {
    throw new CommandError(`Cannot read the answer of ${client.address.url.origin}: it names no ledgers.`);
  }
  return answer.ledgers;
}

const COLOURS: Readonly<Record<Finding['severity'], Colour>> = {
  critical: 'red',
  warning: 'yellow',
  notice: 'dim',
};

async function printFindings(
  examined: Examined,
  directories: Directories,
  invocation: Invocation,
): Promise<void> {
  const { out } = invocation;
  await out.line(`Installation: data in ${directories.data}, state in ${directories.state}`);
  if (examined.running) {
    await out.line(`Server: process ${examined.running.pid} at ${examined.running.api}`);
  }
  for (const { severity, id, what, why, fix } of examined.findings) {
    await out.line();
    await out.line(`${out.colour(COLOURS[severity], severity.toUpperCase())} ${id}: ${what}`);
    await out.line(`  Why: ${why}`);
    await out.line(`  Fix: ${fix}`);
  }
  for (const gap of examined.unchecked) {
    await out.line();
    await out.line(`Not checked: ${gap}.`);
  }
  if (examined.findings.every((finding) => finding.severity === 'notice')) {
    await out.line();
    await out.line(
      `${out.colour('green', 'Nothing is wrong')}${examined.findings.length > 0 ? '; see the notices above' : ''}.`,
    );
  }
}

async function adopt(
  directories: Directories,
  options: DoctorOptions,
  invocation: Invocation,
): Promise<ExitCode> {
  if (!options.yes) {
    throw new CommandError(
      `Cannot adopt ${directories.data} without --yes: what was signed beyond the present data is given up, and whoever remembers it will see a rollback. Restore the newest copy instead where there is one; otherwise confirm with: portledger doctor --adopt --yes${directories.arguments === '' ? '' : ` ${directories.arguments}`}`,
    );
  }
  if (runningServer(directories, invocation) !== undefined) {
    throw new CommandError(
      `Cannot adopt ${directories.data}: a server runs on it, expected none. Stop it first.`,
    );
  }
  const passphrase = options.passphraseFile && readPassphrase(invocation, options.passphraseFile);
  const reason = options.reason ?? 'accepted with portledger doctor --adopt';
  const adopted = await adoptLedgers(directories, passphrase, reason, invocation);
  if (options.json) await invocation.out.line(JSON.stringify({ adopted }));
  else {
    for (const { name, size } of adopted) {
      await invocation.out.line(
        `Ledger ${name} is accepted as it is, with ${size} entries; the entry "adopted" says so.`,
      );
    }
  }
  return 0;
}
