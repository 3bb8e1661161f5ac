import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import {
  type AppendOptions,
  INSTALLATION,
  SmallInstallation,
  type SmallLedger,
} from '../../test/mutation/installation.ts';
import type { Problem, VerifyReport } from './report.ts';
import { type VerifyOptions, verifyInstallation } from './verify-installation.ts';

/** Two segments, one epoch; entries 0 (epoch), 1 (content), 2..41, 42 (content), 43..342, 343 (content). */
function smallLedger(installation: SmallInstallation, name = 'access') {
  const ledger = installation.ledger(name);
  ledger.openEpoch();
  ledger.publish();
  ledger.append({ records: 40, dictionary: true, idempotent: true });
  ledger.publish();
  ledger.beginSegment();
  ledger.append({ records: 295, quarantined: 5, against: 2 });
  ledger.publish();
  return ledger;
}

function withSmallLedger() {
  const installation = new SmallInstallation();
  const access = smallLedger(installation);
  const verify = (options: Partial<VerifyOptions> = {}) =>
    verifyInstallation({
      directory: installation.directory,
      trustedKeys: [access.verifierKey],
      remembered: [],
      workers: 0,
      sleep: async () => {},
      ...options,
    });
  return { installation, access, verify, [Symbol.dispose]: () => installation[Symbol.dispose]() };
}

function problemsOf(report: VerifyReport): Problem[] {
  return [...report.problems, ...report.ledgers.flatMap(({ problems }) => problems)];
}

function assertProblem(report: VerifyReport, file: string, from: number, to: number, problem: RegExp): void {
  const found = problemsOf(report);
  const isFound = found.some(
    (p) => p.file === file && p.from === from && p.to === to && problem.test(p.problem),
  );
  assert.ok(
    isFound,
    `expected ${file} [${from}, ${to}) ${problem}, found ${JSON.stringify(found, undefined, 1)}`,
  );
  assert.equal(report.ok, false);
  assert.equal(report.verdict, 'problems');
}

function assertOk(report: VerifyReport): void {
  assert.ok(report.ok, JSON.stringify({ problems: problemsOf(report), notes: report.notes }, undefined, 1));
}

/** Changes a file in place. */
function change(
  installation: SmallInstallation,
  path: string,
  edit: (bytes: Buffer) => Buffer | undefined,
): void {
  const bytes = installation.read(path);
  installation.write(path, edit(bytes) ?? bytes);
}

function flip(at: number) {
  return (bytes: Buffer) => {
    bytes[at]! ^= 1;
    return bytes;
  };
}

const CONTENT_1 = 'ledgers/access/content/0000000001.seg';
const CONTENT_2 = 'ledgers/access/content/0000000002.seg';

/** Byte at which the frames of a segment begin, and the segment's end. */
function frameOffsets(segment: Buffer): number[] {
  const offsets = [128];
  while (offsets.at(-1)! < segment.length)
    offsets.push(offsets.at(-1)! + segment.readUInt32BE(offsets.at(-1)! + 4));
  return offsets;
}

/** Makes a frame's checksum right again after its bytes were changed. */
function resealFrame(segment: Buffer, [at, end]: readonly [number, number]): void {
  segment.writeUInt32BE(crc32(segment.subarray(at, end - 8)), end - 8);
}

