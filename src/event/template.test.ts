import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toTemplate } from './template.ts';
import { validateRecord } from './validate.ts';

const context = { ingested: '2026-11-20T12:00:00.000000000Z', observer: 'sender' };

function accepted(value: unknown) {
  const result = validateRecord(value, context);
  assert.ok(result.ok, result.ok ? '' : result.reason);
  return result.record;
}

test('toTemplate gives back a template that was read', () => {
  const template = {
    timestamp: '2026-11-20T11:59:02.000000000Z',
    user: 'alice',
    src_port: 51234,
    dest_port: 8443,
    action: 'login',
    src_ip: '10.0.0.7',
    dest_ip: '10.0.0.9',
  };
  assert.deepEqual(toTemplate(accepted(template)), template);
  const { src_ip, dest_ip, ...plain } = template;
  assert.deepEqual(toTemplate(accepted(plain)), plain);
  assert.deepEqual(toTemplate(accepted({ ...plain, src_port: '51234', dest_port: '8443' })), plain);
});

test('toTemplate says null where the record has nothing, and the outcome where it has no action', () => {
  assert.deepEqual(toTemplate(accepted({ '@timestamp': 0, 'event.outcome': 'denied' })), {
    timestamp: '1970-01-01T00:00:00.000000000Z',
    user: null,
    src_port: null,
    dest_port: null,
    action: 'failure',
  });
});
