import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareInterleaved, median, medianOf, meetsTarget, percentile } from './harness.ts';

test('median and percentile lie between the nearest values', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(percentile([10, 20, 30, 40, 50], 0), 10);
  assert.equal(percentile([10, 20, 30, 40, 50], 90), 46);
  assert.equal(percentile([10, 20, 30, 40, 50], 100), 50);
  assert.throws(() => median([]), RangeError);
});

test('compareInterleaved runs both in turn, changes who is first, and compares within each pair', async () => {
  const order: string[] = [];
  // The machine becomes slower all the time; the baseline takes twice as long throughout.
  let drift = 1;
  const round = (name: string, cost: number) => () => {
    order.push(name);
    drift *= 1.01;
    return cost * drift;
  };
  const { ratio } = await compareInterleaved(round('a', 10), round('b', 20), 4);
  assert.equal(order.join(''), 'ababbaabba');
  assert.ok(ratio > 0.49 && ratio < 0.51, `${ratio}`);
});

test('medianOf does not count the first round', async () => {
  const values = [1000, 1, 3, 2];
  assert.equal(await medianOf(() => values.shift() as number, 3), 2);
});

test('meetsTarget knows which way is better', () => {
  assert.equal(meetsTarget({ figure: 2, unit: 's', better: 'lower', target: 1 }), false);
  assert.equal(meetsTarget({ figure: 1, unit: 's', better: 'lower', target: 1 }), true);
  assert.equal(meetsTarget({ figure: 2, unit: '1/s', better: 'higher', target: 1 }), true);
  assert.equal(meetsTarget({ figure: 2, unit: '1/s', better: 'higher' }), undefined);
});
