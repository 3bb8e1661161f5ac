import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DiskError } from './disk.ts';
import { inspectPath } from './path-facts.ts';

const directory = mkdtempSync(join(tmpdir(), 'portledger-path-facts-'));
after(() => rmSync(directory, { recursive: true, force: true }));

test('inspectPath tells mode, owner, file system and its space', () => {
  const file = join(directory, 'file');
  writeFileSync(file, '');
  chmodSync(file, 0o640);
  const facts = inspectPath(file)!;
  assert.equal(facts.mode, 0o640);
  assert.equal(facts.owner, process.getuid!());
  assert.equal(facts.device, inspectPath(directory)!.device);
  assert.notEqual(facts.device, inspectPath('/proc')!.device);
  assert.ok(facts.freeBytes >= 0 && facts.freeBytes <= facts.totalBytes);
  assert.ok(facts.totalBytes > 0);
});

test('inspectPath looks at what a symbolic link leads to', () => {
  const target = join(directory, 'target');
  writeFileSync(target, '');
  chmodSync(target, 0o604);
  symlinkSync(target, join(directory, 'link'));
  assert.equal(inspectPath(join(directory, 'link'))!.mode, 0o604);
});

test('inspectPath knows nothing of what is not there, and says so when the system refuses', () => {
  assert.equal(inspectPath(join(directory, 'nothing')), undefined);
  assert.equal(inspectPath('/proc/version/nothing'), undefined);
  symlinkSync('loop', join(directory, 'loop'));
  assert.throws(() => inspectPath(join(directory, 'loop')), DiskError);
});
