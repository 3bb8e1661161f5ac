import assert from 'node:assert/strict';
import { PassThrough, Writable } from 'node:stream';
import { test } from 'node:test';
import { cutToWidth, displayWidth, printable, Terminal, wantsColours } from './terminal.ts';

test('printable leaves no character that could act on a terminal', () => {
  const hostile = '\x1b[2J\x07\r\n\x9b31m\u202eevil\u2066\x7f';
  const shown = printable(hostile);
  assert.equal(shown, '\\u001b[2J\\u0007\\u000d\\u000a\\u009b31m\\u202eevil\\u2066\\u007f');
  assert.equal(printable('Ünïcode 漢字 ✓'), 'Ünïcode 漢字 ✓');
});

test('displayWidth counts columns, and cutToWidth never exceeds them', () => {
  assert.equal(displayWidth('abc'), 3);
  assert.equal(displayWidth('漢字'), 4);
  assert.equal(displayWidth('e\u0301'), 1);
  assert.equal(cutToWidth('abcdef', 4), 'abc…');
  assert.equal(cutToWidth('漢字漢字', 4), '漢…');
  assert.equal(cutToWidth('abc', 3), 'abc');
  assert.equal(cutToWidth('abc', 0), '');
});

test('wantsColours obeys NO_COLOR, FORCE_COLOR and dumb terminals', () => {
  assert.equal(wantsColours(true, {}), true);
  assert.equal(wantsColours(false, {}), false);
  assert.equal(wantsColours(true, { NO_COLOR: '1' }), false);
  assert.equal(wantsColours(true, { TERM: 'dumb' }), false);
  assert.equal(wantsColours(false, { FORCE_COLOR: '1' }), true);
});

test('Terminal drops what is written after the reader has gone, and says so', async () => {
  const stream = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) });
  const terminal = new Terminal(stream, { isTerminal: false, colours: false, columns: () => 80 });
  await terminal.write('first');
  await new Promise(setImmediate);
  assert.equal(terminal.closed.aborted, true);
  await terminal.write('second');
});

test('Terminal waits for a slow reader', async () => {
  const stream = new PassThrough({ highWaterMark: 4 });
  const terminal = new Terminal(stream, { isTerminal: false, colours: false, columns: () => 80 });
  let written = false;
  const writing = terminal.write('more than four').then(() => {
    written = true;
  });
  await new Promise(setImmediate);
  assert.equal(written, false);
  stream.resume();
  await writing;
});

test('Terminal shows progress on a terminal only, and replaces it by the next output', async () => {
  for (const isTerminal of [true, false]) {
    const stream = new PassThrough();
    const terminal = new Terminal(stream, { isTerminal, colours: false, columns: () => 80 });
    terminal.progress('half');
    await terminal.line('done');
    const expected = isTerminal ? '\r\x1b[Khalf\r\x1b[Kdone\n' : 'done\n';
    assert.equal(String(stream.read()), expected);
  }
});
