// Goal: verify.py accepts a ledger written by our own code and finds every changed byte in it, naming the file.
// Method: a small ledger of two segments and a full tile is written to a temporary directory. One Python process then flips bytes
// of its files, checks, and puts them back, so that hundreds of changes cost no process each.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isProblem } from '../src/bytes/problem.ts';
import { SALT_BYTES } from '../src/event/batch.ts';
import { signCheckpoint } from '../src/merkle/checkpoint.ts';
import { commitment, encodeCommittedEntries, encodeEntry } from '../src/merkle/entry.ts';
import { TreeFrontier } from '../src/merkle/frontier.ts';
import { hashLeaves } from '../src/merkle/hashes.ts';
import { ed25519Signer, formatVerifierKey, verifierKeyOf } from '../src/merkle/note.ts';
import { discloseCommitted, discloseControl, encodeProofFile } from '../src/merkle/proof-file.ts';
import {
  bundlePath,
  encodeBundle,
  parseBundle,
  TILE_WIDTH,
  type TileReader,
  tileHashReader,
  tilePath,
} from '../src/merkle/tiles.ts';
import { inclusionProof } from '../src/merkle/tree.ts';
import { sealFrame } from '../src/sealed/seal-frame.ts';
import {
  EMPTY_CHAIN,
  encodeSegmentHeader,
  extendChain,
  originHash,
  segmentFileName,
} from '../src/sealed/segment-header.ts';

const VERIFIER = join(import.meta.dirname, 'verify.py');
const PYTHON = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']).status === 0;

const ORIGIN = 'portledger.local/3f9a61c2d4e8b07f/access';
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const signer = ed25519Signer(ORIGIN, privateKey);
const vkey = formatVerifierKey(verifierKeyOf(ORIGIN, publicKey));

/** Writes a ledger as docs/formats.md describes it. */
class SampleLedger {
  readonly directory: string;
  readonly #frontier = new TreeFrontier();
  readonly #entries: Uint8Array[] = [];
  #chain = EMPTY_CHAIN;
  #segment = 0;
  #bytes: Buffer[] = [];

  constructor(directory: string) {
    this.directory = directory;
    this.write('key.pub', Buffer.from(`${vkey}\n`));
  }

  get size(): number {
    return this.#entries.length;
  }

  write(path: string, bytes: Uint8Array): void {
    mkdirSync(dirname(join(this.directory, path)), { recursive: true });
    writeFileSync(join(this.directory, path), bytes);
  }

