// The ledgers of one installation, opened together, and the keys behind them.
//
//   <data>/installation.json     its name, from which the ledgers' origins are made     <data>/ledgers/<name>/   published
//   <data>/keys/<name>/          wrapped epoch keys                                     <data>/cache/<name>/     derived
//   <state>/installation.json    the same name: a data directory that has vanished is not mistaken for a first start
//   <state>/anchors/<name>       last signed checkpoint    <state>/root.json, signing.json   keys (keys/key-ring.ts)
//
// The caller holds the data directory's lock.

import type { Disk } from '../disk/disk.ts';
import { encodeCheckedJson, readCheckedJson } from '../keys/checked-json.ts';
import { KeyRing, type KeyRingOptions } from '../keys/key-ring.ts';
import type { RandomBytes } from '../keys/root-key.ts';
import { LedgerError } from './ledger.ts';
import { type LedgerPaths, ledgerPaths } from './paths.ts';
import { WorkerLedger } from './worker-ledger.ts';
import type { WorkerStart } from './worker-protocol.ts';

export interface InstallationOptions {
  readonly disk: Disk;
  readonly dataDirectory: string;
  readonly stateDirectory: string;
  readonly passphrase: string | undefined;
  readonly random: RandomBytes;
  readonly now: () => Date;
  /** The operator's reason for accepting ledgers that are behind or unlike their anchor. */
  readonly adopt?: string | undefined;
  readonly onNotice?: (notice: string) => void;
}

/** `custody` holds what people and tokens did with the data. */
export const LEDGER_NAMES = ['access', 'custody'] as const;
/** Some fifty thousand entries: enough to find out what is wrong, and to purge. */
const CUSTODY_RESERVE_BYTES = 16 * 1024 * 1024;
export type LedgerName = (typeof LEDGER_NAMES)[number];

export class Installation implements AsyncDisposable {
  readonly name: string;
  readonly ledgers: ReadonlyMap<string, WorkerLedger>;
  readonly #keyRing: KeyRing;

  private constructor(name: string, ledgers: ReadonlyMap<string, WorkerLedger>, keyRing: KeyRing) {
    this.name = name;
    this.ledgers = ledgers;
    this.#keyRing = keyRing;
  }

  static async open(options: InstallationOptions): Promise<Installation> {
    const { name, keyRing } = openNameAndKeys(options);
    await using opening = new AsyncDisposableStack();
    const ledgers = new Map<string, WorkerLedger>();
    // Side by side: each has a thread to start and a log to look through.
    const starting = LEDGER_NAMES.map((ledger) => openLedger(options, name, ledger, keyRing));
    for (const result of await Promise.allSettled(starting)) {
      if (result.status === 'fulfilled') ledgers.set(result.value.name, opening.use(result.value));
    }
    // Throws what kept the first of them from opening.
    await Promise.all(starting);
    opening.move();
    return new Installation(name, ledgers, keyRing);
  }

  /** A new root key, protected by the passphrase where one is given; everything wrapped again under it. */
  rotateRoot(
    nextPassphrase: string | undefined,
  ): Promise<{ readonly root: string; readonly rewrapped: number }> {
    return this.#keyRing.rotateRoot(nextPassphrase, async (roots) => {
      for (const ledger of this.ledgers.values()) await ledger.useRoots(roots);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const ledger of [...this.ledgers.values()].reverse()) await ledger[Symbol.asyncDispose]();
  }
}

function openLedger(
  options: InstallationOptions,
  installation: string,
  ledger: LedgerName,
  keyRing: KeyRing,
): Promise<WorkerLedger> {
  const { disk, dataDirectory, adopt, onNotice } = options;
  const start: WorkerStart = {
    paths: installationLedgerPaths(options, ledger),
    name: ledger,
    origin: `${installation}/${ledger}`,
    keysDirectory: `${dataDirectory}/keys`,
    roots: keyRing.roots.map((root) => root.material),
    signingKey: keyRing.signingKey,
    adopt: adopt === undefined ? undefined : { reason: adopt },
    reserveBytes: ledger === 'custody' ? CUSTODY_RESERVE_BYTES : 0,
  };
  return WorkerLedger.open({
    disk,
    start,
    epochKeys: keyRing.epochKeys(ledger),
    onTornBytes: (bytes) =>
      onNotice?.(
        `Ledger "${ledger}": dropped ${bytes} bytes of a write that was cut short and never acknowledged.`,
      ),
  });
}

export function installationLedgerPaths(
  { dataDirectory, stateDirectory }: Pick<InstallationOptions, 'dataDirectory' | 'stateDirectory'>,
  ledger: string,
): LedgerPaths {
  return ledgerPaths(
    `${dataDirectory}/ledgers/${ledger}`,
    `${stateDirectory}/anchors/${ledger}`,
    `${dataDirectory}/cache/${ledger}`,
  );
}

function openNameAndKeys(options: InstallationOptions): { name: string; keyRing: KeyRing } {
  const { disk, dataDirectory, stateDirectory, passphrase, random } = options;
  const dataFile = `${dataDirectory}/installation.json`;
  const stateFile = `${stateDirectory}/installation.json`;
  const keyRingOptions: KeyRingOptions = {
    disk,
    stateDirectory,
    keysDirectory: `${dataDirectory}/keys`,
    passphrase,
    random,
  };
  const inData = readCheckedJson(disk, dataFile);
  const inState = readCheckedJson(disk, stateFile);
  if (inData === undefined) {
    refuseVanishedData(options, stateFile, inState?.name);
    disk.makeDirectory(dataDirectory);
    const keyRing = KeyRing.create(keyRingOptions);
    const name = `portledger.local/${random(8).toString('hex')}`;
    const description = encodeCheckedJson({ v: 1, name, created: options.now().toISOString() });
    // A crash between the two is finished by the next start, which finds the first and writes the second.
    disk.replaceFile(dataFile, description);
    disk.replaceFile(stateFile, description);
    return { name, keyRing };
  }
  const name = String(inData.name);
  if (inState === undefined) {
    const keyRing = KeyRing.open(keyRingOptions);
    disk.replaceFile(stateFile, encodeCheckedJson(inData));
    return { name, keyRing };
  }
  if (inState.name !== name) {
    throw new LedgerError(
      'unlike-anchor',
      `Cannot open the installation in "${dataDirectory}": it is ${name}, the state directory "${stateDirectory}" belongs to ${String(inState.name)}. Name the right one with --state.`,
    );
  }
  return { name, keyRing: KeyRing.open(keyRingOptions) };
}

function refuseVanishedData(options: InstallationOptions, stateFile: string, remembered: unknown): void {
  const { disk, dataDirectory } = options;
  if (remembered !== undefined) {
    throw new LedgerError(
      'behind-anchor',
      `Cannot open the installation in "${dataDirectory}": there is none, but "${stateFile}" remembers ${String(remembered)}. Restore the data directory, or name another state directory with --state for a new installation.`,
    );
  }
  if (disk.list(`${dataDirectory}/ledgers`).length > 0 || disk.list(`${dataDirectory}/keys`).length > 0) {
    throw new LedgerError(
      'damaged',
      `Cannot open the installation in "${dataDirectory}": it has ledgers or keys, but no installation.json. Restore that file from a backup.`,
    );
  }
}
