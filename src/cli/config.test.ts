import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from './config.ts';

const parse = (text: string) => parseConfig(text, '/etc/portledger/config.yaml');
const messageFor = (text: string): string => {
  try {
    parse(text);
  } catch (error) {
    return (error as Error).message;
  }
  return 'no error';
};

test('parseConfig reads all members and resolves paths against the file', () => {
  const text =
    'data: /var/lib/portledger\nstate: state\nlisten: "[::1]:9000"\nautoPorts: true\nreadyFile: ../ready.json\npassphraseFile: secret\n';
  assert.deepEqual(parse(text), {
    data: '/var/lib/portledger',
    state: '/etc/portledger/state',
    listen: '[::1]:9000',
    autoPorts: true,
    readyFile: '/etc/ready.json',
    passphraseFile: '/etc/portledger/secret',
  });
});

test('parseConfig takes an empty file for the defaults', () => {
  for (const text of ['', '# nothing yet\n', '---\n', '{}']) assert.equal(parse(text).listen, undefined);
});

test('parseConfig says line and column of each mistake', () => {
  const message = messageFor('data: /d\nlistne: 1\nautoPorts: "yes"\n  # comment\nlisten: nowhere\n');
  assert.match(message, /^Cannot use configuration "\/etc\/portledger\/config.yaml":/);
  assert.match(message, /line 2, column 1: unknown member "listne", expected one of data, state, listen/);
  assert.match(message, /line 3, column 12: autoPorts: .*expected boolean/);
  assert.match(message, /line 5, column 9: listen: expected HOST:PORT/);
});

test('parseConfig says where YAML itself is broken', () => {
  assert.match(messageFor('data: /d\nstate: [1,\n'), /line \d, column \d+: /);
  assert.match(messageFor('data: /a\ndata: /b\n'), /line 2, column 1: .*unique/i);
});

test('parseConfig refuses what is not a mapping, aliases, and more than a megabyte', () => {
  assert.match(messageFor('- a\n- b\n'), /line 1, column 1: the configuration: /);
  assert.match(messageFor('data: &d /x\nstate: *d\n'), /line 2, column 8: an alias/);
  assert.match(messageFor(`#${'x'.repeat(1_100_000)}`), /longer than/);
});
