// Makes the golden installation in this directory: an installation as version 0.1.0 writes it, which every later version must
// open, read, verify and continue (golden.test.ts). Made once and committed; a change of format makes a new one beside it, and
// never this one again.
//
//   node test/vectors/golden/make.ts DIRECTORY
//
// The root key lies open in it. It protects nothing.

import { createHash, hash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { FileDisk } from '../../../src/disk/file-disk.ts';
import { encodeNdjson } from '../../../src/event/batch-encoder.ts';
import { encodeCheckedJson } from '../../../src/keys/checked-json.ts';
import { KeyRing } from '../../../src/keys/key-ring.ts';
import { requestDigest } from '../../../src/ledger/append-group.ts';
import { installationLedgerPaths } from '../../../src/ledger/installation.ts';
import { LedgerWriter } from '../../../src/ledger/writer.ts';
import { ed25519Signer, verifierKeyOf } from '../../../src/merkle/note.ts';

const directory = resolve(process.argv[2]!);
const dataDirectory = join(directory, 'data');
const stateDirectory = join(directory, 'state');
const NAME = 'portledger.local/901de17000000001';
const disk = new FileDisk();
let drawn = 0;
const random = (bytes: number): Buffer => hash('sha512', `golden ${drawn++}`, 'buffer').subarray(0, bytes);
let now = new Date('2026-11-20T22:00:00.000Z');

disk.makeDirectory(dataDirectory);
const keyRing = KeyRing.create({
  disk,
  stateDirectory,
  keysDirectory: `${dataDirectory}/keys`,
  passphrase: undefined,
  random,
});
const description = encodeCheckedJson({ v: 1, name: NAME, created: now.toISOString() });
disk.replaceFile(`${dataDirectory}/installation.json`, description);
disk.replaceFile(`${stateDirectory}/installation.json`, description);

const accepted: object[] = [];
for (const ledger of ['access', 'custody']) {
  const origin = `${NAME}/${ledger}`;
  const open = (): LedgerWriter =>
    LedgerWriter.open({
      disk,
      paths: installationLedgerPaths({ dataDirectory, stateDirectory }, ledger),
      origin,
      signer: ed25519Signer(origin, keyRing.signingKey),
      verifierKey: verifierKeyOf(origin, keyRing.signingKey),
      epochKeys: keyRing.epochKeys(ledger),
      now: () => now,
      random,
    });
  let writer = open();
  const append = (lines: readonly string[], key?: string): void => {
    const body = Buffer.from(lines.join('\n'));
    const context = { ingested: now.toISOString().replace('Z', '000000Z'), observer: 'golden' };
    const { slab, starts, ends, quarantined } = encodeNdjson(body, context);
    const idempotency =
      key === undefined
        ? undefined
        : {
            key: requestDigest('golden', key),
            body: requestDigest(createHash('sha256').update(body).digest()),
          };
    const [outcome] = writer.append([{ items: { slab, starts, ends }, quarantined, idempotency }]);
    accepted.push({ ledger, key, lines, outcome });
    now = new Date(now.getTime() + 60_000);
  };
  const line = (n: number): string =>
    JSON.stringify({
      timestamp: new Date(now.getTime() - n).toISOString(),
      user: `svc-${n % 7}`,
      src_ip: '10.0.0.1',
      dest_ip: '10.0.0.2',
      src_port: String(40_000 + n),
      dest_port: 8443,
      action: 'connect',
    });
  append(Array.from({ length: 300 }, (_, n) => line(n)));
  writer.publish();
  for (let n = 0; n < 24; n++) append([line(n)]);
  append([line(1), 'no json', line(2)], 'first key');
  writer.publish();
  // Into the next day: another epoch, another segment.
  now = new Date('2026-11-21T01:00:00.000Z');
  append([line(3), line(4)], 'second key');
  writer.close();
  writer = open();
  append([line(5)]);
  writer.close();
  now = new Date('2026-11-20T22:00:00.000Z');
}
writeFileSync(join(directory, 'accepted.json'), `${JSON.stringify(accepted, null, 1)}\n`);