  segment(epoch: number): void {
    const previousLength = this.#length();
    this.#segment++;
    this.#bytes = [];
    const first = this.size;
    const header = { segment: this.#segment, epoch, first, previousLength, originHash: originHash(ORIGIN) };
    this.#extend(encodeSegmentHeader({ ...header, previousChain: this.#chain }));
  }

  frame(epoch: number, controls: readonly object[], records: number, quarantined = 0): void {
    const bodies = controls.map((body) => Buffer.from(JSON.stringify({ ...body, v: 1 })));
    const entries = bodies.map((body) => encodeEntry({ kind: 'control', body }));
    const sealed = sealFrame({
      origin: ORIGIN,
      epoch,
      epochKey: Buffer.alloc(32, epoch),
      first: this.size,
      blockId: Buffer.alloc(32, records + quarantined > 0 ? this.size + 1 : 0),
      controls: entries,
      records: [sampleItems(records)],
      quarantined: [sampleItems(quarantined)],
    });
    this.#extend(sealed.frame);
    const added = Buffer.concat([
      encodeBundle(entries),
      encodeCommittedEntries('record', sealed.commitments.subarray(0, 32 * records)),
      encodeCommittedEntries('quarantined', sealed.commitments.subarray(32 * records)),
    ]);
    const slab = parseBundle(added, controls.length + records + quarantined);
    if (isProblem(slab)) assert.fail(slab.problem);
    for (const [i, start] of slab.starts.entries()) this.#entries.push(added.subarray(start, slab.ends[i]));
    for (const tile of this.#frontier.append(hashLeaves(slab))) this.write(tilePath(tile), tile.bytes);
  }

  publish(epoch: number): void {
    const place = {
      segment: this.#segment,
      offset: this.#length(),
      chain: Buffer.from(this.#chain).toString('hex'),
    };
    this.frame(epoch, [{ type: 'content', ...place }], 0);
    for (const tile of this.#frontier.partialTiles()) this.write(tilePath(tile), tile.bytes);
    for (let index = 0; index * TILE_WIDTH < this.size; index++) {
      const entries = this.#entries.slice(index * TILE_WIDTH, (index + 1) * TILE_WIDTH);
      this.write(bundlePath({ index, width: entries.length }), encodeBundle(entries));
    }
    const checkpoint = { origin: ORIGIN, size: this.size, root: this.#frontier.root() };
    this.write('checkpoint', signCheckpoint(checkpoint, [signer]));
  }

  proof(index: number, extra: Uint8Array): Buffer {
    const readTile: TileReader = (tile) => readFileSync(join(this.directory, tilePath(tile)));
    const checkpoint = readFileSync(join(this.directory, 'checkpoint'));
    const size = Number(checkpoint.toString().split('\n')[1]);
    return encodeProofFile({
      extra,
      index,
      proof: inclusionProof(index, size, tileHashReader(size, readTile)),
      checkpoint,
    });
  }

  entry(index: number): Uint8Array {
    return this.#entries[index]!;
  }

  #length(): number {
    return this.#bytes.reduce((length, { length: more }) => length + more, 0);
  }

  #extend(bytes: Buffer): void {
    this.#chain = extendChain(this.#chain, bytes);
    this.#bytes.push(bytes);
    this.write(`content/${segmentFileName(this.#segment)}`, Buffer.concat(this.#bytes));
  }
}

function sampleItems(count: number) {
  const items = Array.from({ length: count }, (_, i) => Buffer.from(`{"event.sequence":${i}}`));
  const slab = Buffer.concat(items.flatMap((item) => [Buffer.alloc(SALT_BYTES), item]));
  const starts = new Uint32Array(count);
  const ends = new Uint32Array(count);
  let at = 0;
  for (const [i, item] of items.entries()) {
    starts[i] = at + SALT_BYTES;
    at = ends[i] = starts[i]! + item.length;
  }
  return { slab, starts, ends };
}

type Problems = readonly { readonly file: string; readonly from: number; readonly to: number }[];

/** One bit of this byte is flipped. */
interface Flip {
  readonly file: string;
  readonly offset: number;
}

/** So many bytes are kept; null: the file is removed. */
interface Cut {
  readonly file: string;
  readonly keep: number | null;
}

interface Report {
  readonly ok: boolean;
  readonly ledgers: readonly {
    readonly size: number;
    readonly problems: Problems;
  }[];
}

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync('python3', ['-B', VERIFIER, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

function verifyTree(directory: string, ...flags: string[]): Report {
  const { status, stdout, stderr } = run('tree', directory, '--key', vkey, '--json', ...flags);
  assert.equal(stderr, '');
  const report: Report = JSON.parse(stdout);
  assert.equal(status, report.ok ? 0 : 1);
  return report;
}

describe('verify.py', { skip: PYTHON ? false : 'there is no python3 here' }, () => {
  let parent: string;
  let sample: SampleLedger;
  let published = 0;

  before(() => {
    parent = mkdtempSync(join(tmpdir(), 'verify-py-'));
    sample = new SampleLedger(join(parent, 'access'));
    sample.segment(1);
    sample.frame(1, [{ type: 'epoch-opened', epoch: 1, name: '2026-11-20' }], 3);
    sample.frame(1, [], 300, 2);
    sample.publish(1);
    sample.segment(1);
    sample.frame(1, [], 4);
    sample.segment(2);
    sample.frame(2, [{ type: 'epoch-opened', epoch: 2, name: '2026-11-21' }], 5, 1);
    sample.publish(2);
    published = sample.size;
    sample.frame(2, [], 2);
  });
  after(() => rmSync(parent, { recursive: true, force: true }));

  test('tree accepts what our code has written, partial tiles of older sizes and unpublished frames included', () => {
    const report = verifyTree(sample.directory);
    assert.deepEqual(report.ledgers[0]!.problems, []);
    assert.equal(report.ledgers[0]!.size, published);
    const { status, stdout } = run('tree', sample.directory, '--key', join(sample.directory, 'key.pub'));
    assert.equal(status, 0);
    assert.match(stdout, /nothing wrong found/);
  });

  test('tree finds a flipped byte anywhere and names the file', () => {
    const files = globSync('**/*', { cwd: sample.directory })
      .filter((file) => statSync(join(sample.directory, file)).isFile())
      .sort();
    const changes = files.flatMap((file) => {
      const last = file === 'content/0000000003.seg';
      const length = publishedLength(file, last);
      // Every byte of what is short, and of the rest first and last bytes and a sample with a stride that is prime.
      return Array.from({ length }, (_, offset) => ({ file, offset })).filter(
        ({ offset }) =>
          length < 40 ||
          offset % 251 === 0 ||
          offset === length - 1 ||
          (file.endsWith('.seg') && offset < 200 && offset % 7 === 0),
      );
    });
    const found = problemsAfter(changes);
    assert.equal(found.length, changes.length);
    for (const [i, { file, offset }] of changes.entries()) {
      const named = found[i]!.map((problem) => problem.file);
      assert.ok(named.includes(file), `${file}, byte ${offset}: ${JSON.stringify(found[i])}`);
      // Whatever else rests on the changed file, it is not blamed for it.
      if (file.startsWith('tile/')) assert.deepEqual([...new Set(named)], [file], `byte ${offset}`);
    }
  });

  /** Makes one change after the other, each undone before the next, and gives what verify.py says to each. */
  function problemsAfter(changes: readonly (Flip | Cut)[]): readonly Problems[] {
    const driver = `
import json, os, sys
sys.path.insert(0, ${JSON.stringify(import.meta.dirname)})
import verify
key, directory = verify.parse_key(sys.argv[1]), sys.argv[2]
for change in json.load(sys.stdin):
    path = directory + "/" + change["file"]
    good = open(path, "rb").read()
    changed = bytearray(good)
    if "offset" in change:
        changed[change["offset"]] ^= 1 << change["offset"] % 8
    elif change["keep"] is not None:
        del changed[change["keep"]:]
    if "offset" in change or change["keep"] is not None:
        open(path, "wb").write(changed)
    else:
        os.remove(path)
    ledger = verify.Ledger(directory, key)
    ledger.check(False)
    print(json.dumps(ledger.problems))
    open(path, "wb").write(good)
`;
    const { stdout, stderr } = spawnSync('python3', ['-B', '-c', driver, vkey, sample.directory], {
      encoding: 'utf8',
      input: JSON.stringify(changes),
      maxBuffer: 64 * 1024 * 1024,
    });
    assert.equal(stderr, '');
    return stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  }

  function publishedLength(file: string, last: boolean): number {
    const { size } = statSync(join(sample.directory, file));
    if (!last) return size;
    // What the checkpoint does not cover yet: the frame written last.
    return size - readFileSync(join(sample.directory, file)).readUInt32BE(size - 4);
  }

  test('tree names the entries under a changed one', () => {
    const copy = join(parent, 'changed');
    cpSync(sample.directory, copy, { recursive: true });
    const bundle = readFileSync(join(copy, 'tile/entries/000'));
    const slab = parseBundle(bundle, TILE_WIDTH);
    if (isProblem(slab)) assert.fail(slab.problem);
    bundle[slab.ends[77]! - 1]! ^= 1;
    writeFileSync(join(copy, 'tile/entries/000'), bundle);
    const { problems } = verifyTree(copy, '--public').ledgers[0]!;
    assert.deepEqual(
      problems.map(({ file, from, to }) => ({ file, from, to })),
      [{ file: 'tile/entries/000', from: 77, to: 78 }],
    );
  });

  test('tree finds missing and truncated files', () => {
    const firstIndex = {
      checkpoint: 0,
      'key.pub': 0,
      'tile/0/000': 0,
      'tile/entries/000': 0,
      [tilePath({ level: 1, index: 0, width: 1 })]: 0,
      [tilePath({ level: 0, index: 1, width: published - TILE_WIDTH })]: TILE_WIDTH,
      [bundlePath({ index: 1, width: published - TILE_WIDTH })]: TILE_WIDTH,
      'content/0000000001.seg': 0,
      'content/0000000002.seg': 307,
      'content/0000000003.seg': 311,
    };
    for (const [file, from] of Object.entries(firstIndex)) {
      const half = Math.floor(statSync(join(sample.directory, file)).size / 2);
      const [missing, empty, cut] = problemsAfter([
        { file, keep: null },
        { file, keep: 0 },
        { file, keep: half },
      ]);
      const naming = (problems: Problems) =>
        problems.filter(
          (problem) => problem.file === file || (problem.file === 'content' && file.endsWith('.seg')),
        );
      assert.equal(Math.min(...naming(missing!).map((problem) => problem.from)), from, `missing ${file}`);
      assert.ok(naming(empty!).length > 0, `empty ${file}`);
      assert.ok(naming(cut!).length > 0, `truncated ${file}`);
    }
  });

  test('tree finds strangers and symbolic links, and passes over temporary files', () => {
    const copy = join(parent, 'strangers');
    cpSync(sample.directory, copy, { recursive: true });
    writeFileSync(join(copy, 'tile/0/000.p.tmp'), 'x');
    assert.deepEqual(verifyTree(copy).ledgers[0]!.problems, []);
    const strangers = ['content/1.seg', 'notes.txt', 'tile/0/001.p/256', 'tile/entries/000.copy', 'tile/x'];
    for (const file of strangers) writeFileSync(join(copy, file), 'x');
    symlinkSync('key.pub', join(copy, 'tile/link'));
    const { problems } = verifyTree(copy).ledgers[0]!;
    assert.deepEqual(problems.map(({ file }) => file).sort(), [...strangers, 'tile/link'].sort());
  });

  test('tree finds what is no torn frame at the end of the last segment', () => {
    const copy = join(parent, 'end');
    cpSync(sample.directory, copy, { recursive: true });
    const file = 'content/0000000003.seg';
    const whole = readFileSync(join(sample.directory, file));
    const problemsWith = (bytes: Uint8Array) => {
      writeFileSync(join(copy, file), bytes);
      return verifyTree(copy).ledgers[0]!.problems.map((problem) => problem.file);
    };
    for (const end of ['garbage', 'PLG', 'PLF\x01'.repeat(40)]) {
      assert.deepEqual(problemsWith(Buffer.concat([whole, Buffer.from(end, 'latin1')])), [file], end);
    }
    for (const end of ['', 'P', 'PLF\x01\0', '\0'.repeat(600)]) {
      assert.deepEqual(problemsWith(Buffer.concat([whole, Buffer.from(end, 'latin1')])), [], end);
    }
    for (const cut of [1, 7, 8, 20])
      assert.deepEqual(problemsWith(whole.subarray(0, -cut)), [], `cut ${cut}`);
  });

  test('tree finds a frame that was changed along with its checksum', () => {
    const copy = join(parent, 'resealed');
    cpSync(sample.directory, copy, { recursive: true });
    const other = new SampleLedger(join(parent, 'other'));
    other.segment(1);
    other.frame(1, [{ type: 'epoch-opened', epoch: 1, name: '2026-11-20' }], 3);
    const frameStart = statSync(join(other.directory, 'content/0000000001.seg')).size;
    other.frame(1, [], 300, 2);
    const forged = readFileSync(join(copy, 'content/0000000001.seg'));
    // The block id of the second frame: nothing but the chain holds it.
    forged[frameStart + 40]! ^= 1;
    const length = forged.readUInt32BE(frameStart + 4);
    const { stdout } = spawnSync(
      'python3',
      ['-c', 'import sys,zlib; print(zlib.crc32(sys.stdin.buffer.read()))'],
      {
        input: forged.subarray(frameStart, frameStart + length - 8),
        encoding: 'utf8',
      },
    );
    forged.writeUInt32BE(Number(stdout), frameStart + length - 8);
    writeFileSync(join(copy, 'content/0000000001.seg'), forged);
    const { problems } = verifyTree(copy).ledgers[0]!;
    assert.deepEqual(
      problems.map(({ file, from, to }) => ({ file, from, to })),
      [{ file: 'content/0000000001.seg', from: 0, to: 306 }],
    );
  });

  test('tree says that a checkpoint of another key is not this log’s', () => {
    const other = formatVerifierKey(verifierKeyOf(ORIGIN, generateKeyPairSync('ed25519').publicKey));
    const { status, stdout } = run('tree', sample.directory, '--key', other);
    assert.equal(status, 1);
    assert.match(stdout, /has not signed the checkpoint/);
  });

  test('proof shows the disclosed entry, or says why it proves nothing', () => {
    const record = Buffer.from('{"event.sequence":0}');
    const control = sample.entry(0).subarray(1);
    const open = sample.proof(0, discloseControl(control));
    const file = join(parent, 'one.tlog-proof');
    writeFileSync(file, open);
    const proven = run('proof', file, '--key', vkey, '--json');
    assert.equal(proven.status, 0);
    assert.deepEqual(JSON.parse(proven.stdout), {
      ok: true,
      origin: ORIGIN,
      index: 0,
      size: published,
      kind: 'control',
      content: Buffer.from(control).toString(),
    });
    const wrong = Buffer.from(open.toString().replace('index 0', 'index 1'));
    const stranger = sample.proof(5, discloseCommitted('record', Buffer.alloc(32), record));
    for (const bytes of [
      wrong,
      stranger,
      open.subarray(0, 100),
      Buffer.alloc(0),
      Buffer.from([0xff, 0x0a, 0x0a]),
    ]) {
      writeFileSync(file, bytes);
      const { status, stdout, stderr } = run('proof', file, '--key', vkey);
      assert.equal(status, 1);
      assert.equal(stderr, '');
      assert.match(stdout, /NOT PROVEN/);
    }
  });

  test('proof shows a record', () => {
    const salt = Buffer.alloc(32, 5);
    const record = Buffer.from('{"user.name":"svc-billing"}');
    const ledger = new SampleLedger(join(parent, 'single'));
    const entry = encodeEntry({ kind: 'record', commitment: commitment(salt, record) });
    const slab = parseBundle(encodeBundle([entry]), 1);
    if (isProblem(slab)) assert.fail(slab.problem);
    const root = hashLeaves(slab);
    const checkpoint = signCheckpoint({ origin: ORIGIN, size: 1, root }, [signer]);
    const file = join(ledger.directory, 'record.tlog-proof');
    writeFileSync(
      file,
      encodeProofFile({ extra: discloseCommitted('record', salt, record), index: 0, proof: [], checkpoint }),
    );
    const { status, stdout } = run('proof', file, '--key', vkey);
    assert.equal(status, 0);
    assert.match(stdout, /record entry 0 of .*\n\{"user.name":"svc-billing"\}\n$/);
  });

  test('usage errors exit with 2', () => {
    assert.equal(run('tree', sample.directory).status, 2);
    assert.equal(run('tree', join(parent, 'nowhere'), '--key', vkey).status, 2);
    assert.equal(run('tree', sample.directory, '--key', 'no key').status, 2);
    assert.equal(run('proof', join(parent, 'nowhere'), '--key', vkey).status, 2);
  });
});
