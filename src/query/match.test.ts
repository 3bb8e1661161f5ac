// Goal: a search finds exactly what a person reading each record would. Method: examples for each kind of test, and for the
// byte filter the property that it never hides a record that matches.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalRecord, type FlatRecord } from '../event/canonical.ts';
import { parseIp } from '../event/ip.ts';
import { compileMatcher, globMatches } from './match.ts';
import { networkHas, parseNetwork } from './network.ts';
import { parseQuery } from './parse.ts';
import { findPatternOnMasked, redactQuery } from './visibility.ts';

const NOW_MS = Date.parse('2026-11-20T12:00:00Z');
const RECORD: FlatRecord = {
  '@timestamp': '2026-11-20T11:30:00.500000000Z',
  'user.name': 'svc-Billing-prod',
  'event.outcome': 'failure',
  'source.ip': '10.1.2.3',
  'destination.ip': 'fe80::1',
  'destination.port': 8443,
  'http.response.status_code': 404,
  'tls.version': 'ssl3',
  'tls.resumed': false,
  'tls.client.san': 'a\\,b,example.test,spiffe://x/y',
  'url.path': '/café/"quoted"\n',
  'labels.retries': 3,
};

function tree(text: string) {
  const outcome = parseQuery(text);
  assert.ok(outcome.ok, outcome.ok ? '' : outcome.problem.message);
  return outcome.query;
}

function matcher(text: string) {
  return compileMatcher(tree(text), { nowMs: NOW_MS });
}

test('compileMatcher accepts what the query describes and its byte filter lets it through', () => {
  for (const text of [
    '*',
    '',
    'BILLING',
    '8443',
    'svc-*prod',
    '10.1.2.3',
    '"quoted"',
    'user:svc-Billing-prod',
    'user:svc-*',
    'user:*-prod',
    'user:*Bill*prod',
    'user:*',
    '-user:svc-billing-prod',
    'outcome:failure status>=400 status<405 port:8000-9000',
    'outcome:success or status:404',
    'not (outcome:success or status:403)',
    'tls<1.2',
    'tls:SSLv3',
    'tls>=ssl2',
    'resumed:false',
    'src:10.0.0.0/8',
    'src:10.1.2.0/23',
    'src:10.1.2.3',
    'src:0.0.0.0/0',
    'src:::ffff:10.1.2.3',
    'dst:fe80::/10',
    'dst:FE80:0:0::1',
    'client_san:example.test',
    'client_san:"a,b"',
    'client_san:spiffe://*/y',
    'path:/café/*',
    'path:*"\\"quoted\\""* or path:*',
    'since:1h',
    'since:2026-11-20T11:30:00.5Z until:2026-11-20T11:30:00.500000001Z',
    'until:29m',
    'labels.retries:3',
    '-labels.other:*',
  ]) {
    const { matches, mayMatch } = matcher(text);
    assert.equal(matches(RECORD), true, text);
    assert.equal(mayMatch(canonicalRecord(RECORD)), true, `${text} (bytes)`);
  }
});

test('compileMatcher refuses what the query excludes', () => {
  for (const text of [
    'nobody',
    '844',
    'user:svc-billing-prod',
    'user:svc',
    'user:"svc-*"',
    'outcome:success',
    'status>404',
    'port:8000-8442',
    'tls>=1.0',
    'tls:1.2',
    'resumed:true',
    'src:10.2.0.0/15',
    'src:fe80::/10',
    'dst:10.0.0.0/8',
    'client_san:example',
    'client_san:a',
    'since:29m',
    'until:2026-11-20T11:30:00.5Z',
    'labels.other:x',
    'client:10.1.2.3',
    '-user:*',
  ]) {
    assert.equal(matcher(text).matches(RECORD), false, text);
  }
});

test('the byte filter spares the parsing of most records that do not match', () => {
  const bytes = canonicalRecord(RECORD);
  for (const text of [
    'user:alice',
    'user:svc-x*',
    'src:10.1.2.4',
    'src:11.0.0.0/8',
    'client:*',
    'status:500',
    'resumed:true',
    '192.0.2.1',
    'user:alice or user:bob',
    'user:alice since:1h',
  ]) {
    assert.equal(matcher(text).mayMatch(bytes), false, text);
  }
});

