import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { communityId, protocolNumber } from './community-id.ts';
import { parseIp } from './ip.ts';

interface Vector {
  readonly community_id: string;
  readonly orig_h: string;
  readonly orig_p: number;
  readonly resp_h: string;
  readonly resp_p: number;
  readonly proto: number;
  readonly seed?: number;
}

const vectors = JSON.parse(
  readFileSync(new URL('../../test/vectors/community-id.json', import.meta.url), 'utf8'),
) as { vectors: Vector[]; pcaps: { trace: string; rows: Vector[] }[] };

// `zeek_transport: unknown` with protocol 65535 stands for "no protocol known": Zeek then writes no identifier.
function compute(vector: Vector): string {
  const { orig_h, orig_p, resp_h, resp_p, proto, seed } = vector;
  return communityId(proto, parseIp(orig_h)!, orig_p, parseIp(resp_h)!, resp_p, seed) ?? '';
}

test('communityId gives what Zeek gives for its own test cases', () => {
  assert.equal(vectors.vectors.length, 12);
  for (const vector of vectors.vectors)
    assert.equal(compute(vector), vector.community_id, JSON.stringify(vector));
});

for (const { trace, rows } of vectors.pcaps) {
  test(`communityId gives what Zeek gives for ${trace}`, () => {
    assert.ok(rows.length > 0);
    for (const row of rows) assert.equal(compute(row), row.community_id, JSON.stringify(row));
  });
}

test('communityId is the same for both directions of a flow', () => {
  const address = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  );
  const port = fc.integer({ min: 0, max: 65_535 });
  fc.assert(
    fc.property(address, port, address, port, (a, portA, b, portB) => {
      const there = communityId(6, a, portA, b, portB);
      assert.equal(there, communityId(6, b, portB, a, portA));
      assert.equal(there === undefined, a.length !== b.length);
    }),
  );
});

test('protocolNumber knows the transports by name and nothing from the prototype', () => {
  assert.equal(protocolNumber('tcp'), 6);
  assert.equal(protocolNumber('ipv6-icmp'), 58);
  assert.equal(protocolNumber('constructor'), undefined);
  assert.equal(protocolNumber('unix'), undefined);
});
