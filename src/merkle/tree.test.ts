import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeHex } from '../bytes/hex.ts';
import { EMPTY_ROOT, leafHash, nodeHash } from './hashes.ts';
import { naiveRoot, readSample } from './naive-tree.fixture.ts';
import { consistencyProof, type HashReader, inclusionProof, rangeRoot, treeRoot } from './tree.ts';
import { verifyConsistency, verifyInclusion } from './verify-proofs.ts';

// The entries, roots and proofs that Certificate Transparency implementations have been tested with since RFC 6962.
const CT_ENTRIES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const CT_ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
] as const;
const readCt: HashReader = (level, index) =>
  level === 0
    ? leafHash(Buffer.from(CT_ENTRIES[index]!, 'hex'))
    : nodeHash(readCt(level - 1, 2 * index), readCt(level - 1, 2 * index + 1));

test('treeRoot of the eight test entries of Certificate Transparency', () => {
  assert.deepEqual(
    CT_ROOTS.map((_, size) => encodeHex(treeRoot(size, readCt))),
    CT_ROOTS,
  );
});

test('proofs over the eight test entries of Certificate Transparency', () => {
  const leaf1 = '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7';
  const leaf4 = 'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b';
  const leaves2to3 = '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e';
  const leaves4to5 = '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a';
  const leaves6to7 = 'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0';
  const leaves4to7 = '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4';
  const bytes = (hexes: readonly string[]) => hexes.map((hex) => Buffer.from(hex, 'hex'));
  for (const [index, size, hexes] of [
    [0, 1, []],
    [0, 8, [leaf1, leaves2to3, leaves4to7]],
    [5, 8, [leaf4, leaves6to7, CT_ROOTS[4]]],
    [2, 3, [CT_ROOTS[2]]],
    [1, 5, [CT_ROOTS[1], leaves2to3, leaf4]],
  ] as const) {
    assert.deepEqual(inclusionProof(index, size, readCt).map(encodeHex), hexes);
    const [root] = bytes([CT_ROOTS[size]]);
    assert.ok(
      verifyInclusion({ index, size, leafHash: readCt(0, index), proof: bytes(hexes), root: root! }),
      `leaf ${index} of ${size}`,
    );
  }
  for (const [from, to, hexes] of [
    [1, 1, []],
    [1, 8, [leaf1, leaves2to3, leaves4to7]],
    [6, 8, [leaves4to5, leaves6to7, CT_ROOTS[4]]],
    [2, 5, [leaves2to3, leaf4]],
  ] as const) {
    assert.deepEqual(consistencyProof(from, to, readCt).map(encodeHex), hexes, `${from} to ${to}`);
  }
});

test('treeRoot and rangeRoot are those of the definition', () => {
  for (let size = 0; size <= 600; size++)
    assert.equal(encodeHex(treeRoot(size, readSample)), encodeHex(naiveRoot(0, size)));
  assert.equal(encodeHex(rangeRoot(512, 600, readSample)), encodeHex(naiveRoot(512, 600)));
  assert.equal(encodeHex(rangeRoot(5, 6, readSample)), encodeHex(naiveRoot(5, 6)));
  assert.throws(() => rangeRoot(4, 9, readSample), RangeError);
  assert.throws(() => rangeRoot(2, 5, readSample), RangeError);
  assert.throws(() => rangeRoot(3, 3, readSample), RangeError);
});

test('every leaf is provable at every size', () => {
  const prove = (index: number, size: number) => {
    const proof = inclusionProof(index, size, readSample);
    const claim = { index, size, leafHash: readSample(0, index), proof, root: naiveRoot(0, size) };
    assert.ok(verifyInclusion(claim), `leaf ${index} of ${size}`);
  };
  for (let size = 1; size <= 70; size++) for (let index = 0; index < size; index++) prove(index, size);
  for (const size of [127, 128, 129, 255, 256, 257, 511, 512, 513, 600]) {
    for (let index = 0; index < size; index += 7) prove(index, size);
    prove(size - 1, size);
  }
});

test('every size is consistent with every earlier one', () => {
  for (let size = 0; size <= 70; size++) {
    for (let oldSize = 0; oldSize <= size; oldSize++) {
      const proof = consistencyProof(oldSize, size, readSample);
      const claim = { oldSize, oldRoot: naiveRoot(0, oldSize), size, root: naiveRoot(0, size), proof };
      assert.ok(verifyConsistency(claim), `${oldSize} to ${size}`);
    }
  }
});

const sizeAndIndex = fc
  .integer({ min: 1, max: 600 })
  .chain((size) => fc.record({ size: fc.constant(size), index: fc.nat({ max: size - 1 }) }));

function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = Uint8Array.from(bytes);
  flipped[(bit >> 3) % bytes.length]! ^= 1 << (bit & 7);
  return flipped;
}