test('the byte filter never hides a record that matches', () => {
  const word = fc.oneof(
    fc.constantFrom('a', 'A', 'true', '1', '-1', '"', '\\', '/', 'é', '𝄞', '\n', '\u0001', ' ', ''),
    fc.string({ unit: 'binary', maxLength: 3 }).filter((text) => text.isWellFormed()),
  );
  const text = fc.array(word, { maxLength: 4 }).map((words) => words.join(''));
  const record = fc.record(
    {
      'user.name': text,
      'url.path': text,
      'tls.client.san': text,
      'source.ip': fc.oneof(
        fc.ipV4(),
        fc.tuple(fc.nat(3), fc.nat(3)).map(([a, b]) => `10.0.${a}.${b}`),
      ),
      'destination.port': fc.nat(20),
      'tls.resumed': fc.boolean(),
      'labels.x': fc.oneof(text, fc.integer(), fc.boolean()),
    },
    { requiredKeys: [] },
  );
  const sayable = text.filter((value) => !/[^\P{Cc}\s]/u.test(value));
  const quoted = sayable.map((value) => `"${value.replace(/["\\]/g, '\\$&')}"`);
  const pattern = sayable
    .filter((value) => /^[^\s"()]+$/.test(value) && !/^(and|or|not|-.*)$/i.test(value))
    .map((value) => `${value}*`);
  const value = fc.oneof(quoted, pattern);
  const leaf = fc.oneof(
    quoted,
    value.map((one) => `user:${one}`),
    value.map((one) => `path:*${one.startsWith('"') ? '' : one} or path:${one}`),
    value.map((one) => `client_san:${one}`),
    value.map((one) => `labels.x:${one}`),
    fc.tuple(fc.nat(3), fc.nat(32)).map(([a, bits]) => `src:10.0.${a}.1/${bits}`),
    fc.nat(20).map((port) => `port:${port}`),
    fc.boolean().map((resumed) => `resumed:${resumed}`),
  );
  const query = fc
    .array(fc.tuple(fc.constantFrom('and', 'or', 'and not', 'or not'), leaf), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.map(([join, one], at) => `${at === 0 ? '' : join} (${one})`).join(' '));
  fc.assert(
    fc.property(query, record, (source, candidate) => {
      const { matches, mayMatch } = matcher(source);
      if (matches(candidate as FlatRecord)) {
        assert.equal(mayMatch(canonicalRecord(candidate as FlatRecord)), true);
      }
    }),
    { numRuns: 2000 },
  );
});

test('globMatches equals a regular expression', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 6 });
  fc.assert(
    fc.property(fc.array(letters, { minLength: 1, maxLength: 4 }), letters, ([first, ...rest], text) => {
      const expected = new RegExp(`^${[first, ...rest].join('.*')}$`).test(text);
      assert.equal(globMatches([first!, ...rest], text), expected);
    }),
    { numRuns: 1000 },
  );
});

test('networkHas compares exactly the bits of the prefix', () => {
  const bits = (text: string) =>
    Array.from(parseIp(text)!, (byte) => byte.toString(2).padStart(8, '0')).join('');
  const prefix = fc.nat(128);
  fc.assert(
    fc.property(fc.ipV6(), fc.ipV6(), prefix, (left, right, length) => {
      const network = parseNetwork(`${left}/${length}`);
      if (!network) return assert.ok(length > 32 && bits(left).length === 32);
      const expected =
        bits(left).length === bits(right).length &&
        bits(left).slice(0, length) === bits(right).slice(0, length);
      assert.equal(networkHas(network, right), expected);
      assert.equal(networkHas(network, left), true);
    }),
  );
  fc.assert(
    fc.property(fc.nat(255), fc.nat(255), fc.nat(32), (left, right, length) => {
      const network = parseNetwork(`10.0.0.${left}/${length}`)!;
      const expected = bits(`10.0.0.${left}`).slice(0, length) === bits(`10.0.0.${right}`).slice(0, length);
      assert.equal(networkHas(network, `10.0.0.${right}`), expected);
    }),
  );
});

const masked = (field: string) => field === 'user.name' || field === 'client.ip';

test('bare words do not see hidden fields', () => {
  const visible = compileMatcher(tree('billing'), { nowMs: NOW_MS, hidden: masked });
  assert.equal(visible.matches(RECORD), false);
  assert.equal(visible.matches({ 'event.action': 'Billing run' }), true);
});

test('findPatternOnMasked allows exact values of masked fields and nothing that could be narrowed down', () => {
  for (const text of ['user:alice', 'user:*', '-user:alice', 'client:10.0.0.1', 'path:/a*', 'alice*']) {
    assert.equal(findPatternOnMasked(tree(text), masked), undefined, text);
  }
  for (const text of ['user:a*', 'a or (b -user:*x)', 'user:ann,b*', 'client:10.0.0.0/8', 'client:10.*']) {
    assert.match(findPatternOnMasked(tree(text), masked)?.message ?? '', /masked for your role/, text);
  }
  assert.equal(findPatternOnMasked(tree('a user:b*'), masked)?.column, 8);
});

test('redactQuery replaces the values of masked fields and bare words and nothing else', () => {
  const redact = (text: string) =>
    redactQuery(text, tree(text), masked, (field, value) => `[${field}:${value.length}]`);
  assert.equal(
    redact('port:8443  user:"al \\"x\\"" -user:* tls<1.2'),
    'port:8443  user:[user.name:6] -user:* tls<1.2',
  );
  assert.equal(redact('(alice or user!=bob) since:24h'), '([text:5] or user!=[user.name:3]) since:24h');
  assert.equal(redact('user:ann,bob port:1,2'), 'user:[user.name:3],[user.name:3] port:1,2');
  assert.equal(redact('*'), '*');
});
