import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asTyped, withDirectories } from './program-name.ts';

test('asTyped shows commands as the program was called, and leaves other uses of the word alone', () => {
  const text =
    "Start it with 'portledger up', see portledger verify.\nportledger: no (portledger up, since) portledger.pem";
  assert.equal(
    asTyped(text, { program: '/opt/my tools/portledger' }),
    "Start it with ''/opt/my tools/portledger' up', see '/opt/my tools/portledger' verify.\nportledger: no (portledger up, since) portledger.pem",
  );
});

test('withDirectories completes the commands of lower layers', () => {
  assert.equal(
    withDirectories('accept it with: portledger doctor --adopt --yes', '--data /d --state /s'),
    'accept it with: portledger doctor --adopt --yes --data /d --state /s',
  );
  assert.equal(
    withDirectories('Run portledger verify to see.', '--data /d'),
    'Run portledger verify --data /d to see.',
  );
});