describe('verifyInstallation of what is as it should be', () => {
  it('is ok with a trusted key, and says what was checked', async () => {
    using subject = withSmallLedger();
    const report = await subject.verify();
    assertOk(report);
    const [ledger] = report.ledgers;
    assert.equal(ledger?.name, 'access');
    assert.equal(ledger?.size, 344);
    assert.equal(ledger?.checkpoint, subject.access.checkpoint());
    assert.equal(ledger?.root, subject.access.checkpoint().split('\n')[2]);
    assert.deepEqual(
      { ...ledger?.checked, contentBytes: 0 },
      { entries: 344, frames: 6, decrypted: 0, contentBytes: 0 },
    );
  });

  it('decrypts everything with keys', async () => {
    using subject = withSmallLedger();
    const report = await subject.verify({ epochKey: subject.installation.epochKey });
    assertOk(report);
    assert.equal(report.ledgers[0]?.checked.decrypted, 340);
  });

  it('gives the same report with workers', async () => {
    using subject = withSmallLedger();
    const options = { epochKey: subject.installation.epochKey };
    assert.deepEqual(await subject.verify({ ...options, workers: 2 }), await subject.verify(options));
    change(subject.installation, CONTENT_2, flip(200));
    assert.deepEqual(await subject.verify({ ...options, workers: 2 }), await subject.verify(options));
  });

  it('checks one ledger’s directory alone', async () => {
    using subject = withSmallLedger();
    const directory = join(subject.installation.directory, 'ledgers/access');
    const report = await subject.verify({ directory });
    assertOk(report);
    assert.equal(report.ledgers.length, 1);
    assert.match(report.notes.join(), /Keys were not checked/);
  });

  it('checks an empty ledger', async () => {
    using installation = new SmallInstallation();
    const ledger = installation.ledger('access');
    ledger.writeCheckpoint();
    const trustedKeys = [ledger.verifierKey];
    assertOk(
      await verifyInstallation({
        directory: installation.directory,
        trustedKeys,
        remembered: [],
        workers: 0,
        sleep: async () => {},
      }),
    );
  });

  it('checks tiles of level 2', async () => {
    using installation = new SmallInstallation();
    const ledger = installation.ledger('access');
    ledger.openEpoch();
    for (let i = 0; i < 5; i++) ledger.append({ records: 16_000 });
    ledger.publish();
    const options = { directory: installation.directory, trustedKeys: [ledger.verifierKey], remembered: [] };
    const verify = () => verifyInstallation({ ...options, workers: 0, sleep: async () => {} });
    assertOk(await verify());
    change(installation, 'ledgers/access/tile/2/000.p/1', flip(3));
    assertProblem(await verify(), 'ledgers/access/tile/2/000.p/1', 0, 65_536, /differ from the tiles below/);
    installation.remove('ledgers/access/tile/2/000.p/1');
    assertProblem(await verify(), 'ledgers/access/tile/2/000.p/1', 0, 65_536, /missing/);
  });

  it('reads only the public half when told so', async () => {
    using subject = withSmallLedger();
    subject.installation.remove('ledgers/access/content');
    const directory = join(subject.installation.directory, 'ledgers/access');
    assertProblem(
      await subject.verify({ directory }),
      CONTENT_1.slice('ledgers/access/'.length),
      0,
      344,
      /unauthorised loss/,
    );
    const report = await subject.verify({ directory, publicHalfOnly: true });
    assertOk(report);
    assert.match(report.ledgers[0]!.notes.join(), /Content was not checked/);
  });
});

