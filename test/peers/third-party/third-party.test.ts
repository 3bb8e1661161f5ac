// Goal: somebody else's transparency log code can follow our log. Method: a Go program over golang.org/x/mod/sumdb (the
// packages with which Go checks its own checksum database), against the real server and a proof file of the real program.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Home, pause } from '../program.ts';

const RECORDS = 300;
const INDEX = 150;

const GO = {
  cwd: import.meta.dirname,
  env: { ...process.env, GOTOOLCHAIN: 'local' },
  encoding: 'utf8',
} as const;

/** Why the test cannot run here, or undefined. */
function missingPeer(): string | undefined {
  if (spawnSync('go', ['version'], GO).status !== 0) return 'go is not installed';
  const { status, stderr } = spawnSync('go', ['mod', 'download'], GO);
  return status === 0 ? undefined : `go or golang.org/x/mod was not found: ${stderr.trim()}`;
}

test('Go’s transparency log packages verify a record against the served log', async (t) => {
  const missing = missingPeer();
  if (missing !== undefined) return t.skip(missing);
  await using home = new Home('third-party');
  const check = join(home.path, 'check');
  const built = spawnSync('go', ['build', '-o', check, '.'], GO);
  assert.equal(built.status, 0, built.stderr);

  const server = await home.start();
  const lines = Array.from({ length: RECORDS }, (_, index) =>
    JSON.stringify({
      timestamp: '2026-11-20T12:00:00Z',
      user: `user-${index}`,
      src_port: '50122',
      dest_port: '8443',
      action: 'login',
    }),
  );
  const first = await server.sendAccepted(lines.join('\n'));
  const proof = join(home.path, 'proof');
  const { api, caFile } = JSON.parse(readFileSync(join(home.path, 'ready.json'), 'utf8')) as {
    readonly api: string;
    readonly caFile: string;
  };
  await published(() => home.run(['prove', String(first + INDEX), '-o', proof, ...home.here]));

  const key = join(home.data, 'ledgers/access/key.pub');
  const run = async (file: string) => {
    const child = spawn(check, [`${api}/ledgers/access`, key, file], {
      env: { ...process.env, SSL_CERT_FILE: caFile },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let printed = '';
    child.stdout.on('data', (chunk) => {
      printed += chunk;
    });
    child.stderr.on('data', (chunk) => {
      printed += chunk;
    });
    const [code] = await once(child, 'close');
    return { code: code as number | null, printed };
  };

  const good = await run(proof);
  assert.equal(good.code, 0, good.printed);
  assert.match(good.printed, new RegExp(`^entry ${first + INDEX}, of \\d+ then and \\d+ now\n`));
  assert.ok(good.printed.includes(`"user.name":"user-${INDEX}"`), good.printed);

  const text = readFileSync(proof, 'latin1');
  const extra = /^extra (.*)$/m.exec(text)![1]!;
  const disclosed = Buffer.from(extra, 'base64');
  disclosed[disclosed.indexOf('user-')] = 0x55;
  for (const [changed, what] of [
    [text.replace(/^index \d+$/m, `index ${first + INDEX + 1}`), 'another index'],
    [text.replace(extra, disclosed.toString('base64')), 'another name in the record'],
  ] as const) {
    const file = join(home.path, 'changed');
    writeFileSync(file, changed, 'latin1');
    const { code, printed } = await run(file);
    assert.equal(code, 1, what);
    assert.match(printed, /the proof file: invalid transparency proof/, what);
  }
  await server.stop();
});

/** What was just accepted comes under a signed checkpoint within a second, as a rule. */
async function published(prove: () => Promise<{ readonly code: number | null; readonly err: string }>) {
  for (let tries = 1; ; tries++) {
    const { code, err } = await prove();
    if (code === 0) return;
    if (tries === 20) assert.fail(err);
    await pause(250);
  }
}
