import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LogSink } from './log-sink.ts';

test('a log that cannot be written costs lines and nothing else', () => {
  const full = openSync('/dev/full', 'w');
  const sink = new LogSink(full);
  for (let i = 0; i < 3; i++) sink.write('{"msg":"lost"}\n');
  closeSync(full);
  sink.write('{"msg":"lost too"}\n');
});

test('the first line that can be written again says how many were lost', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'portledger-log-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'log');
  const descriptor = openSync(path, 'w');
  const sink = new LogSink(descriptor);
  closeSync(descriptor);
  sink.write('{"msg":"one"}\n');
  sink.write('{"msg":"two"}\n');
  // The same descriptor, open again.
  assert.equal(openSync(path, 'w'), descriptor);
  sink.write('{"msg":"three"}\n');
  closeSync(descriptor);
  assert.equal(
    readFileSync(path, 'utf8'),
    '{"level":40,"msg":"2 log lines could not be written"}\n{"msg":"three"}\n',
  );
});
