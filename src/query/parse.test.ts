import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseQuery, QUERY_BYTES_MAX, QUERY_DEPTH_MAX } from './parse.ts';
import type { Query } from './tree.ts';

/** The tree as text, with every grouping visible. */
function shape(query: Query): string {
  switch (query.kind) {
    case 'everything':
      return '*';
    case 'and':
    case 'or':
      return `(${query.terms.map(shape).join(` ${query.kind} `)})`;
    case 'not':
      return `not ${shape(query.term)}`;
    case 'words':
      return query.glob.join('*');
    case 'field': {
      const { kind, ...rest } = query.test;
      return `${query.field.name}[${kind} ${Object.values(rest).map(String).join(' ')}]`;
    }
    default:
      return query satisfies never;
  }
}

function parsed(text: string): string {
  const outcome = parseQuery(text);
  assert.ok(outcome.ok, outcome.ok ? '' : outcome.problem.message);
  return shape(outcome.query);
}

function problem(text: string): string {
  const outcome = parseQuery(text);
  assert.ok(!outcome.ok, `"${text}" parsed`);
  assert.ok(outcome.problem.message.includes(`column ${outcome.problem.column}:`));
  return outcome.problem.message;
}

test('parseQuery reads every form of the language', () => {
  for (const [text, expected] of [
    ['', '*'],
    [' * ', '*'],
    ['alice', 'alice'],
    ['svc-*', 'svc-*'],
    ['"a b"', 'a b'],
    ['"say \\"hi\\" \\\\ *"', 'say "hi" \\ *'],
    ['user:alice', 'user.name[glob alice]'],
    ['user.name=alice', 'user.name[glob alice]'],
    ['user:"a*"', 'user.name[glob a*]'],
    ['user:*', 'user.name[present ]'],
    ['user!=bob', 'not user.name[glob bob]'],
    ['a b', '(a and b)'],
    ['a AND b', '(a and b)'],
    ['a b or c', '((a and b) or c)'],
    ['a (b or c)', '(a and (b or c))'],
    ['-a', 'not a'],
    ['not a b', '(not a and b)'],
    ['- a', '(- and a)'],
    ['--a', '--a'],
    ['not (a b)', 'not (a and b)'],
    ['order', 'order'],
    ['"or"', 'or'],
    ['status>=400', 'http.response.status_code[number >= 400]'],
    ['status:404', 'http.response.status_code[number = 404]'],
    ['port:8000-8100', 'destination.port[range 8000 8100]'],
    ['tls<1.2', 'tls.version[version < 4]'],
    ['tls:TLSv1.2', 'tls.version[glob 1.2]'],
    ['tls>=SSLv3', 'tls.version[version >= 1]'],
    ['tls:1.*', 'tls.version[glob 1.,]'],
    ['resumed:true', 'tls.resumed[boolean true]'],
    ['outcome:failure', 'event.outcome[glob failure]'],
    ['outcome:fail*', 'event.outcome[glob fail,]'],
    ['sni:Shop.Example', 'tls.client.server_name[glob shop.example]'],
    ['cipher_id:0xC02F', 'tls.cipher_id[glob 0xc02f]'],
    ['src:10.0.0.0/8', 'source.ip[network [object Object]]'],
    ['src:10.1.*', 'source.ip[glob 10.1.,]'],
    ['path:/a/*.php', 'url.path[glob /a/,.php]'],
    ['labels.team:core', 'labels.team[glob core]'],
    ['10.0.0.1:8080', '10.0.0.1:8080'],
    ['user:alice,bob', '(user.name[glob alice] or user.name[glob bob])'],
    ['user=alice,b* x', '((user.name[glob alice] or user.name[glob b,]) and x)'],
    ['user!=alice,bob', 'not (user.name[glob alice] or user.name[glob bob])'],
    ['-user:alice,bob', 'not (user.name[glob alice] or user.name[glob bob])'],
    ['port:22,8000-8100', '(destination.port[number = 22] or destination.port[range 8000 8100])'],
    ['user:"alice,bob"', 'user.name[glob alice,bob]'],
    ['alice,bob', 'alice,bob'],
    ['"~alice" user:"~a|b" "a | b"', '(~alice and user.name[glob ~a|b] and a | b)'],
    ['path:/~alice/', 'url.path[glob /~alice/]'],
    ['a~b', 'a~b'],
  ] as const) {
    assert.equal(parsed(text), expected, text);
  }
});

