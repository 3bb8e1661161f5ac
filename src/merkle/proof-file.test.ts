import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeBase64 } from '../bytes/base64.ts';
import { isProblem } from '../bytes/problem.ts';
import { signCheckpoint } from './checkpoint.ts';
import { commitment, encodeEntry } from './entry.ts';
import { leafHash, nodeHash } from './hashes.ts';
import { naiveRoot, readSample } from './naive-tree.fixture.ts';
import { ed25519Signer, verifierKeyOf } from './note.ts';
import {
  discloseCommitted,
  discloseControl,
  encodeProofFile,
  parseProofFile,
  verifyProofFile,
} from './proof-file.ts';
import { type HashReader, inclusionProof, treeRoot } from './tree.ts';

const ORIGIN = 'portledger.local/3f9a61c2d4e8b07f/access';
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const signer = ed25519Signer(ORIGIN, privateKey);
const key = verifierKeyOf(ORIGIN, publicKey);

const salt = new Uint8Array(32).fill(9);
const record = Buffer.from('{"event.action":"connect"}');
const control = Buffer.from('{"type":"policy","v":1}');

/** A tree of sample entries, with one entry of ours in it. */
function proofOf(entry: Uint8Array, extra: Uint8Array | undefined, index: number, size: number): Buffer {
  const read: HashReader = (level, at) => {
    const span = 2 ** level;
    if (index < at * span || index >= (at + 1) * span) return readSample(level, at);
    return level === 0 ? leafHash(entry) : nodeHash(read(level - 1, 2 * at), read(level - 1, 2 * at + 1));
  };
  const checkpoint = signCheckpoint({ origin: ORIGIN, size, root: treeRoot(size, read) }, [signer]);
  return encodeProofFile({ extra, index, proof: inclusionProof(index, size, read), checkpoint });
}

function recordProof(index: number, size: number): Buffer {
  const entry = encodeEntry({ kind: 'record', commitment: commitment(salt, record) });
  return proofOf(entry, discloseCommitted('record', salt, record), index, size);
}

function problemOf(value: object): string {
  assert.ok('problem' in value, 'expected a problem');
  return String(value.problem);
}

test('verifyProofFile shows the record, the quarantined item and the control entry', () => {
  for (const [index, size] of [
    [0, 1],
    [3, 7],
    [255, 256],
    [300, 600],
  ] as const) {
    const shown = { origin: ORIGIN, index, size };
    assert.deepEqual(verifyProofFile(recordProof(index, size), key), {
      ...shown,
      kind: 'record',
      bytes: record,
    });
    const entry = encodeEntry({ kind: 'quarantined', commitment: commitment(salt, record) });
    const quarantined = proofOf(entry, discloseCommitted('quarantined', salt, record), index, size);
    assert.deepEqual(verifyProofFile(quarantined, key), { ...shown, kind: 'quarantined', bytes: record });
    const open = discloseControl(control);
    assert.deepEqual(verifyProofFile(proofOf(open, open, index, size), key), {
      ...shown,
      kind: 'control',
      bytes: control,
    });
  }
});

test('a proof file is laid out as the specification shows it', () => {
  const file = recordProof(2, 3).toString();
  const extra = encodeBase64(Buffer.concat([Buffer.of(1), salt, record]));
  const sibling = encodeBase64(naiveRoot(0, 2));
  assert.ok(
    file.startsWith(`c2sp.org/tlog-proof@v1\nextra ${extra}\nindex 2\n${sibling}\n\n${ORIGIN}\n3\n`),
    file,
  );
});

