// Goal: no false alarms on a ledger that is being written.
//
// Method: an installation takes records as fast as it can while the verifier, with workers, checks it again and again, held
// against the anchors as they are just then; then once more when it has been closed.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { FileDisk } from '../../src/disk/file-disk.ts';
import type { RecordBatch } from '../../src/event/batch.ts';
import { Installation } from '../../src/ledger/installation.ts';
import { verifyInstallation } from '../../src/verify/verify-installation.ts';

const CHECKS = Number(process.env.LIVE_CHECKS ?? 6);

it(`raises no alarm in ${CHECKS} checks of a ledger that is being written`, async () => {
  const base = mkdtempSync(join(tmpdir(), 'portledger-live-'));
  const [data, state] = [join(base, 'data'), join(base, 'state')];
  const verify = async () => {
    const anchors = join(state, 'anchors');
    const remembered = readdirSync(anchors).map((name) => readFileSync(join(anchors, name), 'utf8'));
    const sleep = (ms: number) => setTimeout(ms);
    const report = await verifyInstallation({
      directory: data,
      trustedKeys: [],
      remembered,
      workers: 2,
      sleep,
    });
    assert.ok(report.ok, JSON.stringify(report, undefined, 1));
    return report;
  };
  try {
    let accepted = 0;
    {
      await using installation = await Installation.open({
        disk: new FileDisk(),
        dataDirectory: data,
        stateDirectory: state,
        passphrase: undefined,
        random: (bytes) => randomBytes(bytes),
        now: () => new Date(),
      });
      const access = installation.ledgers.get('access')!;
      let isChecking = true;
      const writing = (async () => {
        for (let i = 0; isChecking; i++) {
          const { count } = await access.append({ principal: 'test', batch: batchOf(1 + ((i * 37) % 400)) });
          accepted += count;
        }
      })();
      for (let i = 0; i < CHECKS; i++) await verify();
      isChecking = false;
      await writing;
    }
    const [access] = (await verify()).ledgers;
    assert.ok(access!.size > accepted && accepted > 0);
  } finally {
    rmSync(base, { recursive: true });
  }
});

function batchOf(count: number): RecordBatch {
  const record = Buffer.from(
    `{"event.action":"connect","labels.nonce":"${randomBytes(20).toString('hex')}"}`,
  );
  const slab = new Uint8Array(count * (32 + record.length));
  const starts = Uint32Array.from({ length: count }, (_, i) => i * (32 + record.length) + 32);
  const ends = starts.map((start) => start + record.length);
  for (const start of starts) slab.set(record, start);
  return { slab, starts, ends, quarantined: [] };
}
