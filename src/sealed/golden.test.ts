// Golden bytes: what was written once can be read for ever, and what does not pass through zstd is written the same for ever.

import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { isProblem } from '../bytes/problem.ts';
import { frameSalts, keyCheck } from './frame-keys.ts';
import { parseControls, parseFrame, writeFrameHeader } from './frame-layout.ts';
import { openDictionary, openFrame, openRequests } from './open-frame.ts';
import { sealFrame } from './seal-frame.ts';
import { encodeSegmentHeader, extendChain, originHash, parseSegmentHeader } from './segment-header.ts';

interface Vectors {
  readonly origin: string;
  readonly epoch: number;
  readonly epochKey: string;
  readonly keyCheck: string;
  readonly segment: {
    readonly header: {
      readonly segment: number;
      readonly epoch: number;
      readonly first: number;
      readonly previousLength: number;
      readonly previousChain: string;
    };
    readonly bytes: string;
    readonly chainAfter: string;
  };
  readonly frames: readonly {
    readonly name: string;
    readonly first: number;
    readonly blockId: string;
    readonly controls: readonly string[];
    readonly records: readonly string[];
    readonly quarantined: readonly string[];
    readonly requests: string | null;
    readonly dictionary: string | null;
    readonly dictionaryFrame: number;
    readonly salts: string;
    readonly commitments: string;
    readonly header: string;
    readonly frame: string;
    readonly chainAfter: string;
  }[];
}

const path = new URL('../../test/vectors/sealed/frames.json', import.meta.url);
const vectors = JSON.parse(readFileSync(path, 'utf8')) as Vectors;
const hex = (text: string) => Buffer.from(text, 'hex');
const secrets = { origin: vectors.origin, epoch: vectors.epoch, epochKey: hex(vectors.epochKey) };

function right<T extends object>(value: T): Exclude<T, { problem: string }> {
  assert.ok(!isProblem(value), JSON.stringify(value));
  return value as Exclude<T, { problem: string }>;
}

function dictionaryOf(first: number) {
  const holder = vectors.frames.find((frame) => frame.first === first);
  return holder === undefined ? { problem: 'no such frame' } : openDictionary(hex(holder.frame), secrets);
}

it('keyCheck is the golden one', () => assert.equal(keyCheck(secrets.epochKey), vectors.keyCheck));

it('segment header is exact in both directions', () => {
  const { header, bytes, chainAfter } = vectors.segment;
  const full = {
    ...header,
    previousChain: hex(header.previousChain),
    originHash: originHash(vectors.origin),
  };
  assert.equal(encodeSegmentHeader(full).toString('hex'), bytes);
  assert.deepEqual(right(parseSegmentHeader(hex(bytes))), full);
  assert.equal(extendChain(full.previousChain, hex(bytes)).toString('hex'), chainAfter);
});

let chainBefore = vectors.segment.chainAfter;
for (const golden of vectors.frames) {
  const chain = chainBefore;
  chainBefore = golden.chainAfter;
  const frame = hex(golden.frame);

  describe(`frame of ${golden.name}`, () => {
    it('opens to the golden content', () => {
      const opened = right(openFrame(frame, secrets, dictionaryOf));
      const { header, sections } = right(parseFrame(frame));
      assert.equal(header.first, golden.first);
      assert.equal(header.dictionaryFrame, golden.dictionaryFrame);
      assert.deepEqual(
        right(parseControls(sections.control ?? Buffer.alloc(0), header.controls)).map((e) =>
          e.toString('hex'),
        ),
        golden.controls,
      );
      assert.deepEqual(opened.records.map(String), golden.records);
      assert.deepEqual(opened.quarantined.map(String), golden.quarantined);
      assert.equal(opened.requests?.toString('utf8') ?? null, golden.requests);
      assert.deepEqual(openRequests(frame, secrets)?.toString('utf8') ?? null, golden.requests);
      if (golden.dictionary !== null) {
        assert.equal(right(openDictionary(frame, secrets)).toString('utf8'), golden.dictionary);
      }
    });

    it('has the golden salts, and they make the golden commitments', () => {
      const items = [...golden.records, ...golden.quarantined];
      const salts = frameSalts(secrets.epochKey, hex(golden.blockId), items.length);
      assert.equal(salts.toString('hex'), golden.salts);
      const commitments = items.map((item, i) =>
        hash('sha256', Buffer.concat([salts.subarray(32 * i, 32 * i + 32), Buffer.from(item)]), 'hex'),
      );
      assert.equal(commitments.join(''), golden.commitments);
    });

    it('has the golden header bytes, and extends the chain as it did', () => {
      const { header } = right(parseFrame(frame));
      const bytes = Buffer.alloc(frame.length);
      writeFrameHeader(header, bytes);
      assert.equal(bytes.toString('hex', 0, golden.header.length / 2), golden.header);
      assert.ok(golden.frame.startsWith(golden.header));
      assert.equal(extendChain(hex(chain), frame).toString('hex'), golden.chainAfter);
    });

    it('sealed again, opens again; without zstd in it, to the same bytes', () => {
      const again = sealFrame({
        ...secrets,
        first: golden.first,
        blockId: hex(golden.blockId),
        controls: golden.controls.map(hex),
        records: golden.records.map(slabOfOne),
        quarantined: golden.quarantined.map(slabOfOne),
        requests: golden.requests === null ? undefined : Buffer.from(golden.requests),
        newDictionary: golden.dictionary === null ? undefined : Buffer.from(golden.dictionary),
        dictionary:
          golden.dictionaryFrame === 0
            ? undefined
            : {
                bytes: right(dictionaryOf(golden.dictionaryFrame)),
                frame: golden.dictionaryFrame,
              },
      });
      assert.equal(again.commitments.toString('hex'), golden.commitments);
      const opened = right(openFrame(again.frame, secrets, dictionaryOf));
      assert.deepEqual(opened.records.map(String), golden.records);
      if (golden.records.length + golden.quarantined.length === 0) {
        assert.equal(again.frame.toString('hex'), golden.frame);
      }
    });
  });
}

function slabOfOne(item: string) {
  const bytes = Buffer.from(item);
  const slab = Buffer.concat([Buffer.alloc(32), bytes]);
  return { slab, starts: Uint32Array.of(32), ends: Uint32Array.of(slab.length) };
}