test('one changed byte anywhere in a proof file is found', () => {
  const file = recordProof(4, 7);
  fc.assert(
    fc.property(fc.nat({ max: file.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const changed = Buffer.from(file);
      changed[at]! ^= mask;
      assert.ok(isProblem(verifyProofFile(changed, key)));
    }),
    { numRuns: 500 },
  );
});

test('every flipped bit of a proof file is found', () => {
  const file = recordProof(1, 3);
  for (let bit = 0; bit < 8 * file.length; bit += 3) {
    const changed = Buffer.from(file);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    assert.ok(isProblem(verifyProofFile(changed, key)), `bit ${bit}`);
  }
});

test('verifyProofFile says what is wrong', () => {
  const other = generateKeyPairSync('ed25519');
  const file = recordProof(4, 7);
  assert.match(
    problemOf(verifyProofFile(file, verifierKeyOf(ORIGIN, other.publicKey))),
    /none of the known keys/,
  );
  const text = file.toString();
  assert.match(
    problemOf(verifyProofFile(Buffer.from(text.replace('index 4', 'index 5')), key)),
    /is not entry 5/,
  );
  assert.match(problemOf(verifyProofFile(Buffer.from(text.replace('index 4', 'index 7')), key)), /beyond/);
  const secret = text.replace(/^extra .*\n/m, '');
  assert.match(problemOf(verifyProofFile(Buffer.from(secret), key)), /discloses no entry/);
});

test('verifyProofFile does not take one kind for another', () => {
  // A control entry with a commitment for a body is not a record.
  const posing = Buffer.concat([Buffer.of(0x10), commitment(salt, record)]);
  const file = proofOf(posing, discloseCommitted('record', salt, record), 2, 5);
  assert.match(problemOf(verifyProofFile(file, key)), /is not entry 2/);
  const unknown = Buffer.of(0x03, 1, 2);
  assert.match(problemOf(verifyProofFile(proofOf(unknown, unknown, 2, 5), key)), /unknown kind/);
  const short = Buffer.of(0x01, 1, 2);
  assert.match(problemOf(verifyProofFile(proofOf(short, short, 2, 5), key)), /cut short/);
});

test('parseProofFile refuses every other spelling', () => {
  const good = recordProof(4, 7).toString();
  const lines = good.split('\n');
  const wrong = {
    empty: '',
    'another version': good.replace('@v1', '@v2'),
    'carriage returns': good.replaceAll('\n', '\r\n'),
    'leading zero': good.replace('index 4', 'index 04'),
    'two spaces': good.replace('index 4', 'index  4'),
    'index too large': good.replace('index 4', 'index 9007199254740992'),
    'no index': good.replace('index 4\n', ''),
    'index before extra': [lines[0], lines[2], lines[1], ...lines.slice(3)].join('\n'),
    'extra twice': [lines[0], lines[1], lines[1], ...lines.slice(2)].join('\n'),
    'spelling of extra': good.replace('extra ', 'extra  '),
    'short hash': good.replace(lines[3]!, encodeBase64(new Uint8Array(31))),
    'too many hashes': good.replace(lines[3]!, Array(64).fill(lines[3]).join('\n')),
    'no checkpoint': good.slice(0, good.indexOf('\n\n') + 1),
    'long checkpoint': good + 'a'.repeat(1_000_000),
  };
  for (const [what, text] of Object.entries(wrong)) {
    assert.ok(isProblem(parseProofFile(Buffer.from(text))), what);
  }
  assert.ok(isProblem(parseProofFile(Buffer.alloc(32 * 1024 * 1024 + 1))));
});

test('encodeProofFile refuses what parseProofFile would not read', () => {
  const checkpoint = signCheckpoint({ origin: ORIGIN, size: 1, root: naiveRoot(0, 1) }, [signer]);
  assert.throws(() => encodeProofFile({ index: -1, proof: [], checkpoint }), /Cannot encode proof file/);
  assert.throws(() => encodeProofFile({ index: 0, proof: [salt.subarray(1)], checkpoint }), /Cannot encode/);
  assert.throws(() => discloseCommitted('record', salt.subarray(1), record), RangeError);
});

test('parseProofFile answers to any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.ok(isProblem(parseProofFile(bytes)));
      assert.ok(
        isProblem(verifyProofFile(Buffer.concat([Buffer.from('c2sp.org/tlog-proof@v1\n'), bytes]), key)),
      );
    }),
  );
});
