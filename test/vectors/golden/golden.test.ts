// The golden installation of each version: later versions must verify, open, read, answer and continue it. Worked on in a copy.

import { strict as assert } from 'node:assert';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FileDisk } from '../../../src/disk/file-disk.ts';
import { encodeNdjson } from '../../../src/event/batch-encoder.ts';
import { KeyRing } from '../../../src/keys/key-ring.ts';
import type { Outcome } from '../../../src/ledger/append-group.ts';
import { Installation } from '../../../src/ledger/installation.ts';
import { verifyInstallation } from '../../../src/verify/verify-installation.ts';

interface AcceptedRequest {
  readonly ledger: string;
  readonly key?: string;
  readonly lines: readonly string[];
  readonly outcome: Extract<Outcome, { kind: 'accepted' }>;
}

const HERE = import.meta.dirname;
const versions = readdirSync(HERE, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

for (const version of versions) {
  test(`an installation of version ${version} is verified, opened, read and continued`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'portledger-golden-'));
    try {
      cpSync(join(HERE, version), directory, { recursive: true });
      const accepted = JSON.parse(
        readFileSync(join(directory, 'accepted.json'), 'utf8'),
      ) as AcceptedRequest[];
      assert.equal((await verify(directory)).verdict, 'ok');
      {
        await using installation = await open(directory);
        for (const request of accepted) await checkRequest(installation, request);
        for (const ledger of installation.ledgers.values()) {
          const context = { ingested: '2026-11-22T00:00:00.000000000Z', observer: 'golden' };
          const batch = encodeNdjson(
            Buffer.from('{"timestamp":1763800000,"user":"a","src_port":1,"dest_port":2,"action":"b"}'),
            context,
          );
          assert.equal((await ledger.append({ principal: 'golden', batch })).count, 1);
        }
      }
      assert.equal((await verify(directory)).verdict, 'ok');
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
}

test('there is a golden installation', () => {
  assert.ok(versions.length > 0);
});

function open(directory: string): Promise<Installation> {
  return Installation.open({
    disk: new FileDisk(),
    dataDirectory: join(directory, 'data'),
    stateDirectory: join(directory, 'state'),
    passphrase: undefined,
    random: randomBytes,
    now: () => new Date(),
  });
}

async function checkRequest(
  installation: Installation,
  { ledger, lines, outcome }: AcceptedRequest,
): Promise<void> {
  const { first, count, quarantined } = outcome;
  const stored: { [name: string]: unknown }[] = [];
  const range = { from: first, to: first + count, order: 'oldest' } as const;
  for await (const entries of installation.ledgers.get(ledger)!.scan(range)) {
    for (const { kind, bytes } of entries) {
      assert.equal(kind, 'record');
      stored.push(JSON.parse(Buffer.from(bytes).toString('utf8')));
    }
  }
  const malformed = new Set(quarantined.map(({ position }) => position));
  const sent = lines.filter((_, position) => !malformed.has(position)).map((line) => JSON.parse(line));
  assert.deepEqual(
    stored.map((record) => [record['user.name'], record['source.port'], record['destination.port']]),
    sent.map(({ user, src_port, dest_port }) => [user, Number(src_port), dest_port]),
  );
}

async function verify(directory: string) {
  const keyRing = KeyRing.open({
    disk: new FileDisk(),
    stateDirectory: join(directory, 'state'),
    keysDirectory: join(directory, 'data', 'keys'),
    passphrase: undefined,
    random: randomBytes,
  });
  return await verifyInstallation({
    directory: join(directory, 'data'),
    trustedKeys: [readFileSync(join(directory, 'data/ledgers/access/key.pub'), 'utf8').trim()],
    remembered: [],
    epochKey: (ledger, epoch) => keyRing.epochKeys(ledger).get(epoch).key,
    workers: 0,
    sleep: async () => undefined,
  });
}
