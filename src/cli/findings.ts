// What `portledger doctor` can find: each finding says what, why it matters, and the fix. Pure: facts in, findings out.
//
// Severities: `critical`: records are refused, lost or readable by others, or soon will be. `warning`: somebody should act
// this week. `notice`: a choice that is fine for trying out and that a company should know of; it does not fail the check.

import type { PathFacts } from '../disk/path-facts.ts';
import { shellWord } from './directories.ts';
import type { ReadyFile } from './ready-file.ts';

export type Severity = 'critical' | 'warning' | 'notice';

export interface Finding {
  readonly severity: Severity;
  /** Stable name, for scripts. */
  readonly id: string;
  readonly what: string;
  readonly why: string;
  readonly fix: string;
}

export const SEVERITIES: readonly Severity[] = ['critical', 'warning', 'notice'];

const DAY_MS = 86_400_000;
const NODE_MAJOR_MIN = 24;
/** A clock before this release is wrong: nothing here was written earlier. */
const CLOCK_EARLIEST_MS = Date.UTC(2026, 0, 1);

export function findingsOfRuntime(nodeVersion: string): Finding[] {
  const major = Number(/^v?(\d+)/.exec(nodeVersion)?.[1] ?? 0);
  if (major >= NODE_MAJOR_MIN) return [];
  return [
    {
      severity: 'critical',
      id: 'node-version',
      what: `Node.js ${nodeVersion} runs this, expected ${NODE_MAJOR_MIN} or later.`,
      why: 'Older versions lack what the ledger relies on.',
      fix: "Run 'npm ci' in the checkout, which brings one, or install Node.js 24.",
    },
  ];
}

export function findingsOfClock(nowMs: number, certificateNotBeforeMs: number | undefined): Finding[] {
  const earliest = Math.max(CLOCK_EARLIEST_MS, certificateNotBeforeMs ?? 0);
  if (nowMs >= earliest) return [];
  return [
    {
      severity: 'critical',
      id: 'clock',
      what: `The clock says ${new Date(nowMs).toISOString()}, which is before ${new Date(earliest).toISOString()}.`,
      why: 'Records are stamped and epochs are opened by this clock: retention and evidence would carry wrong times.',
      fix: 'Set the clock and keep it set (chrony, systemd-timesyncd), then restart.',
    },
  ];
}

export interface DirectoryFacts {
  readonly data: string;
  readonly state: string;
  readonly dataFacts: PathFacts | undefined;
  readonly stateFacts: PathFacts | undefined;
}

export function findingsOfDirectories(facts: DirectoryFacts): Finding[] {
  const findings: Finding[] = [];
  for (const [name, path, found] of [
    ['data', facts.data, facts.dataFacts],
    ['state', facts.state, facts.stateFacts],
  ] as const) {
    if (found === undefined) continue;
    findings.push(...findingsOfMode(`${name}-mode`, path, found));
    findings.push(...findingsOfSpace(name, path, found));
  }
  if (facts.dataFacts && facts.dataFacts.device === facts.stateFacts?.device) {
    findings.push({
      severity: 'notice',
      id: 'same-file-system',
      what: `${facts.data} and ${facts.state} are on the same file system.`,
      why: 'The anchor in the state directory is there to notice that the data was rolled back. Restoring a snapshot of the whole file system rolls back both.',
      fix: 'Put the state directory on another file system or host: --state DIR.',
    });
  }
  return findings;
}

/** For directories and files that only their owner should be able to open. */
export function findingsOfMode(id: string, path: string, facts: PathFacts): Finding[] {
  const others = facts.mode & 0o077;
  if (others === 0) return [];
  const everybody = (facts.mode & 0o007) !== 0;
  return [
    {
      severity: everybody ? 'critical' : 'warning',
      id,
      what: `${path} has mode ${(facts.mode & 0o777).toString(8).padStart(4, '0')}: ${everybody ? 'every user' : 'its group'} can get at it.`,
      why: 'Keys and tokens are in there, or the names and sizes of what is recorded.',
      fix: `chmod go-rwx ${path}`,
    },
  ];
}

function findingsOfSpace(name: string, path: string, facts: PathFacts): Finding[] {
  const gibibytes = facts.freeBytes / 2 ** 30;
  const share = facts.freeBytes / Math.max(1, facts.totalBytes);
  const critical = gibibytes < 0.25;
  if (!critical && gibibytes >= 1 && share >= 0.05) return [];
  return [
    {
      severity: critical ? 'critical' : 'warning',
      id: `${name}-space`,
      what: `${path} has ${gibibytes.toFixed(2)} GiB free, ${(share * 100).toFixed(0)} % of its file system.`,
      why: 'On a full disk no record is accepted any more; senders have to keep theirs.',
      fix: 'Free space, or give the file system more.',
    },
  ];
}

export function findingsOfRootKey(provider: string | undefined, path: string): Finding[] {
  if (provider !== 'file') return [];
  return [
    {
      severity: 'notice',
      id: 'root-key-file',
      what: `The root key is a plain file, ${path}.`,
      why: 'Whoever reads this file and the data can read every record. It is what a first start makes when nothing is configured.',
      fix: 'Protect it with a passphrase: portledger keys rotate --new-passphrase-file FILE. A company should keep the root key in a key service or hardware module, and the state directory out of the backups of the data.',
    },
  ];
}

