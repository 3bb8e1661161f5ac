// A ledger of ten million records: does anything get slower, what does it cost, how fast is it checked, how fast is it back
// after kill -9? One server, filled once; each figure is taken from it. SIZE=1000000 makes it short.

import { execFileSync } from 'node:child_process';
import { type Bench, median, type NamedFigure } from './harness.ts';
import { PORTLEDGER, RunningServer } from './running-server.ts';
import { sampleNdjson } from './sample-records.ts';

const SIZE = Number(process.env.SIZE ?? 10_000_000);
const GROUP = 4000;

async function fill(server: RunningServer, records: number): Promise<void> {
  // Different content each time, so that nothing compresses better than it would.
  let sent = 0;
  let seed = 1;
  const send = async (): Promise<void> => {
    while (sent < records) {
      sent += GROUP;
      const { status, text } = await server.post(sampleNdjson(GROUP, seed++ % 64));
      if (status !== 200) throw new Error(`The server answered ${status}: ${text}`);
    }
  };
  await Promise.all([send(), send(), send(), send()]);
}

function verifyRate(server: RunningServer, entries: number, options: readonly string[]): number {
  const start = performance.now();
  const command = ['verify', `${server.directory}/data`, '--json', ...options];
  const report = JSON.parse(execFileSync(PORTLEDGER, command, { encoding: 'utf8', maxBuffer: 64e6 }));
  if (report.ok !== true) throw new Error(`verify: ${JSON.stringify(report).slice(0, 2000)}`);
  return (1000 * entries) / (performance.now() - start);
}

async function measure(): Promise<NamedFigure[]> {
  const figures: NamedFigure[] = [];
  const body = sampleNdjson(GROUP, 99);
  const small = await RunningServer.start();
  const large = await RunningServer.start();
  try {
    await fill(small, Math.min(1_000_000, SIZE));
    await fill(large, SIZE);
    const rates: { small: number[]; large: number[] } = { small: [], large: [] };
    for (let round = 0; round < 7; round++) {
      for (const which of round % 2 === 0 ? (['small', 'large'] as const) : (['large', 'small'] as const)) {
        rates[which].push(await (which === 'small' ? small : large).flood(body, GROUP, 2500));
      }
    }
    const ratio = median(rates.large.map((rate, i) => rate / rates.small[i]!));
    figures.push({
      name: 'rate',
      figure: Math.round(100 * ratio),
      unit: '% of the rate at 1 M',
      better: 'higher',
      target: 85,
      details: { large: Math.round(median(rates.large)), small: Math.round(median(rates.small)), size: SIZE },
    });
    figures.push({
      name: 'memory',
      figure: Math.round(large.peakMemory() / 1e6),
      unit: 'MB resident at most',
      better: 'lower',
      target: 400,
    });
    // Under load, as a kill finds it.
    const flooding = large.flood(body, GROUP, 60_000).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await large.kill();
    await flooding;
    const start = performance.now();
    const again = await RunningServer.start(large.directory);
    const { status } = await again.post(
      Buffer.from('{"timestamp":1763640000,"user":"a","src_port":1,"dest_port":2,"action":"x"}'),
    );
    if (status !== 200) throw new Error(`The server answered ${status} after the restart`);
    figures.push({
      name: 'restart',
      figure: Number(((performance.now() - start) / 1000).toFixed(2)),
      unit: 's from start to the first record',
      better: 'lower',
      target: 2,
      details: { size: SIZE },
    });
    await again.stop();
    const entries = treeSize(again.directory);
    figures.push({
      name: 'disk',
      figure: Math.round(again.diskUse() / entries),
      unit: 'bytes a record',
      better: 'lower',
      target: 180,
    });
    const key = ['--key', `${again.directory}/data/ledgers/access/key.pub`];
    figures.push({
      name: 'verify',
      figure: Math.round(verifyRate(again, entries, [...key, '--state', `${again.directory}/elsewhere`])),
      unit: 'entries/s without keys',
      better: 'higher',
      target: 800_000,
      details: { entries },
    });
    figures.push({
      name: 'verify with keys',
      figure: Math.round(verifyRate(again, entries, [...key, '--state', `${again.directory}/state`])),
      unit: 'entries/s with keys',
      better: 'higher',
      target: 300_000,
      details: { entries },
    });
    return figures;
  } finally {
    await small.stop();
    await large.stop();
  }
}

function treeSize(directory: string): number {
  const checkpoint = execFileSync('cat', [`${directory}/data/ledgers/access/checkpoint`], {
    encoding: 'utf8',
  });
  return Number(checkpoint.split('\n')[1]);
}

export const benches: readonly Bench[] = [
  {
    name: `a ledger of ${SIZE / 1e6} M records`,
    run: measure,
  },
];
