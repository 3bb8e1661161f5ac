// Goal: agree with the implementations that others verify with.
// Method: their published vectors, read as they were published. They are not part of this repository; see
// test/vectors/merkle/README.md for what goes where. A set that is not there is skipped by name.

import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isProblem } from '../bytes/problem.ts';
import { openCheckpoint } from './checkpoint.ts';
import { hashLeaves } from './hashes.ts';
import { openNote, parseVerifierKey } from './note.ts';
import { bundlePath, parseBundle, rootFromTiles, type TileReader, tilePath } from './tiles.ts';
import { verifyConsistency, verifyInclusion } from './verify-proofs.ts';

const PUBLISHED = join(import.meta.dirname, '../../test/vectors/merkle/published');

function published(set: string, goal: string, run: (directory: string) => void): void {
  const directory = join(PUBLISHED, set);
  test(`${set}: ${goal}`, { skip: existsSync(directory) ? false : `no vectors in ${directory}` }, () =>
    run(directory),
  );
}

const base64 = (text: string | null) => Buffer.from(text ?? '', 'base64');

interface InclusionVector {
  readonly leafIdx: number;
  readonly treeSize: number;
  readonly root: string;
  readonly leafHash: string;
  readonly proof: readonly string[] | null;
  readonly wantErr: boolean;
}

published('merkle/testdata/inclusion', 'verifyInclusion agrees with every vector', (directory) => {
  const files = globSync('**/*.json', { cwd: directory });
  assert.ok(files.length >= 98);
  for (const file of files) {
    const vector: InclusionVector = JSON.parse(readFileSync(join(directory, file), 'utf8'));
    const verified = verifyInclusion({
      index: vector.leafIdx,
      size: vector.treeSize,
      leafHash: base64(vector.leafHash),
      proof: (vector.proof ?? []).map(base64),
      root: base64(vector.root),
    });
    assert.equal(verified, !vector.wantErr, file);
  }
});

interface ConsistencyVector {
  readonly size1: number;
  readonly size2: number;
  readonly root1: string;
  readonly root2: string;
  readonly proof: readonly string[] | null;
  readonly wantErr: boolean;
}

published('merkle/testdata/consistency', 'verifyConsistency agrees with every vector', (directory) => {
  const files = globSync('**/*.json', { cwd: directory });
  assert.ok(files.length >= 98);
  for (const file of files) {
    const vector: ConsistencyVector = JSON.parse(readFileSync(join(directory, file), 'utf8'));
    const verified = verifyConsistency({
      oldSize: vector.size1,
      oldRoot: base64(vector.root1),
      size: vector.size2,
      root: base64(vector.root2),
      proof: (vector.proof ?? []).map(base64),
    });
    // This one compares two roots of twelve bytes and finds them equal; we call nothing a root that is not 32 bytes long.
    const stricter = file.endsWith('additional/sizes-are-equal-one-and-proof-is-empty.json');
    assert.equal(verified, !vector.wantErr && !stricter, file);
  }
});

published(
  'tessera/testdata',
  'signatures, tiles, bundles and roots of sizes 0 to 15 are good',
  (directory) => {
    const [, vkey] = /LOG_PUBLIC_KEY="([^"]+)"/.exec(readFileSync(join(directory, 'build_log.sh'), 'utf8'))!;
    const key = parseVerifierKey(vkey!);
    if (isProblem(key)) assert.fail(key.problem);
    const readTile: TileReader = (tile) => readFileSync(join(directory, 'log', tilePath(tile)));
    for (let size = 0; size <= 15; size++) {
      const checkpoint = openCheckpoint(readFileSync(join(directory, `log/checkpoint.${size}`)), key);
      if (isProblem(checkpoint)) assert.fail(checkpoint.problem);
      assert.equal(checkpoint.size, size);
      assert.deepEqual(Buffer.from(checkpoint.root), Buffer.from(rootFromTiles(size, readTile)));
      if (size === 0) continue;
      const bundle = readFileSync(join(directory, 'log', bundlePath({ index: 0, width: size })));
      const entries = parseBundle(bundle, size);
      if (isProblem(entries)) assert.fail(entries.problem);
      const tile = readTile({ level: 0, index: 0, width: size });
      assert.deepEqual(Buffer.from(hashLeaves(entries)), Buffer.from(tile!));
    }
  },
);

published('c2sp/signed-note.md', 'the example key verifies the example note', (file) => {
  const example = readFileSync(file, 'utf8').slice(readFileSync(file, 'utf8').indexOf('### Example'));
  const vkey = /^ {4}(\S+\+\S+)$/m.exec(example)![1]!;
  const note = /```\n([^`]*)```/.exec(example)![1]!;
  const key = parseVerifierKey(vkey);
  if (isProblem(key)) assert.fail(key.problem);
  const opened = openNote(Buffer.from(note), [key]);
  if (isProblem(opened)) assert.fail(opened.problem);
  assert.equal(opened.text, 'This is an example message.\n');
});
