// Goal: any change to any stored byte of an installation is found by the verifier.
//
// Method: an installation is made, with copies taken along its life. Then, thousands of times, one file is changed in one of the ways
// of `mutations.ts`, the verifier runs, and it must say that something is wrong and name the file. With and without keys, with and
// without a remembered checkpoint. Nothing is random that the seed does not say:
//
//   MUTATIONS=20000 node --test test/mutation/mutation.test.ts
//   MUTATION_SEED=<number from a failing run> node --test test/mutation/mutation.test.ts

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { FileDisk } from '../../src/disk/file-disk.ts';
import { KeyRing } from '../../src/keys/key-ring.ts';
import { verifyInstallation } from '../../src/verify/verify-installation.ts';
import { SmallInstallation } from './installation.ts';
import { type Files, type Mutation, nextMutation, seededChance } from './mutations.ts';
import { StoredFiles } from './stored-files.ts';

const COUNT = Number(process.env.MUTATIONS ?? 2400);
const SEED = Number(process.env.MUTATION_SEED ?? Date.now() % 2 ** 32);

interface Subject {
  readonly stored: StoredFiles;
  readonly epochKey: (ledger: string, epoch: number) => Uint8Array | undefined;
  readonly trustedKeys: readonly string[];
  /** The newest checkpoint of each ledger, as an anchor or a witness has it. */
  readonly remembered: readonly string[];
  readonly past: readonly Files[];
  /**
   * Of ledgers that end with a publication, the checkpoint one publication before. Put back, it leaves what a publication that was
   * cut short leaves, byte for byte: who remembers nothing cannot tell the two apart, and the verifier says just that.
   */
  readonly cutShort: readonly string[];
}

/** What the real writer left behind: the golden installation (test/vectors/golden). */
function goldenSubject(): Subject {
  const golden = join(import.meta.dirname, '../vectors/golden/0.1.0');
  const stored = new StoredFiles();
  cpSync(join(golden, 'data'), stored.directory, { recursive: true });
  const keyRing = KeyRing.open({
    disk: new FileDisk(),
    stateDirectory: join(golden, 'state'),
    keysDirectory: join(golden, 'data/keys'),
    passphrase: undefined,
    random: randomBytes,
  });
  const anchors = readdirSync(join(golden, 'state/anchors')).map((name) =>
    readFileSync(join(golden, 'state/anchors', name), 'utf8'),
  );
  return {
    stored,
    epochKey: (ledger, epoch) => keyRing.epochKeys(ledger).find(epoch)?.key,
    trustedKeys: [stored.read('ledgers/access/key.pub').toString('utf8').trim()],
    remembered: anchors,
    past: [stored.snapshot()],
    cutShort: [],
  };
}

/** Three segments, two epochs, an unclean stop, quarantine, idempotency keys, dictionaries; and a second ledger beside it. */
function makeSubject(): Subject {
  const installation = new SmallInstallation();
  const past: Files[] = [];
  const access = installation.ledger('access');
  const custody = installation.ledger('custody');
  access.openEpoch();
  access.publish();
  custody.openEpoch();
  custody.append({ records: 3, idempotent: true });
  custody.publish();
  past.push(installation.snapshot());
  const dictionary = access.size;
  access.append({ records: 60, dictionary: true, idempotent: true });
  access.append({ records: 2, against: dictionary });
  access.publish();
  past.push(installation.snapshot());
  access.append({ records: 150, quarantined: 4, idempotent: true });
  access.publish();
  access.beginSegment();
  access.append({ records: 1, against: dictionary });
  access.publish();
  past.push(installation.snapshot());
  access.openEpoch();
  access.append({ records: 90 });
  access.append({ records: 0, quarantined: 2 });
  access.publish();
  past.push(installation.snapshot());
  const cutShort = [access.checkpoint(), custody.checkpoint()];
  access.append({ records: 20 });
  access.publish();
  custody.append({ records: 1 });
  custody.publish();
  return {
    stored: installation,
    epochKey: installation.epochKey,
    trustedKeys: [access.verifierKey],
    remembered: [access.checkpoint(), custody.checkpoint()],
    past,
    cutShort,
  };
}

/** Without what the verifier passes over: derived files, and those of a running process. */
function checkedFiles(files: Files): Files {
  return new Map([...files].filter(([path]) => !/^(?:cache|search)\/|^lock/.test(path)));
}

for (const [name, subject] of [
  ['a small installation of every shape', makeSubject],
  ['the golden installation', goldenSubject],
] as const) {
  it(`finds every one of ${COUNT / 2} mutations of ${name} (MUTATION_SEED=${SEED})`, (t) =>
    findAll(subject(), t));
}

async function findAll(subject: Subject, t: TestContext): Promise<void> {
  const { stored, epochKey, trustedKeys, remembered: anchors, past, cutShort } = subject;
  using _ = stored;
  const files = checkedFiles(stored.snapshot());
  const earlier = past.map(checkedFiles);
  const chance = seededChance(SEED);

  const verify = (withKeys: boolean, remembered: readonly string[]) =>
    verifyInstallation({
      directory: stored.directory,
      trustedKeys,
      remembered,
      workers: 0,
      sleep: async () => {},
      ...(withKeys ? { epochKey } : {}),
    });
  const assertWhole = async () => {
    for (const withKeys of [false, true]) {
      const { ok, problems, ledgers } = await verify(withKeys, anchors);
      assert.ok(ok, JSON.stringify({ problems, ledgers }, undefined, 1));
    }
  };

  await assertWhole();
  const missed: string[] = [];
  for (let i = 0; i < COUNT / 2 && missed.length < 20; i++) {
    const mutation = nextMutation(files, chance, earlier);
    const withKeys = chance.below(2) === 0;
    const remembered = chance.below(2) === 0 ? [] : anchors;
    apply(stored, mutation);
    const report = await verify(withKeys, remembered);
    const found = [...report.problems, ...report.ledgers.flatMap((ledger) => ledger.problems)];
    const changed = [...mutation.changes.keys()];
    const isNamed = found.some(({ file }) =>
      changed.some((path) => path === file || path.startsWith(`${file}/`)),
    );
    const looksCutShort =
      remembered.length === 0 &&
      changed.length === 1 &&
      cutShort.includes(mutation.changes.get(changed[0]!)?.toString('utf8') ?? '');
    if (looksCutShort && report.verdict === 'inconclusive') {
      // As it must be.
    } else if (report.ok || report.verdict !== 'problems' || !isNamed) {
      missed.push(
        `mutation ${i}: ${mutation.what} (${withKeys ? 'with' : 'without'} keys, ${remembered.length} remembered)`,
      );
    }
    undo(stored, mutation, files);
  }
  t.diagnostic(`MUTATION_SEED=${SEED}`);
  assert.deepEqual(missed, [], `Not found; reproduce with MUTATION_SEED=${SEED} MUTATIONS=${COUNT}`);
  await assertWhole();
}

function apply(stored: StoredFiles, { changes }: Mutation): void {
  for (const [path, bytes] of changes) {
    if (bytes === undefined) stored.remove(path);
    else stored.write(path, bytes);
  }
}

function undo(stored: StoredFiles, { changes }: Mutation, files: Files): void {
  for (const path of changes.keys()) {
    const before = files.get(path);
    if (before === undefined) {
      stored.remove(path);
      stored.pruneAbove(path);
    } else {
      stored.write(path, before);
    }
  }
}
