import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIELDS, fieldNamed, isNumeric, resolveField } from './fields.ts';

test('FIELDS gives every name and alias to one field only', () => {
  const all = FIELDS.flatMap((field) => [field.name, ...field.aliases]);
  const repeated = all.filter((name, index) => all.indexOf(name) !== index);
  assert.deepEqual(repeated, []);
});

test('FIELDS is well formed', () => {
  for (const field of FIELDS) {
    assert.match(field.name, /^@timestamp$|^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$/, field.name);
    assert.match(field.description, /\.$|…$/, field.name);
    for (const alias of field.aliases) assert.match(alias, /^[a-z][a-z0-9_]*$/, alias);
    assert.equal(field.values.length > 0, field.type === 'enum' || field.type === 'tls-version', field.name);
    assert.ok(!field.lowerCase || field.type === 'keyword', field.name);
    assert.ok(field.max === Number.MAX_SAFE_INTEGER || isNumeric(field.type), field.name);
  }
});

test('no field is the beginning of another, so nested objects have one meaning', () => {
  for (const outer of FIELDS) {
    for (const inner of FIELDS)
      assert.ok(!inner.name.startsWith(`${outer.name}.`), `${outer.name}, ${inner.name}`);
  }
});

test('the fields that may identify a person or hold a secret are masked', () => {
  const masked = FIELDS.filter((field) => field.masked).map((field) => field.name);
  assert.deepEqual(masked, ['user.name', 'client.ip', 'url.query']);
});

test('resolveField understands what a person types', () => {
  const typed: Record<string, string> = {
    port: 'destination.port',
    user: 'user.name',
    outcome: 'event.outcome',
    tls: 'tls.version',
    from: 'source.ip',
    to: 'destination.ip',
    status: 'http.response.status_code',
    sni: 'tls.client.server_name',
    '@timestamp': '@timestamp',
    'labels.team': 'labels.team',
  };
  for (const [name, expected] of Object.entries(typed)) assert.equal(resolveField(name)?.name, expected);
  assert.equal(resolveField('labels.'), undefined);
  assert.equal(resolveField('constructor'), undefined);
  assert.equal(fieldNamed('port'), undefined);
});
