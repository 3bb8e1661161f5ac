import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatIp, normaliseIp, parseIp } from './ip.ts';

test('normaliseIp writes the spellings that RFC 5952 asks for', () => {
  const samples: Record<string, string> = {
    '2001:db8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
    '2001:0db8::0001': '2001:db8::1',
    '2001:db8::1:1:1:1:1': '2001:db8:0:1:1:1:1:1',
    '2001:db8:0:0:0:0:2:1': '2001:db8::2:1',
    '2001:DB8::AaAa': '2001:db8::aaaa',
    '0:0:0:0:0:0:0:0': '::',
    '0:0:0:0:0:0:0:1': '::1',
    '1:0:0:0:0:0:0:0': '1::',
    '64:ff9b::192.0.2.33': '64:ff9b::c000:221',
    '::ffff:192.0.2.1': '192.0.2.1',
    '::FFFF:c000:0201': '192.0.2.1',
    'fe80::1%eth0': 'fe80::1',
    '10.0.0.1': '10.0.0.1',
    '255.255.255.255': '255.255.255.255',
  };
  for (const [text, expected] of Object.entries(samples)) assert.equal(normaliseIp(text), expected, text);
});

test('normaliseIp refuses what is not an address', () => {
  const strangers = [
    ...[
      '',
      '1.2.3',
      '1.2.3.4.5',
      '256.1.1.1',
      '01.2.3.4',
      '1.2.3.4 ',
      ' 1.2.3.4',
      '1.2.3.-4',
      '0x1.2.3.4',
      '1..2.3',
    ],
    ...[
      ':',
      ':::',
      '1::2::3',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1:2:3:4:5:6:7::8:9',
      '12345::',
      'g::',
      '1:',
    ],
    ...['1.2.3.4::', '::1.2.3.4:5', '[::1]', '1.2.3.4%eth0', ':1:2:3:4:5:6:7', '1:2:3:4:5:6:7:', 'localhost'],
    ...[`::1%${'x'.repeat(100)}`, '1:'.repeat(50_000)],
  ];
  for (const text of strangers) assert.equal(normaliseIp(text), undefined, text.slice(0, 40));
});

test('parseIp agrees with node:net about what is an address', () => {
  const piece = fc.constantFrom('0', '1', 'ff', '00ff', '12345', ':', '::', '.', '192.0.2.1', '256', 'g');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 17 }), (pieces) => {
      const text = pieces.join('');
      assert.equal(parseIp(text) !== undefined, isIP(text) !== 0, text);
    }),
    { numRuns: 3000 },
  );
});

test('formatIp writes what parseIp reads, and nothing else for the same bytes', () => {
  const word = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 65_535 }));
  fc.assert(
    fc.property(fc.array(word, { minLength: 8, maxLength: 8 }), (groups) => {
      const long = groups.map((group) => group.toString(16).toUpperCase().padStart(4, '0')).join(':');
      const short = normaliseIp(long)!;
      assert.equal(normaliseIp(short), short);
      assert.deepEqual(parseIp(short), parseIp(long));
      assert.equal(formatIp(parseIp(long)!), short);
    }),
  );
});
