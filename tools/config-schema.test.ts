import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { formatConfigSchema, SCHEMA_FILE } from './config-schema.ts';

test('docs/config.schema.json is what the configuration is checked with', () => {
  const message = 'It is out of date. Run: node tools/config-schema.ts';
  assert.equal(readFileSync(SCHEMA_FILE, 'utf8'), formatConfigSchema(), message);
});
