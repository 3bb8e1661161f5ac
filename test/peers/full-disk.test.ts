// Goal: a full disk costs time, never records: senders are told to come again, what was acknowledged stays, the process goes on,
// and once there is room everything works again without a restart.
//
// Method: the real server on a small file system of its own (tmpfs, which needs root), filled by the load and to the last byte
// by a file beside it; then the room is given back. With the state directory on another file system, and on the full one.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Home, pause, type RunningServer } from './program.ts';

/** The custody ledger keeps 16 MiB of it for itself. */
const ROOM_BYTES = 28 * 1024 * 1024;
const BALLAST_BYTES = 7 * 1024 * 1024;
const REFUSALS = 40;
const PATIENCE_MS = 30_000;

/** A file system of its own that is gone with it, or why there is none. */
class SmallDisk implements Disposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static mount(): SmallDisk | string {
    const path = mkdtempSync(join(tmpdir(), 'portledger-small-'));
    const { status, stderr, error } = spawnSync('mount', [
      '-t',
      'tmpfs',
      '-o',
      `size=${ROOM_BYTES}`,
      'tmpfs',
      path,
    ]);
    if (status === 0) return new SmallDisk(path);
    rmSync(path, { recursive: true });
    return `mount is not permitted: ${error?.message ?? stderr.toString().trim()}`;
  }

  /** Takes `bytes`, or all that is left. */
  fill(name: string, bytes = Number.POSITIVE_INFINITY): void {
    const file = openSync(join(this.path, name), 'w');
    try {
      // Ever smaller pieces, so that not even a page is left.
      for (let piece = 64 * 1024, written = 0; piece >= 1 && written < bytes; ) {
        try {
          written += writeSync(file, Buffer.alloc(piece));
        } catch {
          piece = Math.floor(piece / 2);
        }
      }
    } finally {
      closeSync(file);
    }
  }

  free(name: string): void {
    rmSync(join(this.path, name));
  }

  [Symbol.dispose](): void {
    spawnSync('umount', ['-l', this.path]);
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** What was acknowledged, by index. */
type Acknowledged = Map<number, string>;

let number = 0;

/** Sends one request; the status of the answer. Refusals must say when to come again. */
async function sendOne(server: RunningServer, acknowledged: Acknowledged): Promise<number> {
  const ids = Array.from({ length: 20 }, () => String(number++));
  // Hex does not compress well.
  const line = (id: string): string =>
    `{"@timestamp":"2026-11-20T12:00:00Z","event.id":"${id}","url.path":"/${incompressible(id)}"}\n`;
  const { status, headers, text } = await server.send(ids.map(line).join(''), `key-${ids[0]}`);
  if (status === 200) {
    const { first } = JSON.parse(text).ranges[0] as { first: number };
    for (const [i, id] of ids.entries()) acknowledged.set(first + i, id);
    return status;
  }
  assert.ok(status === 503 || status === 507, `${status} ${text}`);
  assert.match(String(headers['retry-after']), /^[1-9]\d*$/);
  assert.match(text, /"disk-full"/);
  return status;
}

function incompressible(id: string): string {
  let state = Number(id) + 1;
  let text = '';
  for (let i = 0; i < 120; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    text += state.toString(16).padStart(8, '0');
  }
  return text;
}

async function sendUntilRefused(server: RunningServer, acknowledged: Acknowledged): Promise<void> {
  for (let refused = 0; refused < REFUSALS; ) if ((await sendOne(server, acknowledged)) !== 200) refused++;
}

async function sendUntilAccepted(server: RunningServer, acknowledged: Acknowledged): Promise<void> {
  for (
    const end = Date.now() + PATIENCE_MS;
    (await sendOne(server, acknowledged)) !== 200;
    await pause(200)
  ) {
    assert.ok(Date.now() < end, 'room was given back, and still nothing is accepted');
  }
}

async function expectAcknowledged(server: RunningServer, acknowledged: Acknowledged): Promise<void> {
  const found: Acknowledged = new Map();
  const seen = new Set<string>();
  for await (const row of server.records()) {
    const id = String(row['event.id']);
    assert.ok(!seen.has(id), `${id} is there twice`);
    seen.add(id);
    found.set(row['ledger.index'] as number, id);
  }
  for (const [index, id] of acknowledged) assert.equal(found.get(index), id, `record ${index}`);
}

/**
 * Reading is recorded, which needs room. Custody keeps some for that in the data directory; without it the answer is refused
 * with words, or cut off where it cannot be ended. The process goes on.
 */
async function readOnFullDisk(t: TestContext, server: RunningServer, isReserved: boolean): Promise<void> {
  assert.equal((await server.call('/healthz')).status, 200);
  assert.equal((await server.call('/ledgers/access/checkpoint')).status, 200);
  assert.equal((await server.call('/api/v1/ledgers')).status, 200);
  const search = await server.call('/api/v1/search?limit=1').catch((error: Error) => error);
  if (search instanceof Error) t.diagnostic(`search on the full disk was cut off: ${search.message}`);
  else {
    t.diagnostic(`search on the full disk: ${search.status} ${search.status === 200 ? '' : search.text}`);
    assert.ok([200, 503, 507].includes(search.status), search.text);
  }
  if (isReserved) assert.ok(!(search instanceof Error) && search.status === 200, 'custody has its reserve');
  assert.equal(server.hasEnded, false);
}

async function fillAndFree(t: TestContext, disk: SmallDisk, home: Home): Promise<void> {
  const acknowledged: Acknowledged = new Map();
  disk.fill('ballast', BALLAST_BYTES);
  const server = await home.start();
  await sendUntilRefused(server, acknowledged);
  await readOnFullDisk(t, server, true);
  disk.fill('rest');
  await sendUntilRefused(server, acknowledged);
  await readOnFullDisk(t, server, true);
  const before = acknowledged.size;

  disk.free('rest');
  disk.free('ballast');
  await sendUntilAccepted(server, acknowledged);
  for (let i = 0; i < 20; i++) assert.equal(await sendOne(server, acknowledged), 200);
  await expectAcknowledged(server, acknowledged);
  await home.expectVerified();
  t.diagnostic(`${before} records until the disk was full, ${acknowledged.size - before} after it`);

  // Killed on the full disk: the next start needs a little room, and no more than that.
  disk.fill('rest');
  await sendUntilRefused(server, acknowledged);
  await server.kill();
  disk.free('rest');
  const next = await home.start();
  await sendUntilAccepted(next, acknowledged);
  await expectAcknowledged(next, acknowledged);
  assert.equal((await next.stop()).code, 0);
  await home.expectVerified();
}

test('a full disk under the data loses nothing and stops nobody for good', async (t) => {
  const mounted = SmallDisk.mount();
  if (typeof mounted === 'string') return t.skip(mounted);
  using disk = mounted;
  await using home = new Home('full', { data: join(disk.path, 'data') });
  await fillAndFree(t, disk, home);
});

test('a full disk under data and state loses nothing and stops nobody for good', async (t) => {
  const mounted = SmallDisk.mount();
  if (typeof mounted === 'string') return t.skip(mounted);
  using disk = mounted;
  await using home = new Home('full', { data: join(disk.path, 'data'), state: join(disk.path, 'state') });
  await fillAndFree(t, disk, home);
});

test('a full disk under the state alone: records wait for the anchor, and none is lost', async (t) => {
  const mounted = SmallDisk.mount();
  if (typeof mounted === 'string') return t.skip(mounted);
  using disk = mounted;
  await using home = new Home('full', { state: join(disk.path, 'state') });
  const acknowledged: Acknowledged = new Map();
  const server = await home.start();
  await sendUntilAccepted(server, acknowledged);
  disk.fill('rest');
  await sendUntilRefused(server, acknowledged);
  await readOnFullDisk(t, server, false);
  disk.free('rest');
  await sendUntilAccepted(server, acknowledged);
  await expectAcknowledged(server, acknowledged);
  await home.expectVerified();
  assert.equal((await server.stop()).code, 0);
});

test('a start without room says so', async (t) => {
  const mounted = SmallDisk.mount();
  if (typeof mounted === 'string') return t.skip(mounted);
  using disk = mounted;
  await using home = new Home('full', { data: join(disk.path, 'data') });
  disk.fill('rest');
  assert.match(await home.refusal(), /^portledger: Cannot .* the disk is full, expected room/);
  disk.free('rest');
  const server = await home.start();
  await sendUntilAccepted(server, new Map());
  assert.equal((await server.stop()).code, 0);
});
