import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveDirectories, shellWord, stateNameFor } from './directories.ts';

const host = { environment: { HOME: '/home/ada' }, workingDirectory: '/srv/logs' };

test('resolveDirectories without options follows the XDG defaults', () => {
  assert.deepEqual(resolveDirectories({}, host), {
    data: '/home/ada/.local/share/portledger',
    state: '/home/ada/.local/state/portledger',
    arguments: '',
  });
});

test('resolveDirectories takes absolute XDG directories and ignores relative ones', () => {
  const environment = { HOME: '/home/ada', XDG_DATA_HOME: '/d', XDG_STATE_HOME: 's' };
  const found = resolveDirectories({}, { ...host, environment });
  assert.equal(found.data, '/d/portledger');
  assert.equal(found.state, '/home/ada/.local/state/portledger');
});

test('resolveDirectories finds the same state for the same data directory, from anywhere', () => {
  const relative = resolveDirectories({ data: 'try' }, host);
  const absolute = resolveDirectories({ data: '/srv/logs/try/' }, { ...host, workingDirectory: '/' });
  assert.equal(relative.state, absolute.state);
  assert.match(relative.state, /^\/home\/ada\/\.local\/state\/portledger\/by-data\/try-[0-9a-f]{12}$/);
  assert.equal(relative.arguments, '--data /srv/logs/try');
});

test('resolveDirectories never gives two data directories one state directory', () => {
  const states = ['/a/x', '/b/x', '/a/y', '/'].map((data) => resolveDirectories({ data }, host).state);
  assert.equal(new Set(states).size, states.length);
});

test('resolveDirectories treats the default data directory as the default, however it is given', () => {
  const found = resolveDirectories({ data: '/home/ada/.local/share/portledger' }, host);
  assert.deepEqual(found, resolveDirectories({}, host));
});

test('resolveDirectories refuses an empty path and a host without home', () => {
  assert.throws(() => resolveDirectories({ data: '' }, host), /Cannot use --data ""/);
  assert.throws(() => resolveDirectories({}, { ...host, environment: {} }), /Give --data and --state/);
});

test('stateNameFor is readable and stays within one path component', () => {
  assert.match(stateNameFor('/srv/Ünïcode dir'), /^_n_code_dir-[0-9a-f]{12}$/);
  assert.match(stateNameFor('/'), /^root-/);
  assert.ok(stateNameFor(`/${'long'.repeat(100)}`).length < 60);
});

test('shellWord quotes what a shell would take apart', () => {
  assert.equal(shellWord('/srv/a-b_c.d'), '/srv/a-b_c.d');
  assert.equal(shellWord("/it's $HOME"), "'/it'\\''s $HOME'");
  assert.equal(shellWord(''), "''");
});
