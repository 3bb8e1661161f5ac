// The thread of one ledger: a LedgerWriter, a message port, and the clock that says when to publish. Its fsyncs wait for nobody
// and nobody waits for them.
//
// A checkpoint follows the first unpublished record within half a second, and at once where the last one is older than that. Publishing
// takes some 10 ms in which nothing is appended, so doing it more often would cost senders more than it gives readers.

import { randomBytes } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { FileDisk } from '../disk/file-disk.ts';
import { EpochKeys } from '../keys/epoch-keys.ts';
import { RootKey, type RootMaterial } from '../keys/root-key.ts';
import { ed25519Signer, verifierKeyOf } from '../merkle/note.ts';
import { LedgerError } from './ledger.ts';
import { Reserve } from './reserve.ts';
import type { ErrorNote, FromWorker, ToWorker, WorkerStart, WriterState } from './worker-protocol.ts';
import { LedgerWriter } from './writer.ts';

const PUBLISH_INTERVAL_MS = 500;
/** After a publication that failed for want of room. */
const RETRY_MS = 2000;

const start = workerData as WorkerStart;
const port = parentPort!;
const disk = new FileDisk();
const roots = start.roots.map(toRootKey);

const reserve = new Reserve({
  disk,
  path: start.paths.reserve,
  bytes: start.reserveBytes,
  nowMs: () => performance.now(),
});
let publishedAt = 0;
let publishTimer: NodeJS.Timeout | undefined;

function tell(message: FromWorker): void {
  port.postMessage(message, message.kind === 'appended' ? [...message.slabs] : []);
}

function stateOf(log: LedgerWriter): WriterState {
  const { segment, offset } = log.position;
  return {
    size: log.size,
    published: log.published.size,
    root: Buffer.from(log.published.root).toString('hex'),
    epoch: log.epoch,
    ...log.counters,
    segment,
    offset,
    stopped: log.stopped,
  };
}

function noteOf(error: unknown): ErrorNote {
  const isLedgerError = error instanceof LedgerError;
  return {
    code: isLedgerError ? error.code : undefined,
    message: error instanceof Error ? error.message : String(error),
    retryAfterSeconds: isLedgerError ? error.retryAfterSeconds : undefined,
  };
}

function toRootKey({ provider, key }: RootMaterial): RootKey {
  return RootKey.fromBytes(provider, key);
}

function publishSoon(log: LedgerWriter): void {
  if (publishTimer !== undefined || log.size === log.published.size || log.stopped !== undefined) return;
  const wait = Math.max(0, publishedAt + PUBLISH_INTERVAL_MS - performance.now());
  publishTimer = setTimeout(() => publishNow(log), wait);
}

function publishNow(log: LedgerWriter): void {
  publishTimer = undefined;
  publishedAt = performance.now();
  try {
    withReserve(() => log.publish());
    if (start.reserveBytes > 0) reserve.restore();
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    if (error.code === 'disk-full') publishTimer = setTimeout(() => publishNow(log), RETRY_MS);
  }
  tell({ kind: 'state', state: stateOf(log) });
}

/** Once more with the room that was kept for this, where the disk is full. */
function withReserve<T>(write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (error instanceof LedgerError && error.code === 'disk-full' && reserve.release()) return write();
    throw error;
  }
}

function answer(log: LedgerWriter, message: ToWorker): FromWorker {
  switch (message.kind) {
    case 'append': {
      const outcomes = withReserve(() => log.append(message.requests));
      const slabs = message.requests.map(({ items }) => items.slab.buffer as ArrayBuffer);
      return { kind: 'appended', outcomes, state: stateOf(log), slabs };
    }
    case 'publish':
      publishedAt = performance.now();
      log.publish();
      return { kind: 'done', state: stateOf(log) };
    case 'roots':
      roots.splice(0, roots.length, ...message.roots.map(toRootKey));
      return { kind: 'done', state: stateOf(log) };
    case 'close':
      clearTimeout(publishTimer);
      log.close();
      return { kind: 'done', state: stateOf(log) };
    default:
      return message satisfies never;
  }
}

function receive(log: LedgerWriter, message: ToWorker): void {
  let reply: FromWorker;
  try {
    reply = answer(log, message);
  } catch (error) {
    reply = { kind: 'failed', error: noteOf(error), state: stateOf(log) };
  }
  tell(reply);
  if (message.kind === 'close') {
    port.close();
    return;
  }
  // A full queue must not keep the timer from firing.
  if (publishTimer !== undefined && performance.now() - publishedAt > 2 * PUBLISH_INTERVAL_MS) {
    clearTimeout(publishTimer);
    publishNow(log);
  }
  publishSoon(log);
}

try {
  const log = LedgerWriter.open({
    disk,
    paths: start.paths,
    origin: start.origin,
    signer: ed25519Signer(start.origin, start.signingKey),
    verifierKey: verifierKeyOf(start.origin, start.signingKey),
    epochKeys: new EpochKeys({
      disk,
      directory: start.keysDirectory,
      ledger: start.name,
      roots,
      random: randomBytes,
    }),
    now: () => new Date(),
    random: randomBytes,
    adopt: start.adopt,
  });
  if (start.reserveBytes > 0) reserve.restore();
  tell({ kind: 'opened', state: stateOf(log), tornBytes: log.tornBytes });
  port.on('message', (message: ToWorker) => receive(log, message));
} catch (error) {
  tell({ kind: 'failed', error: noteOf(error), state: undefined });
}
