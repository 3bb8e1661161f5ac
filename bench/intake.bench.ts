// From records to durable: in process, and over HTTPS with the client on the same cores.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { FileDisk } from '../src/disk/file-disk.ts';
import type { RecordBatch } from '../src/event/batch.ts';
import { encodeNdjson, encodeRecords } from '../src/event/batch-encoder.ts';
import { Installation } from '../src/ledger/installation.ts';
import type { Ledger } from '../src/ledger/ledger.ts';
import { type Bench, type Figure, percentile } from './harness.ts';
import { RunningServer, temporaryDirectory } from './running-server.ts';
import { sampleNdjson, sampleRecords } from './sample-records.ts';

const GROUP = 2000;
const CONTEXT = { ingested: '2026-11-20T12:00:00.000000000Z', observer: 'bench' };

async function appendForSeconds(ledger: Ledger, encode: () => RecordBatch, seconds: number): Promise<number> {
  const start = performance.now();
  const end = start + 1000 * seconds;
  let records = 0;
  const send = async (): Promise<void> => {
    while (performance.now() < end) {
      const { count } = await ledger.append({ principal: 'bench', batch: encode() });
      records += count;
    }
  };
  await Promise.all([send(), send(), send(), send()]);
  return (1000 * records) / (performance.now() - start);
}

async function inProcess(encode: () => RecordBatch): Promise<Figure> {
  const directory = temporaryDirectory();
  await using installation = await Installation.open({
    disk: new FileDisk(),
    dataDirectory: `${directory}/data`,
    stateDirectory: `${directory}/state`,
    passphrase: undefined,
    random: randomBytes,
    now: () => new Date(),
  });
  const ledger = installation.ledgers.get('access')!;
  await appendForSeconds(ledger, encode, 3);
  const rates: number[] = [];
  for (let round = 0; round < 5; round++) rates.push(await appendForSeconds(ledger, encode, 3));
  const canonicalBytes = encode().ends.at(-1)! / GROUP - 32;
  return {
    figure: Math.round(percentile(rates, 50)),
    unit: 'records/s',
    better: 'higher',
    target: 150_000,
    details: { canonicalBytes: Math.round(canonicalBytes), best: Math.round(Math.max(...rates)) },
  };
}

export const benches: readonly Bench[] = [
  {
    name: 'in process, from JavaScript objects to durable',
    run() {
      const records = sampleRecords(GROUP);
      return inProcess(() => encodeRecords(records, CONTEXT));
    },
  },
  {
    name: 'in process, from NDJSON to durable',
    run() {
      const body = sampleNdjson(GROUP);
      return inProcess(() => encodeNdjson(body, CONTEXT));
    },
  },
  {
    name: 'HTTPS NDJSON, durable before the answer',
    async run() {
      const server = await RunningServer.start();
      try {
        const body = sampleNdjson(GROUP);
        await server.flood(body, GROUP, 4000);
        const rates: number[] = [];
        for (let round = 0; round < 5; round++) rates.push(await server.flood(body, GROUP, 3000));
        return {
          figure: Math.round(percentile(rates, 50)),
          unit: 'records/s',
          better: 'higher',
          target: 90_000,
          details: {
            best: Math.round(Math.max(...rates)),
            bytesSent: Math.round(body.length / GROUP),
            peakMemoryMB: Math.round(server.peakMemory() / 1e6),
          },
        };
      } finally {
        await server.stop();
      }
    },
  },
  {
    name: 'HTTPS, one record a request, 1,000 requests/s: p99',
    async run() {
      const server = await RunningServer.start();
      try {
        const bodies = sampleRecords(1000).map((record) => Buffer.from(JSON.stringify(record)));
        await atRate(server, bodies, 1000, 4000);
        const latencies = await atRate(server, bodies, 1000, 15_000);
        return {
          figure: Number(percentile(latencies, 99).toFixed(2)),
          unit: 'ms',
          better: 'lower',
          target: 10,
          details: {
            p50: Number(percentile(latencies, 50).toFixed(2)),
            p999: Number(percentile(latencies, 99.9).toFixed(2)),
            requests: latencies.length,
          },
        };
      } finally {
        await server.stop();
      }
    },
  },
  {
    name: 'HTTPS, one record a request, 100 requests/s: bytes on disk a record',
    async run() {
      const server = await RunningServer.start();
      try {
        const bodies = sampleRecords(1000).map((record) => Buffer.from(JSON.stringify(record)));
        const before = server.diskUse();
        const requests = (await atRate(server, bodies, 100, 120_000)).length;
        await server.stop();
        const bytes = (server.diskUse() - before) / requests;
        return {
          figure: Math.round(bytes),
          unit: 'bytes a record',
          better: 'lower',
          target: 300,
          details: { requests, sentBytes: bodies[0]!.length },
        };
      } finally {
        await server.stop();
      }
    },
  },
];

/** Requests at a fixed rate whatever the answers do; latency counts from when a request was due. */
async function atRate(
  server: RunningServer,
  bodies: readonly Uint8Array[],
  perSecond: number,
  ms: number,
): Promise<number[]> {
  const latencies: number[] = [];
  const waiting: Promise<void>[] = [];
  const start = performance.now();
  const requests = (perSecond * ms) / 1000;
  for (let sent = 0; sent < requests; ) {
    const due = Math.min(requests, Math.floor(((performance.now() - start) * perSecond) / 1000));
    for (; sent < due; sent++) {
      const dueAt = start + (1000 * sent) / perSecond;
      const answer = server.post(bodies[sent % bodies.length]!).then(({ status, text }) => {
        if (status !== 200) throw new Error(`The server answered ${status}: ${text}`);
        latencies.push(performance.now() - dueAt);
      });
      waiting.push(answer);
    }
    await sleep(1);
  }
  await Promise.all(waiting);
  return latencies;
}
