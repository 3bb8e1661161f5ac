import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as findings from './findings.ts';

const facts = { mode: 0o700, owner: 0, device: 1, freeBytes: 50 * 2 ** 30, totalBytes: 100 * 2 ** 30 };
const found = (list: readonly findings.Finding[]) => list.map(({ severity, id }) => `${severity} ${id}`);

test('findingsOfDirectories notices open modes, little space and a shared file system', () => {
  const base = { data: '/d', state: '/s', dataFacts: facts, stateFacts: { ...facts, device: 2 } };
  assert.deepEqual(findings.findingsOfDirectories(base), []);
  assert.deepEqual(found(findings.findingsOfDirectories({ ...base, stateFacts: facts })), [
    'notice same-file-system',
  ]);
  const open = {
    ...base,
    dataFacts: { ...facts, mode: 0o755 },
    stateFacts: { ...facts, device: 2, mode: 0o750 },
  };
  assert.deepEqual(found(findings.findingsOfDirectories(open)), ['critical data-mode', 'warning state-mode']);
  const full = { ...base, dataFacts: { ...facts, freeBytes: 2 ** 20 } };
  assert.deepEqual(found(findings.findingsOfDirectories(full)), ['critical data-space']);
});

test('findingsOfCertificate grows with the days that are left', () => {
  const now = Date.UTC(2026, 10, 20);
  const after = (days: number) =>
    found(findings.findingsOfCertificate(now + days * 86_400_000, now, 'c.pem'));
  assert.deepEqual(after(90), []);
  assert.deepEqual(after(20), ['warning certificate']);
  assert.deepEqual(after(3), ['critical certificate']);
  assert.deepEqual(after(-1), ['critical certificate']);
});

test('findingsOfClock compares with the release and the certificate', () => {
  const now = Date.UTC(2026, 10, 20);
  assert.deepEqual(findings.findingsOfClock(now, now - 1), []);
  assert.deepEqual(found(findings.findingsOfClock(now, now + 1)), ['critical clock']);
  assert.deepEqual(found(findings.findingsOfClock(0, undefined)), ['critical clock']);
});

test('findingsOfLedger tells a stopped ledger from one that does not publish', () => {
  const ledger = {
    name: 'access',
    size: 10,
    published: 10,
    quarantined: 0,
    earlierSize: 10,
    earlierPublished: 10,
    server: { api: 'https://127.0.0.1:8420', caFile: '/s/ca.pem', tokenFile: '/s/admin.token' },
  };
  assert.deepEqual(findings.findingsOfLedger(ledger), []);
  assert.deepEqual(found(findings.findingsOfLedger({ ...ledger, published: 9 })), ['warning unpublished']);
  assert.deepEqual(
    findings.findingsOfLedger({ ...ledger, size: 20 }),
    [],
    'what is new may still be unpublished',
  );
  assert.deepEqual(found(findings.findingsOfLedger({ ...ledger, published: 9, stopped: 'disk full' })), [
    'critical ledger-stopped',
  ]);
  assert.deepEqual(found(findings.findingsOfLedger({ ...ledger, quarantined: 2 })), ['notice quarantine']);
});

test('findingsOfAnchor holds the checkpoint against the anchor', () => {
  const at = (size: number, root = 'r') => ({ size, root });
  const of = (checkpoint?: { size: number; root: string }, anchor?: { size: number; root: string }) =>
    found(findings.findingsOfAnchor({ ledger: 'access', checkpoint, anchor }));
  assert.deepEqual(of(at(5), at(5)), []);
  assert.deepEqual(of(), []);
  assert.deepEqual(of(at(4), at(5)), ['warning behind-anchor']);
  assert.deepEqual(of(undefined, at(5)), ['warning behind-anchor']);
  assert.deepEqual(of(at(5, 'x'), at(5)), ['critical unlike-anchor']);
  assert.deepEqual(of(at(6), at(5)), ['critical unlike-anchor']);
  assert.deepEqual(of(at(5)), ['warning anchor-missing']);
});