test('verifyInclusion rejects one flipped bit, anywhere', () => {
  fc.assert(
    fc.property(sizeAndIndex, fc.nat({ max: 255 }), fc.nat(), ({ size, index }, bit, pick) => {
      const proof = inclusionProof(index, size, readSample);
      const claim = { index, size, leafHash: readSample(0, index), proof, root: naiveRoot(0, size) };
      assert.ok(!verifyInclusion({ ...claim, leafHash: flipBit(claim.leafHash, bit) }));
      assert.ok(!verifyInclusion({ ...claim, root: flipBit(claim.root, bit) }));
      if (proof.length > 0) {
        const at = pick % proof.length;
        assert.ok(!verifyInclusion({ ...claim, proof: proof.with(at, flipBit(proof[at]!, bit)) }));
      }
    }),
  );
});

test('verifyInclusion rejects other places, and proofs with a hash too few, too many or of another length', () => {
  fc.assert(
    fc.property(sizeAndIndex, fc.nat({ max: 700 }), fc.nat(), ({ size, index }, other, pick) => {
      const proof = inclusionProof(index, size, readSample);
      const claim = { index, size, leafHash: readSample(0, index), proof, root: naiveRoot(0, size) };
      if (other !== index) assert.ok(!verifyInclusion({ ...claim, index: other }));
      assert.ok(!verifyInclusion({ ...claim, proof: [...proof, EMPTY_ROOT] }));
      assert.ok(!verifyInclusion({ ...claim, proof: [EMPTY_ROOT, ...proof] }));
      if (proof.length === 0) return;
      assert.ok(!verifyInclusion({ ...claim, proof: proof.slice(1) }));
      assert.ok(!verifyInclusion({ ...claim, proof: proof.slice(0, -1) }));
      const at = pick % proof.length;
      assert.ok(!verifyInclusion({ ...claim, proof: proof.with(at, proof[at]!.subarray(1)) }));
      assert.ok(
        !verifyInclusion({ ...claim, proof: proof.with(at, Buffer.concat([proof[at]!, EMPTY_ROOT])) }),
      );
    }),
  );
});

test('verifyConsistency rejects one flipped bit, a hash too few or too many, and a shrunken log', () => {
  const sizes = fc.tuple(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 600 }));
  fc.assert(
    fc.property(sizes, fc.nat({ max: 255 }), fc.nat(), ([a, b], bit, pick) => {
      const [oldSize, size] = [Math.min(a, b), Math.max(a, b)];
      const proof = consistencyProof(oldSize, size, readSample);
      const claim = { oldSize, oldRoot: naiveRoot(0, oldSize), size, root: naiveRoot(0, size), proof };
      assert.ok(!verifyConsistency({ ...claim, oldRoot: flipBit(claim.oldRoot, bit) }));
      assert.ok(!verifyConsistency({ ...claim, root: flipBit(claim.root, bit) }));
      assert.ok(!verifyConsistency({ ...claim, proof: [...proof, EMPTY_ROOT] }));
      if (size > oldSize) {
        assert.ok(!verifyConsistency({ ...claim, size: oldSize, oldSize: size }));
        const at = pick % proof.length;
        assert.ok(!verifyConsistency({ ...claim, proof: proof.with(at, flipBit(proof[at]!, bit)) }));
        assert.ok(!verifyConsistency({ ...claim, proof: proof.slice(1) }));
        assert.ok(!verifyConsistency({ ...claim, proof: proof.slice(0, -1) }));
      }
    }),
  );
});

test('verifiers answer false to sizes that are no sizes', () => {
  const leaf = readSample(0, 0);
  for (const odd of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    assert.equal(verifyInclusion({ index: odd, size: 1, leafHash: leaf, proof: [], root: leaf }), false);
    assert.equal(verifyInclusion({ index: 0, size: odd, leafHash: leaf, proof: [], root: leaf }), false);
    assert.equal(verifyConsistency({ oldSize: odd, oldRoot: leaf, size: 1, root: leaf, proof: [] }), false);
    assert.equal(verifyConsistency({ oldSize: 1, oldRoot: leaf, size: odd, root: leaf, proof: [] }), false);
  }
});

test('proofs reach as far as numbers are exact', () => {
  // A tree in which all leaves are equal has one hash for each level, so it can be as large as we like.
  const levels = [leafHash(Buffer.of())];
  const read: HashReader = (level) => (levels[level] ??= nodeHash(read(level - 1, 0), read(level - 1, 0)));
  const size = Number.MAX_SAFE_INTEGER;
  const root = treeRoot(size, read);
  for (const index of [0, 1, 2 ** 32, 2 ** 52 + 1, size - 1]) {
    const proof = inclusionProof(index, size, read);
    assert.ok(verifyInclusion({ index, size, leafHash: read(0, 0), proof, root }));
    const oldSize = index + 1;
    const oldRoot = treeRoot(oldSize, read);
    assert.ok(
      verifyConsistency({ oldSize, oldRoot, size, root, proof: consistencyProof(oldSize, size, read) }),
    );
  }
});
