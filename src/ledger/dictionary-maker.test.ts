import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DictionaryMaker } from './dictionary-maker.ts';
import { request } from './testing/simulated-ledger.ts';

const DICTIONARY_BYTES_MAX = 32 * 1024;

/** What frames of one record each refer to or carry; every one becomes durable unless `isWritten` says otherwise. */
function frames(
  maker: DictionaryMaker,
  count: number,
  {
    from = 1,
    isWritten = (): boolean => true,
  }: { from?: number; isWritten?: (first: number) => boolean } = {},
) {
  return Array.from({ length: count }, (_, i) => {
    const first = from + i;
    const chosen = maker.choose([request({ records: [`{"n":${first}}`] }).items], first);
    if (chosen.newDictionary !== undefined && isWritten(first)) maker.written(chosen.newDictionary, first);
    return { first, ...chosen };
  });
}

test('DictionaryMaker lets a later frame of few records refer to a frame that carries a dictionary', () => {
  const all = frames(new DictionaryMaker(), 400);
  const carriers = new Map(all.flatMap((one) => (one.newDictionary ? [[one.first, one.newDictionary]] : [])));
  assert.ok(carriers.size >= 2);
  const referring = all.filter(({ dictionary }) => dictionary !== undefined);
  assert.ok(referring.length > 300);
  for (const { first, dictionary } of referring) {
    assert.ok(dictionary!.frame < first);
    assert.deepEqual(carriers.get(dictionary!.frame), dictionary!.bytes);
  }
});

test('DictionaryMaker does not refer to a frame that found no room', () => {
  let refused = 0;
  const all = frames(new DictionaryMaker(), 60, { isWritten: () => ++refused > 3 });
  const carriers = all.filter(({ newDictionary }) => newDictionary !== undefined).map(({ first }) => first);
  assert.ok(carriers.length > 3);
  const referred = new Set(all.flatMap(({ dictionary }) => (dictionary ? [dictionary.frame] : [])));
  assert.deepEqual([...referred], carriers.slice(3));
});

test('DictionaryMaker leaves large frames, and the first entry of a log, alone', () => {
  const maker = new DictionaryMaker();
  const large = request({ records: ['x'.repeat(9000)] }).items;
  for (let first = 1; first < 400; first++) assert.deepEqual(maker.choose([large], first), {});
  assert.deepEqual(maker.choose([], 5), {});
  // Index 0 says "no dictionary" in a frame's header.
  const beginning = new DictionaryMaker();
  for (let i = 0; i < 100; i++) {
    assert.equal(beginning.choose([request({ records: ['{}'] }).items], 0).newDictionary, undefined);
  }
});

test('DictionaryMaker bounds its dictionaries, and forgets everything with its epoch', () => {
  const maker = new DictionaryMaker();
  for (let first = 1; first < 600; first++) {
    const chosen = maker.choose([request({ records: [`old ${'y'.repeat(3000)}`] }).items], first);
    assert.ok((chosen.newDictionary?.length ?? 0) <= DICTIONARY_BYTES_MAX);
    if (chosen.newDictionary) maker.written(chosen.newDictionary, first);
  }
  maker.reset();
  for (const { dictionary, newDictionary } of frames(maker, 100, { from: 1000 })) {
    assert.ok(dictionary === undefined || dictionary.frame >= 1000);
    assert.doesNotMatch(String(newDictionary ?? ''), /old/);
  }
});
