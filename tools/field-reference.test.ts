import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FIELDS } from '../src/event/fields.ts';
import { fieldReference, PAGE } from './field-reference.ts';

test('docs/fields.md is what the field table says', () => {
  assert.equal(readFileSync(PAGE, 'utf8'), fieldReference(), 'run node tools/field-reference.ts');
});

test('fieldReference has one row for each field, with as many cells as the header', () => {
  const page = fieldReference().split('\n');
  for (const field of FIELDS) {
    const rows = page.filter((line) => line.includes(`\`${field.name}\``) && /^\| \*?`/.test(line));
    const own = rows.filter((line) => line.split('|')[1]!.includes(`\`${field.name}\``));
    assert.equal(own.length, 1, field.name);
    assert.equal(own[0]!.split('|').length, 9, field.name);
  }
});