export function findingsOfCertificate(notAfterMs: number, nowMs: number, file: string): Finding[] {
  const days = (notAfterMs - nowMs) / DAY_MS;
  if (days > 30) return [];
  const when = new Date(notAfterMs).toISOString().slice(0, 10);
  return [
    {
      severity: days <= 7 ? 'critical' : 'warning',
      id: 'certificate',
      what:
        days <= 0
          ? `The certificate ${file} expired on ${when}.`
          : `The certificate ${file} expires on ${when}.`,
      why: 'Senders and clients refuse an expired certificate: records stop arriving.',
      fix: 'Restart the server: it renews its own certificate. Replace one that you configured.',
    },
  ];
}

/** What `GET /api/v1/ledgers` says of one ledger; `earlierPublished` is from a moment before. */
export interface LedgerFacts {
  readonly name: string;
  readonly size: number;
  readonly published: number;
  readonly quarantined: number;
  readonly stopped?: string | undefined;
  readonly earlierPublished: number;
  readonly earlierSize: number;
  /** Where the ledger was asked about. */
  readonly server: Pick<ReadyFile, 'api' | 'caFile' | 'tokenFile'>;
}

export function findingsOfLedger(ledger: LedgerFacts): Finding[] {
  const findings: Finding[] = [];
  if (ledger.stopped !== undefined) {
    findings.push({
      severity: 'critical',
      id: 'ledger-stopped',
      what: `Ledger ${ledger.name} has stopped: ${ledger.stopped}`,
      why: 'It accepts no records. Reading goes on, and nothing that was acknowledged is lost.',
      fix: 'See to the cause (disk, file system, hardware), then restart the server, which recovers.',
    });
  }
  // Entries that were there a moment ago and are still not under a checkpoint.
  if (ledger.published < ledger.earlierSize && ledger.stopped === undefined) {
    findings.push({
      severity: 'warning',
      id: 'unpublished',
      what: `Ledger ${ledger.name} has ${ledger.size - ledger.published} entries that are under no signed checkpoint.`,
      why: 'They are durable, and cannot be proved yet. Publication normally takes less than a second.',
      fix: 'Look at the server log; restart the server if this stays.',
    });
  }
  if (ledger.quarantined > 0) {
    findings.push({
      severity: 'notice',
      id: 'quarantine',
      what: `Ledger ${ledger.name} holds ${ledger.quarantined} quarantined items.`,
      why: 'A sender sent what is no record. It is kept, and not found by searches.',
      fix: `Look at what it is, and correct the sender: ${quarantineCommand(ledger)}`,
    });
  }
  return findings;
}

/** The token goes by standard input: arguments are visible to other users of the host. */
function quarantineCommand({ name, server }: LedgerFacts): string {
  const url = shellWord(`${server.api}/api/v1/quarantine?ledger=${name}`);
  return `printf 'Authorization: Bearer %s' "$(cat ${shellWord(server.tokenFile)})" | curl --cacert ${shellWord(server.caFile)} -H @- ${url}`;
}

/**
 * The checkpoint of the data directory against the anchor in the state directory, as far as the files say. Only while no
 * writer runs: one that does moves both.
 */
export interface AnchorFacts {
  readonly ledger: string;
  readonly checkpoint: { readonly size: number; readonly root: string } | undefined;
  readonly anchor: { readonly size: number; readonly root: string } | undefined;
}

export function findingsOfAnchor({ ledger, checkpoint, anchor }: AnchorFacts): Finding[] {
  if (anchor === undefined) {
    if (checkpoint === undefined || checkpoint.size === 0) return [];
    return [
      {
        severity: 'warning',
        id: 'anchor-missing',
        what: `Ledger ${ledger} has a checkpoint of ${checkpoint.size} entries and no anchor.`,
        why: 'Without the anchor nobody here notices that the data directory was rolled back.',
        fix: 'Name the right state directory with --state, or restore it.',
      },
    ];
  }
  const size = checkpoint?.size ?? 0;
  if (size < anchor.size) {
    return [
      {
        severity: 'warning',
        id: 'behind-anchor',
        what: `Ledger ${ledger} has a checkpoint of ${size} entries; ${anchor.size} were signed.`,
        why: 'Either the last process was killed between signing and publishing, which the next start completes, or the data directory is an old copy.',
        fix: ADOPT_FIX,
      },
    ];
  }
  if (size === anchor.size && checkpoint?.root === anchor.root) return [];
  return [
    {
      severity: 'critical',
      id: 'unlike-anchor',
      what:
        size === anchor.size
          ? `Ledger ${ledger} and its anchor both have ${size} entries, with different roots.`
          : `Ledger ${ledger} has a checkpoint of ${size} entries, its anchor only ${anchor.size}.`,
      why: 'Data and state do not belong together: one of them is an old copy, or was changed. The ledger will not be signed.',
      fix: ADOPT_FIX,
    },
  ];
}

const ADOPT_FIX =
  "Start the server: it says which it is. Restore the directory that is old; if it is lost for good, accept the present data with 'portledger doctor --adopt --yes', which is recorded in the ledger.";