describe('trust', () => {
  it('is inconclusive with neither key nor remembered checkpoint, and reports problems nevertheless', async () => {
    using subject = withSmallLedger();
    const report = await subject.verify({ trustedKeys: [] });
    assert.equal(report.verdict, 'inconclusive');
    assert.equal(report.ok, false);
    change(subject.installation, CONTENT_1, flip(200));
    assert.equal((await subject.verify({ trustedKeys: [] })).verdict, 'problems');
  });

  it('takes the key of a sibling ledger, and a remembered checkpoint', async () => {
    using subject = withSmallLedger();
    const custody = smallLedger(subject.installation, 'custody');
    assertOk(await subject.verify({ trustedKeys: [custody.verifierKey] }));
    const half = await subject.verify({ trustedKeys: [], remembered: [custody.checkpoint()] });
    assert.deepEqual(
      half.ledgers.map(({ name, verdict }) => [name, verdict]),
      [
        ['access', 'inconclusive'],
        ['custody', 'ok'],
      ],
    );
  });

  it('finds another installation’s key: none of its own', async () => {
    using subject = withSmallLedger();
    using other = withSmallLedger();
    const foreign = await subject.verify({ trustedKeys: [other.access.verifierKey] });
    assertProblem(foreign, 'ledgers/access/key.pub', 0, 0, /not the trusted one/);
  });

  it('finds a log that is behind, unlike, or a fork of what is remembered', async () => {
    using subject = withSmallLedger();
    const { installation, access } = subject;
    const early = access.checkpoint();
    const before = installation.snapshot();
    access.append({ records: 10 });
    access.publish();
    const remembered = [early, access.checkpoint()];
    assertOk(await subject.verify({ remembered, trustedKeys: [] }));

    for (const path of installation.files()) installation.remove(path);
    for (const [path, bytes] of before) installation.write(path, bytes);
    const behind = await subject.verify({ remembered });
    assertProblem(
      behind,
      'ledgers/access/checkpoint',
      344,
      355,
      /behind what was remembered: it has 344 entries, 355/,
    );
  });

  it('waits for the checkpoint of an anchor that was remembered just before it was published', async () => {
    using subject = withSmallLedger();
    const { installation, access } = subject;
    const old = installation.read('ledgers/access/checkpoint');
    access.append({ records: 10 });
    access.publish();
    const newest = installation.read('ledgers/access/checkpoint');
    installation.write('ledgers/access/checkpoint', old);
    const sleep = async () => installation.write('ledgers/access/checkpoint', newest);
    assertOk(await subject.verify({ remembered: [access.checkpoint(), newest.toString('utf8')], sleep }));
  });

  it('finds a fork, at the same size and at a smaller one', async () => {
    using subject = withSmallLedger();
    const { installation, access } = subject;
    access.append({ records: 3 });
    access.publish();
    const remembered = [access.checkpoint()];
    using fork = new SmallInstallation(installation);
    const forged = fork.ledger('access');
    forged.openEpoch();
    forged.append({ records: 346 });
    forged.publish();
    assert.equal(forged.size, access.size);
    const options = { directory: fork.directory, remembered };
    assertProblem(await subject.verify(options), 'ledgers/access/checkpoint', 0, 348, /a fork/);
    forged.append({ records: 1 });
    forged.publish();
    assertProblem(
      await subject.verify(options),
      'ledgers/access/checkpoint',
      0,
      348,
      /first 348 of 350 entries/,
    );
  });

  it('finds a remembered checkpoint by another key, an unreadable one, and one of a ledger that is gone', async () => {
    using subject = withSmallLedger();
    using other = withSmallLedger();
    const forged = await subject.verify({ remembered: [other.access.checkpoint()] });
    assertProblem(forged, 'ledgers/access/key.pub', 0, 0, /signed by another key/);
    assertProblem(
      await subject.verify({ remembered: ['nonsense'] }),
      'remembered checkpoint 1',
      0,
      0,
      /note/,
    );
    const custody = smallLedger(subject.installation, 'custody');
    const remembered = [custody.checkpoint()];
    subject.installation.remove('ledgers/custody');
    const report = await subject.verify({ remembered });
    assertProblem(report, 'ledgers/custody', 0, 344, /not here/);
    assertProblem(report, 'ledgers/custody', 0, 0, /its keys are there/);
  });

  it('checks against the newest remembered checkpoint where the log’s own is damaged', async () => {
    using subject = withSmallLedger();
    const remembered = [subject.access.checkpoint()];
    change(subject.installation, 'ledgers/access/checkpoint', flip(60));
    const report = await subject.verify({ remembered });
    assert.deepEqual(
      problemsOf(report).map(({ file }) => file),
      ['ledgers/access/checkpoint'],
    );
    assert.equal(report.ledgers[0]?.checked.entries, 344);
  });

  it('throws for a trusted key that is no key, and for a directory that does not exist', async () => {
    using subject = withSmallLedger();
    await assert.rejects(subject.verify({ trustedKeys: ['x'] }), /Cannot use trusted key "x"/);
    await assert.rejects(subject.verify({ directory: '/nowhere/at/all' }), /there is no such directory/);
  });

  it('gives no verdict on a directory that holds nothing of a log, unless one is remembered', async () => {
    using subject = withSmallLedger();
    const directory = mkdtempSync(join(tmpdir(), 'portledger-verify-empty-'));
    try {
      await assert.rejects(subject.verify({ directory }), /this is no data directory/);
      const report = await subject.verify({ directory, remembered: [subject.access.checkpoint()] });
      assertProblem(report, 'ledgers/access', 0, 344, /not here/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('gives no verdict on what it may not read', async (t) => {
    if (process.geteuid?.() === 0) return t.skip('root may read everything');
    using subject = withSmallLedger();
    const tiles = join(subject.installation.directory, 'ledgers/access/tile/0');
    chmodSync(tiles, 0);
    try {
      await assert.rejects(subject.verify(), /Cannot read ".*tile\/0.*": access is denied/);
    } finally {
      chmodSync(tiles, 0o700);
    }
  });
});

describe('damage to the tree', () => {
  it('names the bundle where an entry was changed, and the entry', async () => {
    using subject = withSmallLedger();
    // Entry 10 of the first bundle: behind entries 0 and 1, which are longer than the others.
    change(subject.installation, 'ledgers/access/tile/entries/000', (bytes) =>
      flip(bytes.length - 20)(bytes),
    );
    const report = await subject.verify({ epochKey: subject.installation.epochKey });
    assert.equal(problemsOf(report).length, 1);
    assertProblem(report, 'ledgers/access/tile/entries/000', 255, 256, /entries differ from their hashes/);
  });

  it('names the tile where a hash was changed', async () => {
    using subject = withSmallLedger();
    change(subject.installation, 'ledgers/access/tile/0/000', flip(32 * 9));
    const report = await subject.verify();
    assert.equal(problemsOf(report).length, 1);
    assertProblem(report, 'ledgers/access/tile/0/000', 9, 10, /hashes differ from the entries/);
  });

  it('tells bundle from tile at the right edge by the signed root', async () => {
    using subject = withSmallLedger();
    const undamaged = subject.installation.read('ledgers/access/tile/entries/001.p/88');
    change(subject.installation, 'ledgers/access/tile/entries/001.p/88', flip(50));
    const bundle = await subject.verify();
    assert.equal(problemsOf(bundle).length, 1);
    assertProblem(bundle, 'ledgers/access/tile/entries/001.p/88', 257, 258, /entries differ/);
    subject.installation.write('ledgers/access/tile/entries/001.p/88', undamaged);
    change(subject.installation, 'ledgers/access/tile/0/001.p/88', flip(40));
    const tile = await subject.verify();
    assert.equal(problemsOf(tile).length, 1);
    assertProblem(tile, 'ledgers/access/tile/0/001.p/88', 257, 258, /hashes differ/);
  });

  it('names a tile of level 1', async () => {
    using subject = withSmallLedger();
    change(subject.installation, 'ledgers/access/tile/1/000.p/1', flip(0));
    const report = await subject.verify();
    assert.equal(problemsOf(report).length, 1);
    assertProblem(report, 'ledgers/access/tile/1/000.p/1', 0, 256, /differ from the tiles below/);
  });

  for (const [file, from, to] of [
    ['tile/entries/000', 0, 256],
    ['tile/entries/001.p/88', 256, 344],
    ['tile/0/000', 0, 256],
    ['tile/0/001.p/88', 256, 344],
    ['tile/1/000.p/1', 0, 256],
  ] as const) {
    it(`names ${file} when it is missing, cut or longer`, async () => {
      using subject = withSmallLedger();
      const path = `ledgers/access/${file}`;
      const bytes = subject.installation.read(path);
      subject.installation.remove(path);
      assertProblem(await subject.verify(), path, from, to, /missing/);
      for (const damaged of [bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.of(1)])]) {
        subject.installation.write(path, damaged);
        const report = await subject.verify();
        assert.ok(problemsOf(report).some((problem) => problem.file === path && problem.from === from));
      }
    });
  }

  it('takes a full tile in the place of a partial one', async () => {
    using subject = withSmallLedger();
    const early = subject.access.checkpoint();
    subject.access.append({ records: 400 });
    subject.access.publish();
    // A reader that still has the earlier checkpoint, after the partial tiles it speaks of were deleted.
    for (const path of ['entries/001.p', '0/001.p', '1/000.p/1'])
      subject.installation.remove(`ledgers/access/tile/${path}`);
    assertOk(await subject.verify({ remembered: [early] }));
  });

  it('finds a partial tile of an earlier checkpoint that is not how the tree begins', async () => {
    using subject = withSmallLedger();
    change(subject.installation, 'ledgers/access/tile/0/000.p/43', flip(5));
    assertProblem(await subject.verify(), 'ledgers/access/tile/0/000.p/43', 0, 43, /differs/);
  });

  it('finds an entry of unknown kind and control entries that are no canonical JSON, signed as they may be', async () => {
    using subject = withSmallLedger();
    subject.access.appendControl({ type: 'conspiracy', v: 1 });
    subject.access.appendEntries([
      Buffer.from('\x10{"v":1, "type":"gap"}', 'latin1'),
      Buffer.from('\x07what'),
    ]);
    subject.access.publish();
    const report = await subject.verify();
    const file = 'ledgers/access/tile/entries/001.p/92';
    assertProblem(report, file, 344, 345, /unknown type "conspiracy"/);
    assertProblem(report, file, 345, 346, /not canonical JSON/);
    assertProblem(report, file, 346, 347, /unknown kind 7/);
  });

  it('finds tiles behind the checkpoint, unless a newer one comes', async () => {
    using subject = withSmallLedger();
    subject.access.append({ records: 5 });
    subject.access.appendContentEntry();
    subject.access.writeTiles();
    // A frame behind the content entry says that this is no publication that was cut short.
    const whole = subject.installation.read(CONTENT_2);
    subject.access.append({ records: 1 });
    const early = await subject.verify();
    assertProblem(early, 'ledgers/access/tile/0/001.p/94', 344, 350, /of at least 350 entries/);
    assertProblem(early, 'ledgers/access/checkpoint', 344, 350, /published or about to be/);
    subject.installation.write(CONTENT_2, whole);
    let waits = 0;
    const sleep = async () => {
      if (++waits === 2) subject.access.writeCheckpoint();
    };
    const live = await subject.verify({ sleep });
    assertOk(live);
    assert.equal(waits, 2);
    assert.equal(live.ledgers[0]?.size, 344);
  });

  it('finds what does not belong there, and passes over temporary files', async () => {
    for (const path of [
      'ledgers/access/extra',
      'ledgers/access/tile/x',
      'ledgers/access/tile/0/x000/000',
      'ledgers/access/tile/0/000.p/256',
      'ledgers/access/tile/entries/000.p/01',
      'ledgers/access/tile/64/000',
      'ledgers/access/content/1.seg',
      'ledgers/access/content/0000000000.seg',
      'ledgers/readme',
      'keys/readme',
      'keys/access/readme',
      'readme',
    ]) {
      using subject = withSmallLedger();
      subject.installation.write(path, Buffer.from('x'));
      const found = problemsOf(await subject.verify());
      assert.ok(
        found.some(({ file, problem }) => path.startsWith(file) && problem === 'this does not belong here'),
        `${path}: ${JSON.stringify(found)}`,
      );
    }
    using subject = withSmallLedger();
    const temporary = [
      'ledgers/access/a.tmp',
      'ledgers/access/tile/0/b.tmp',
      'ledgers/access/content/c.tmp',
      'keys/access/d.tmp',
    ];
    for (const path of temporary) subject.installation.write(path, Buffer.from('x'));
    const report = await subject.verify();
    assertOk(report);
    const notes = [...report.notes, ...report.ledgers.flatMap((ledger) => ledger.notes)].join('\n');
    for (const path of temporary) assert.ok(notes.includes(path), path);
  });
});

describe('damage to content', () => {
  it('names the frame whose checksum is wrong', async () => {
    using subject = withSmallLedger();
    const offsets = frameOffsets(subject.installation.read(CONTENT_1));
    change(subject.installation, CONTENT_1, flip(offsets[2]! + 100));
    const report = await subject.verify();
    assert.equal(problemsOf(report).length, 1);
    assertProblem(report, CONTENT_1, 2, 42, /checksum/);
  });

  it('finds by the chain what a checksum made right again would hide', async () => {
    using subject = withSmallLedger();
    const offsets = frameOffsets(subject.installation.read(CONTENT_1));
    change(subject.installation, CONTENT_1, (bytes) => {
      bytes[offsets[2]! + 300]! ^= 1;
      resealFrame(bytes, [offsets[2]!, offsets[3]!]);
      return bytes;
    });
    const report = await subject.verify();
    assert.equal(problemsOf(report).length, 1);
    assertProblem(report, CONTENT_1, 1, 42, /chain differs/);
  });

  it('says so of the segment that was changed, not of the one after it', async () => {
    using subject = withSmallLedger();
    const offsets = frameOffsets(subject.installation.read(CONTENT_1));
    // The content entry's own frame is the last of its segment: only the next segment's chain covers it.
    const resealed = (bytes: Buffer) => {
      bytes[offsets[3]! + 40]! ^= 1;
      resealFrame(bytes, [offsets[3]!, offsets[4]!]);
      return bytes;
    };
    change(subject.installation, CONTENT_1, resealed);
    const report = await subject.verify();
    assertProblem(report, CONTENT_1, 42, 43, /chain differs/);
    assert.ok(problemsOf(report).every(({ file }) => file === CONTENT_1));
  });

  it('knows every byte of the last content entry’s frame, which no chain covers', async () => {
    using subject = withSmallLedger();
    const whole = subject.installation.read(CONTENT_2);
    const last = frameOffsets(whole).at(-2)!;
    for (let at = last; at < whole.length; at++) {
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 1;
      if (at < whole.length - 8) resealFrame(bytes, [last, whole.length]);
      subject.installation.write(CONTENT_2, bytes);
      const report = await subject.verify();
      assert.equal(report.verdict, 'problems', `byte ${at - last}`);
      assert.ok(problemsOf(report).some(({ file, from }) => file === CONTENT_2 && from === 343));
    }
    subject.installation.write(CONTENT_2, whole.subarray(0, last));
    assertProblem(await subject.verify(), CONTENT_2, 343, 344, /before the entries do/);
  });

  it('finds that a key is not the epoch’s', async () => {
    using subject = withSmallLedger();
    const wrong = await subject.verify({ epochKey: () => Buffer.alloc(32, 7) });
    assertProblem(wrong, 'keys/access/0000000001.json', 0, 1, /not the key that epoch 1 was opened with/);
    assert.equal(wrong.ledgers[0]?.checked.decrypted, 0);
    const none = await subject.verify({ epochKey: () => undefined });
    assertOk(none);
    assert.match(none.ledgers[0]!.notes.join(), /Epoch 1 was not decrypted/);
  });

  it('finds a frame whose entries in the tree were committed from other records', async () => {
    using installation = new SmallInstallation();
    const ledger = installation.ledger('access');
    ledger.openEpoch();
    ledger.append({ records: 20, lie: 7 });
    ledger.publish();
    const options = { directory: installation.directory, trustedKeys: [ledger.verifierKey], remembered: [] };
    const checks = { ...options, workers: 0, sleep: async () => {} };
    assertOk(await verifyInstallation(checks));
    const report = await verifyInstallation({ ...checks, epochKey: installation.epochKey });
    assertProblem(report, CONTENT_1, 8, 9, /other content than is committed to/);
  });

  for (const [what, options] of [
    ['a record that is no object', { records: 3, content: 'x' }],
    ['a requests section that is no list', { records: 3, requests: '{}' }],
    ['a request with more records than there are', { records: 3, requests: requestOf(4) }],
  ] as const) {
    it(`finds ${what}, with keys`, async () => {
      using subject = withSmallLedger();
      subject.access.append(options as AppendOptions);
      subject.access.publish();
      assertOk(await subject.verify());
      const report = await subject.verify({ epochKey: subject.installation.epochKey });
      assertProblem(report, CONTENT_2, 344, 345, /not a JSON object|requests section/);
    });
  }

  it('finds a missing segment, and holds no loss against a ledger that destroyed the key', async () => {
    using subject = withSmallLedger();
    const { installation, access } = subject;
    access.openEpoch();
    access.append({ records: 20 });
    access.publish();
    for (const file of [CONTENT_1, CONTENT_2]) installation.remove(file);
    assertProblem(
      await subject.verify(),
      CONTENT_1,
      0,
      344,
      /unauthorised loss: segments 1 to 2 are missing/,
    );
    access.appendControl({ type: 'key-destroyed', v: 1, epoch: 1 });
    access.publish();
    const key = 'keys/access/0000000001.json';
    assertProblem(await subject.verify(), key, 0, 0, /was destroyed, and here it is/);
    installation.remove(key);
    const report = await subject.verify({ epochKey: installation.epochKey });
    assertOk(report);
    assert.match(report.ledgers[0]!.notes.join(), /gone with the key of epoch 1/);
  });

  it('finds frames that were added before a segment that is rightly gone', async () => {
    using subject = withSmallLedger();
    const { installation, access } = subject;
    access.openEpoch();
    access.append({ records: 20 });
    access.publish();
    access.openEpoch();
    access.appendControl({ type: 'key-destroyed', v: 1, epoch: 2 });
    access.publish();
    const destroyed = 'ledgers/access/content/0000000003.seg';
    const [first, , third] = frameOffsets(installation.read(destroyed));
    const frames = installation.read(destroyed).subarray(first, third);
    for (const path of [destroyed, 'keys/access/0000000002.json']) installation.remove(path);
    assertOk(await subject.verify());
    change(installation, CONTENT_2, (bytes) => Buffer.concat([bytes, frames]));
    assertProblem(await subject.verify(), CONTENT_2, 345, 365, /nothing vouches for these frames/);
  });

  it('finds one missing segment between others', async () => {
    using subject = withSmallLedger();
    subject.access.beginSegment();
    subject.access.append({ records: 9 });
    subject.access.publish();
    subject.installation.remove(CONTENT_2);
    const report = await subject.verify();
    assert.equal(problemsOf(report).length, 1);
    assertProblem(report, CONTENT_2, 43, 344, /this segment is missing/);
  });

  it('finds a segment header that was changed, under another number, or of another ledger', async () => {
    using subject = withSmallLedger();
    const custody = smallLedger(subject.installation, 'custody');
    const whole = subject.installation.read(CONTENT_2);
    change(subject.installation, CONTENT_2, flip(30));
    assertProblem(await subject.verify(), CONTENT_2, 0, 0, /header’s checksum/);
    subject.installation.write(CONTENT_2, subject.installation.read(CONTENT_1));
    assertProblem(await subject.verify(), CONTENT_2, 0, 0, /the header says 0000000001.seg/);
    subject.installation.write(CONTENT_2, subject.installation.read(custody.segmentFile));
    assertProblem(await subject.verify(), CONTENT_2, 0, 0, /not of the log/);
    subject.installation.write(CONTENT_2, whole);
    assertOk(await subject.verify());
  });

  it('finds a segment cut short', async () => {
    using subject = withSmallLedger();
    change(subject.installation, CONTENT_1, (bytes) => bytes.subarray(0, bytes.length - 1));
    const report = await subject.verify();
    assert.equal(problemsOf(report).length, 1);
    assertProblem(report, CONTENT_1, 42, 43, /ends within the frame|damaged/);
  });
});

describe('the end of the content', () => {
  const whole = { records: 4 };

  it('may hold frames that are not published yet', async () => {
    using subject = withSmallLedger();
    subject.access.append(whole);
    subject.access.openEpoch();
    subject.access.append(whole);
    const report = await subject.verify({ epochKey: subject.installation.epochKey });
    assertOk(report);
    assert.equal(report.ledgers[0]?.size, 344);
  });

  it('may end within a frame, at every byte', async () => {
    using subject = withSmallLedger();
    const published = subject.installation.read(CONTENT_2).length;
    subject.access.append(whole);
    const bytes = subject.installation.read(CONTENT_2);
    for (let length = published + 1; length < bytes.length; length += 7) {
      subject.installation.write(CONTENT_2, bytes.subarray(0, length));
      const report = await subject.verify();
      assertOk(report);
      assert.match(report.ledgers[0]!.notes.join(), /never finished/);
    }
  });

  it('may have lost a sector of the last frame, and no more', async () => {
    using subject = withSmallLedger();
    const published = subject.installation.read(CONTENT_2).length;
    subject.access.append({ records: 400 });
    const bytes = subject.installation.read(CONTENT_2);
    const sector = Math.ceil((published + 600) / 512) * 512;
    assert.ok(sector + 512 < bytes.length);
    subject.installation.write(CONTENT_2, Buffer.from(bytes).fill(0, sector, sector + 512));
    assertOk(await subject.verify());
    subject.installation.write(CONTENT_2, Buffer.from(bytes).fill(0, published));
    assertOk(await subject.verify());
    subject.installation.write(CONTENT_2, Buffer.from(bytes).fill(1, sector, sector + 512));
    assertProblem(await subject.verify(), CONTENT_2, 344, 344, /checksum/);
  });

  it('holds no damage with whole frames behind it', async () => {
    using subject = withSmallLedger();
    const published = subject.installation.read(CONTENT_2).length;
    subject.access.append(whole);
    subject.access.append(whole);
    change(subject.installation, CONTENT_2, flip(published + 90));
    assertProblem(await subject.verify(), CONTENT_2, 344, 344, /checksum/);
  });

  it('holds nothing but frames', async () => {
    for (const end of ['garbage', 'g', 'PLF\x01'.repeat(40), 'PLG']) {
      using subject = withSmallLedger();
      change(subject.installation, CONTENT_2, (bytes) => Buffer.concat([bytes, Buffer.from(end, 'latin1')]));
      assertProblem(await subject.verify(), CONTENT_2, 344, 344, /no frame/);
    }
    using subject = withSmallLedger();
    const bytes = subject.installation.read(CONTENT_2);
    const [first, second] = frameOffsets(bytes);
    subject.installation.write(CONTENT_2, Buffer.concat([bytes, bytes.subarray(first, second)]));
    assertProblem(await subject.verify(), CONTENT_2, 344, 344, /begins with entry 43, expected 344/);
  });

  it('of a superseded segment may hold what a crash left, and nothing else', async () => {
    using subject = withSmallLedger();
    const { installation, access } = subject;
    const published = installation.read(CONTENT_2);
    access.append(whole);
    const left = installation.read(CONTENT_2).subarray(published.length);
    installation.write(CONTENT_2, published);
    access.forgetFrame();
    access.beginSegment();
    access.append({ records: 2 });
    access.publish();
    for (const rest of [left, left.subarray(0, 50), Buffer.concat([left, left.subarray(0, 3)])]) {
      installation.write(CONTENT_2, Buffer.concat([published, rest]));
      const report = await subject.verify();
      assertOk(report);
      assert.match(report.ledgers[0]!.notes.join(), /left by a crash/);
    }
    installation.write(CONTENT_2, Buffer.concat([published, Buffer.from('garbage')]));
    assertProblem(await subject.verify(), CONTENT_2, 344, 344, /no frame/);
  });

  it('asks for a newer checkpoint where content was published behind it', async () => {
    using subject = withSmallLedger();
    const { installation, access } = subject;
    const old = access.checkpoint();
    access.append(whole);
    access.publish();
    const newest = access.checkpoint();
    const restore = () => installation.write('ledgers/access/checkpoint', Buffer.from(old));
    restore();
    const remembering = await subject.verify({ remembered: [newest] });
    assertProblem(remembering, 'ledgers/access/checkpoint', 344, 349, /behind what was remembered/);
    // Frames after a content entry say that its checkpoint was signed; so does a second content entry.
    for (const goOn of [() => access.append(whole), () => access.publish()]) {
      goOn();
      restore();
      for (const remembered of [[], [old]]) {
        const report = await subject.verify({ remembered });
        assertProblem(report, 'ledgers/access/checkpoint', 344, access.size === 353 ? 349 : 354, /older one/);
      }
    }
  });

  for (const [how, cutShort] of [
    ['before its tiles', () => {}],
    ['with its tiles', (access: SmallLedger) => access.writeTiles()],
    [
      'with a torn frame behind it',
      (access: SmallLedger, { installation }: { installation: SmallInstallation }) =>
        change(installation, access.segmentFile, (bytes) => Buffer.concat([bytes, Buffer.from('PLF')])),
    ],
  ] as const) {
    it(`may hold a publication that was cut short ${how}: a remembered checkpoint settles it`, async () => {
      using subject = withSmallLedger();
      const { access } = subject;
      const newest = access.checkpoint();
      access.append({ records: 600 });
      access.appendContentEntry();
      cutShort(access, subject);

      const settled = await subject.verify({ remembered: [newest], epochKey: subject.installation.epochKey });
      assertOk(settled);
      assert.match(settled.ledgers[0]!.notes.join(), /cut short: entries 344 to 944/);

      const open = await subject.verify();
      assert.equal(open.verdict, 'inconclusive');
      assert.deepEqual(problemsOf(open), []);
      assert.match(open.ledgers[0]!.notes.join(), /or the checkpoint is an older one put back/);
    });
  }

  it('is not excused by a publication that was cut short', async () => {
    using subject = withSmallLedger();
    const { access, installation } = subject;
    const remembered = [access.checkpoint()];
    access.appendContentEntry();
    assertOk(await subject.verify({ remembered }));
    const further = 'ledgers/access/tile/0/001.p/90';
    installation.write(further, Buffer.alloc(32 * 90));
    assertProblem(await subject.verify({ remembered }), further, 344, 346, /a log of at least 346 entries/);
    installation.remove(further);
    change(installation, CONTENT_2, flip(200));
    assertProblem(await subject.verify({ remembered }), CONTENT_2, 43, 343, /checksum/);
  });
});

describe('keys and the installation’s own file', () => {
  const key = 'keys/access/0000000001.json';

  it('finds a key that is missing, changed, another’s, or too many', async () => {
    using subject = withSmallLedger();
    const { installation } = subject;
    const custody = smallLedger(installation, 'custody');
    const bytes = installation.read(key);
    assert.equal(custody.epochKeys.length, 1);

    installation.remove(key);
    assertProblem(await subject.verify(), key, 0, 0, /is missing, and no entry says/);
    installation.write(
      key,
      Buffer.concat([bytes.subarray(0, 40), Buffer.of(bytes[40]! ^ 1), bytes.subarray(41)]),
    );
    assertProblem(await subject.verify(), key, 0, 0, /check/);
    installation.write(key, bytes.subarray(0, -1));
    assertProblem(await subject.verify(), key, 0, 0, /check/);
    installation.write(key, installation.read('keys/custody/0000000001.json'));
    assertProblem(await subject.verify(), key, 0, 0, /key of epoch 1 of ledger custody/);
    installation.write(key, bytes);
    installation.write('keys/access/0000000002.json', bytes);
    assertProblem(
      await subject.verify(),
      'keys/access/0000000002.json',
      0,
      0,
      /key of epoch 1 of ledger access/,
    );
  });

  it('allows the key of the next epoch, which is made before it is opened', async () => {
    using subject = withSmallLedger();
    subject.access.makeKey();
    assertOk(await subject.verify());
    subject.access.makeKey();
    assertProblem(await subject.verify(), 'keys/access/0000000003.json', 0, 0, /no epoch 3/);
  });

  it('finds installation.json missing or changed, and ledgers under other names', async () => {
    using subject = withSmallLedger();
    const { installation } = subject;
    const bytes = installation.read('installation.json');
    installation.remove('installation.json');
    assertProblem(await subject.verify(), 'installation.json', 0, 0, /missing/);
    installation.write('installation.json', flip(12)(Buffer.from(bytes)));
    assertProblem(await subject.verify(), 'installation.json', 0, 0, /check/);
    installation.write('installation.json', bytes);
    for (const path of installation.files().filter((file) => file.startsWith('ledgers/access/'))) {
      installation.write(path.replace('access', 'other'), installation.read(path));
    }
    const report = await subject.verify();
    assertProblem(report, 'ledgers/other/key.pub', 0, 0, new RegExp(`expected ${INSTALLATION}/other`));
  });

  it('passes over what is derived or momentary', async () => {
    using subject = withSmallLedger();
    for (const path of ['cache/x', 'search/access/1.col', 'lock', 'lock.json']) {
      subject.installation.write(path, Buffer.from('anything'));
    }
    assertOk(await subject.verify());
  });

  it('finds that there is no ledger', async () => {
    using subject = withSmallLedger();
    rmSync(join(subject.installation.directory, 'ledgers'), { recursive: true });
    assertProblem(await subject.verify(), 'ledgers', 0, 0, /no ledger/);
  });
});

function requestOf(count: number): string {
  const hex = '00'.repeat(16);
  return JSON.stringify([{ body: hex, count, key: hex, offset: 0, quarantined: [], time: 1 }]);
}
