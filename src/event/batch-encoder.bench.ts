// Records a second on one core, for each way into a batch and for the plain path alone. The best of a few rounds, because
// the machine may be busy with other things.

import { sampleNdjson, sampleRecords } from '../../bench/sample-records.ts';
import { BatchEncoder } from './batch-encoder.ts';
import { canonicalRecordText } from './canonical.ts';
import { parseRecord } from './parse-record.ts';

const COUNT = 20_000;
const ROUNDS = 12;
const context = { ingested: '2026-11-20T12:00:00.000000000Z', observer: 'bench' };

const records = sampleRecords(COUNT);
const body = sampleNdjson(COUNT);
const list = new TextEncoder().encode(JSON.stringify(records));
const withoutFlow = new TextEncoder().encode(
  records.map(({ 'network.community_id': _, ...record }) => `${JSON.stringify(record)}\n`).join(''),
);
const lines = records.map((record) => new TextEncoder().encode(JSON.stringify(record)));
const batches = new BatchEncoder();
const encoder = new TextEncoder();
const scratch = new Uint8Array(100_000);

measure('encodeNdjson', () => batches.encodeNdjson(body, context).starts.length);
measure('encodeNdjson, computing the flow', () => batches.encodeNdjson(withoutFlow, context).starts.length);
measure('encodeJson', () => batches.encodeJson(list, context).starts.length);
measure('encodeRecords', () => batches.encodeRecords(records, context).starts.length);
measure('plain path', () => {
  for (const line of lines) {
    const result = parseRecord(line, context);
    if (result.ok) encoder.encodeInto(canonicalRecordText(result.record), scratch);
  }
  return lines.length;
});

function measure(name: string, run: () => number): void {
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now();
    const count = run();
    best = Math.max(best, (count / (performance.now() - started)) * 1000);
    if (count !== COUNT)
      throw new Error(`Cannot measure ${name}: ${count} records came out, expected ${COUNT}.`);
  }
  const bytes = Math.round(body.length / COUNT);
  console.log(JSON.stringify({ name, recordsPerSecond: Math.round(best), bytesPerRecord: bytes }));
}