test('parseQuery reads times ago and absolute, and since and until', () => {
  const time = (text: string) => {
    const outcome = parseQuery(text);
    assert.ok(outcome.ok && outcome.query.kind === 'field' && outcome.query.test.kind === 'time', text);
    return { field: outcome.query.field.name, ...outcome.query.test };
  };
  const at = (key: string) => ({ kind: 'absolute', utc: `${key}Z` });
  assert.deepEqual(time('since:24h').value, { kind: 'ago', ms: 86_400_000 });
  assert.equal(time('since:24h').comparison, '>=');
  assert.equal(time('until:1d').comparison, '<');
  assert.equal(time('until:1d').field, '@timestamp');
  assert.equal(time('ingested>5m').field, 'event.ingested');
  assert.deepEqual(time('since:2026-11-20').value, at('2026-11-20T00:00:00.000000000'));
  assert.deepEqual(time('since:2026-11-20T12:30Z').value, at('2026-11-20T12:30:00.000000000'));
  assert.deepEqual(time('since:2026-11-20T12:30:01.250000000Z').value, at('2026-11-20T12:30:01.250000000'));
  assert.deepEqual(time('since:"2026-11-20 12:30:00+02:00"').value, at('2026-11-20T10:30:00.000000000'));
});

test('parseQuery says where, what is wrong and what was expected', () => {
  for (const [text, column, ...parts] of [
    ['usr:alice', 1, '"usr" is not a field', 'Did you mean "user"?'],
    ['a status_code:1', 3, 'Did you mean "http.response.status_code"?'],
    ['ledger:access', 1, 'not a field'],
    ['http://x', 1, 'in double quotes'],
    ['a (b', 3, 'never closed'],
    ['a b)', 4, 'closes nothing'],
    ['()', 2, 'expected a term'],
    ['a or', 5, 'the query ends here'],
    ['or a', 1, '"or" stands alone'],
    ['a and or b', 7, '"or" stands alone'],
    ['not', 4, 'the query ends here'],
    ['user:', 6, 'expected a value for user'],
    ['user:(a or b)', 6, 'nothing here'],
    ['"abc', 1, 'quote is never closed'],
    ['user:"abc\\"', 6, 'quote is never closed'],
    ['port:http', 6, '"http" does not fit port', 'a range such as 8000-8100'],
    ['port:9-8', 6, 'the smaller number first'],
    ['user<5', 6, 'no order'],
    ['src>10.0.0.1', 5, 'no order'],
    ['src:10.0.0.300', 5, 'expected an address'],
    ['src:10.0.0.0/33', 5, 'expected an address'],
    ['outcome:failed', 9, 'expected one of success, failure, unknown'],
    ['tls<2', 5, 'expected a version'],
    ['since:yesterday', 7, 'expected a time'],
    ['since:2026-02-30', 7, 'expected a time'],
    ['since>5m', 6, 'expected ":"'],
    ['a\u0000', 2, 'control character'],
    ['user:\ud800', 6, 'half a character'],
    ['status>*', 8, 'stands after ":" only'],
    ['~adm', 1, 'patterns are not supported yet', 'Use * wildcards, or quote the text.'],
    ['a -~adm', 4, 'patterns are not supported yet'],
    ['user:~adm', 6, 'patterns are not supported yet', 'Use * wildcards, or quote the text.'],
    ['user=~adm', 6, 'patterns are not supported yet'],
    ['user~adm', 5, 'patterns are not supported yet'],
    ['user!~adm', 6, 'patterns are not supported yet'],
    ['user:a | count by user', 8, 'pipes and "|" are not supported', 'quote the text'],
    ['user:a|b', 7, 'not supported', 'Write "or" between alternatives'],
    ['alice||bob', 6, 'not supported'],
    ['user:alice, bob', 12, 'a comma parts alternatives', 'in double quotes'],
    ['user:,bob', 6, 'a comma parts alternatives'],
    ['user:"a b",c', 11, 'a comma follows a quoted value'],
    ['port:22,ssh', 9, '"ssh" does not fit port'],
    ['port<22,80', 6, '"22,80" does not fit port'],
    ['user:CN=a,O=b', 6, 'distinguished name', 'Put it in double quotes'],
  ] as const) {
    const message = problem(text);
    assert.ok(message.includes(`column ${column}:`), `${text}: ${message}`);
    for (const part of parts) assert.ok(message.includes(part), `${text}: ${message}`);
  }
});

test('parseQuery is bounded in length and depth', () => {
  assert.match(problem('a'.repeat(QUERY_BYTES_MAX + 1)), /4097 bytes long/);
  parsed(`${'('.repeat(QUERY_DEPTH_MAX - 1)}a${')'.repeat(QUERY_DEPTH_MAX - 1)}`);
  assert.match(problem(`${'('.repeat(QUERY_DEPTH_MAX)}a${')'.repeat(QUERY_DEPTH_MAX)}`), /nests 33 deep/);
  assert.match(problem('not '.repeat(1000)), /nests/);
  assert.match(problem('-('.repeat(1000)), /nests/);
});

test('parseQuery answers any text with a tree or a problem within the text', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'and',
      'or',
      'not',
      '(',
      ')',
      '"',
      '-',
      '*',
      ':',
      'user:',
      'port>=',
      'since:',
      '\\',
      ' ',
      ',',
      '~',
      '|',
    ),
    fc.string({ unit: 'binary', maxLength: 5 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const text = pieces.join('');
      const outcome = parseQuery(text);
      if (!outcome.ok) {
        assert.ok(outcome.problem.column >= 1 && outcome.problem.column <= text.length + 1);
      }
    }),
  );
});
