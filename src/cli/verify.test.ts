import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LedgerReport, VerifyReport } from '../verify/report.ts';
import { fakeInvocation } from './testing/fake-invocation.ts';
import { printReport } from './verify.ts';

const ledger: LedgerReport = {
  name: 'access',
  size: 12,
  root: 'cm9vdA==',
  checkpoint: '',
  verdict: 'ok',
  problems: [],
  notes: [],
  checked: { entries: 12, frames: 3, decrypted: 9, contentBytes: 4096 },
};

async function print(report: Partial<VerifyReport>): Promise<string> {
  const invocation = fakeInvocation();
  await printReport(
    { ok: false, verdict: 'ok', ledgers: [ledger], problems: [], notes: [], ...report },
    invocation.out,
  );
  return invocation.printed.out;
}

test('printReport names ledger, size and root', async () => {
  const text = await print({});
  assert.match(text, /^access {2}ok\n {2}size 12, root cm9vdA==\n/);
  assert.match(text, /\nOK: everything that was checked is what was signed\.\n$/);
});

test('printReport names file and entries of each problem', async () => {
  const problem = { file: 'ledgers/access/tile/0/000', from: 3, to: 7, problem: 'hash 3 is\x1b[2J wrong' };
  const text = await print({
    verdict: 'problems',
    ledgers: [{ ...ledger, verdict: 'problems', problems: [problem] }],
  });
  assert.match(text, /problem: ledgers\/access\/tile\/0\/000, entries 3–6: hash 3 is\\u001b\[2J wrong\n/);
  assert.match(text, /\nPROBLEMS: /);
});

test('printReport says how to make an inconclusive result conclusive', async () => {
  const text = await print({ verdict: 'inconclusive' });
  assert.match(text, /INCONCLUSIVE: no problem was found, but/);
  assert.match(text, /--key .*--since .*--state/);
});

test('printReport shows a bounded number of problems', async () => {
  const problems = Array.from({ length: 80 }, (_, at) => ({ file: 'f', from: at, to: at + 1, problem: 'p' }));
  const text = await print({ verdict: 'problems', problems });
  assert.match(text, /entry 49: p\n {2}… and 30 more problems/);
});
