// Goal: what the server has acknowledged survives `kill -9` at any moment, at the index it was acknowledged with, once.
//
// Method: the real server under load on one data directory that grows from round to round. Several senders with connections of
// their own post batches of many sizes, with and without idempotency keys, some lines malformed, while somebody searches; the
// process is killed at a moment that chance chooses, sometimes while it still starts. The next one must start, and is asked for
// everything that was ever promised.
//
// KILL_ROUNDS (50): how many times.   KILL_SEED: the choices of an earlier run; the moments depend on the machine as well.

import assert from 'node:assert/strict';
import { hash, randomInt } from 'node:crypto';
import { test } from 'node:test';
import { SeededRandom } from '../../src/disk/seeded-random.ts';
import { type Answer, Home, pause, type RunningServer, type SendAnswer } from './program.ts';

const ROUNDS = Number(process.env.KILL_ROUNDS ?? 50);
const SEED = Number(process.env.KILL_SEED ?? randomInt(2 ** 32));
const SENDERS = 4;
const LIFE_MS_MAX = 350;
const START_MS_MAX = 900;
/** Now and then everything is read back, not only what is new, and verified. */
const EVERYTHING_EVERY = 10;
const SIZES = [1, 1, 1, 1, 1, 2, 3, 8, 40, 200];

/** A request as its sender remembers it. */
interface Sent {
  readonly key: string | undefined;
  readonly body: string;
  /** `event.id` of its records, in order, and the malformed lines by position. */
  readonly ids: readonly string[];
  readonly malformed: ReadonlyMap<number, string>;
  answer?: SendAnswer;
}

/** What was sent and answered, and what of it has been seen in the ledger. */
class Promises {
  readonly #sent: Sent[] = [];
  /** Requests with a key and without an answer: sent again until they have one. */
  #unanswered: Sent[] = [];
  /** Requests without an answer since the last look into the ledger: all of each, or nothing. */
  #uncertain: Sent[] = [];
  readonly #known = new Set<string>();
  /** Where each record was found. */
  readonly #places = new Map<string, number>();
  #numbers = 0;
  #seenTo = 0;

  get acknowledged(): number {
    return this.#sent.reduce((count, { answer, ids }) => count + (answer === undefined ? 0 : ids.length), 0);
  }

  get unanswered(): readonly Sent[] {
    return this.#unanswered;
  }

  choose(random: SeededRandom): Sent {
    if (this.#unanswered.length > 0 && random.chance(0.3)) return random.pick(this.#unanswered);
    if (this.#sent.length > 0 && random.chance(0.1)) {
      const earlier = random.pick(this.#sent);
      if (earlier.key !== undefined) return earlier;
    }
    const lines: string[] = [];
    const ids: string[] = [];
    const malformed = new Map<number, string>();
    for (let left = random.pick(SIZES); left > 0; left--) {
      const id = `${SEED}-${this.#numbers++}`;
      const isMalformed = random.chance(0.05);
      if (isMalformed) malformed.set(lines.length, `malformed ${id}`);
      else ids.push(id);
      lines.push(isMalformed ? `malformed ${id}` : JSON.stringify(recordOf(id)));
      this.#known.add(id);
    }
    const key = random.chance(0.5) ? `key-${this.#numbers++}` : undefined;
    return { key, body: `${lines.join('\n')}\n`, ids, malformed };
  }

  noteAnswer(sent: Sent, { status, headers, text }: Answer): void {
    assert.equal(status, 200, text);
    const answer = JSON.parse(text) as SendAnswer;
    if (sent.answer !== undefined) {
      assert.deepEqual(answer, sent.answer, `a retry of ${sent.key} got another answer`);
      assert.equal(headers['portledger-replayed'], 'true');
      return;
    }
    sent.answer = answer;
    const count = answer.ranges.reduce((sum, range) => sum + range.count, 0);
    assert.ok(answer.ranges.length <= 1, 'a request was split');
    assert.equal(count, sent.ids.length);
    assert.deepEqual(
      answer.quarantined.map(({ position }) => position),
      [...sent.malformed.keys()],
    );
    this.#sent.push(sent);
    this.#unanswered = this.#unanswered.filter((one) => one !== sent);
  }

  noteSilence(sent: Sent): void {
    if (sent.answer !== undefined) return;
    this.#uncertain.push(sent);
    if (sent.key !== undefined && !this.#unanswered.includes(sent)) this.#unanswered.push(sent);
  }

  /** Reads back what is new, or all, and holds it against what was promised. Nobody may be sending. */
  async check(server: RunningServer, everything: boolean): Promise<void> {
    let size = 0;
    const seen = new Set<number>();
    for await (const row of server.records(everything ? 0 : this.#seenTo)) {
      const index = row['ledger.index'] as number;
      const id = String(row['event.id']);
      assert.ok(this.#known.has(id), `record ${index} was never sent: ${JSON.stringify(row)}`);
      for (const [name, value] of Object.entries(recordOf(id))) assert.equal(row[name], value, id);
      const place = this.#places.get(id);
      assert.ok(place === undefined || place === index, `${id} is at ${place} and at ${index}`);
      assert.ok(!seen.has(index), `index ${index} twice`);
      seen.add(index);
      this.#places.set(id, index);
      size = Math.max(size, index + 1);
    }
    if (everything) assert.equal(seen.size, this.#places.size, 'records are gone that were seen before');
    this.#seenTo = Math.max(this.#seenTo, size);
    for (const { ids, answer } of this.#sent) {
      if (answer === undefined) continue;
      const { first = 0 } = answer.ranges[0] ?? {};
      for (const [i, id] of ids.entries()) {
        assert.equal(
          this.#places.get(id),
          first + i,
          `acknowledged record ${id} is not where it was promised`,
        );
      }
    }
    for (const { ids } of this.#uncertain) {
      const found = ids.filter((id) => this.#places.has(id));
      assert.ok(found.length === 0 || found.length === ids.length, 'a request was kept in part');
    }
    this.#uncertain = [];
    if (everything) await this.#checkQuarantine(server);
  }

  async #checkQuarantine(server: RunningServer): Promise<void> {
    const found = new Map<string, number>();
    for (let cursor: number | undefined; ; ) {
      const query = cursor === undefined ? '' : `&cursor=${cursor}`;
      const { status, text } = await server.call(`/api/v1/quarantine?limit=1000${query}`);
      assert.equal(status, 200, text);
      const answer = JSON.parse(text) as { items: { content: string }[]; cursor?: number };
      for (const { content } of answer.items) found.set(content, (found.get(content) ?? 0) + 1);
      cursor = answer.cursor;
      if (cursor === undefined) break;
    }
    for (const [content, times] of found) assert.equal(times, 1, `${content} is there ${times} times`);
    for (const { malformed } of this.#sent) {
      for (const line of malformed.values()) assert.ok(found.has(line), `${line} is not in quarantine`);
    }
  }
}

/** What a record holds follows from its id. */
function recordOf(id: string): Record<string, string> {
  const digest = hash('sha256', id);
  return {
    '@timestamp': '2026-11-20T12:00:00.000000000Z',
    'event.id': id,
    'user.name': `user-${digest.slice(0, 4)}`,
    'url.path': `/${digest.repeat(1 + (digest.charCodeAt(0) % 6))}`,
  };
}

async function sendUntilKilled(
  server: RunningServer,
  promises: Promises,
  random: SeededRandom,
  killed: AbortSignal,
): Promise<void> {
  while (!killed.aborted) {
    const sent = promises.choose(random);
    let answer: Answer;
    try {
      answer = await server.send(sent.body, sent.key);
    } catch (error) {
      if (!killed.aborted) throw error;
      promises.noteSilence(sent);
      return;
    }
    promises.noteAnswer(sent, answer);
  }
}

/** Reading writes the other ledger. */
async function searchUntilKilled(server: RunningServer, killed: AbortSignal): Promise<void> {
  while (!killed.aborted) {
    try {
      assert.equal((await server.call('/api/v1/search?q=user:user-a*&limit=20')).status, 200);
    } catch (error) {
      if (!killed.aborted) throw error;
    }
  }
}

async function live(server: RunningServer, promises: Promises, random: SeededRandom): Promise<void> {
  const killing = new AbortController();
  const { signal } = killing;
  const load = Promise.all([
    ...Array.from({ length: SENDERS }, () => sendUntilKilled(server, promises, random.fork(), signal)),
    searchUntilKilled(server, signal),
  ]);
  await Promise.race([pause(random.below(LIFE_MS_MAX)), load]);
  killing.abort();
  await server.kill();
  await load;
}

/**
 * What a crash leaves is not damage, before anybody has recovered it too. There is one moment that the verifier cannot tell
 * from an older copy of the checkpoint, and it says so: between the anchor and the checkpoint of one publication.
 */
async function verifyKilled(home: Home): Promise<void> {
  const { ok, ledgers, problems } = await home.verify();
  const found = [...problems, ...ledgers.flatMap((ledger) => ledger.problems)].map(({ problem }) => problem);
  const isThatMoment = found.some((problem) => /the writer stopped at that moment/.test(problem));
  assert.ok(ok || isThatMoment, found.join('\n'));
}

test(`what was acknowledged survives kill -9, ${ROUNDS} times`, async (t) => {
  t.diagnostic(`KILL_SEED=${SEED} KILL_ROUNDS=${ROUNDS}`);
  const random = new SeededRandom(SEED);
  const promises = new Promises();
  await using home = new Home('kill');
  let answeredLate = 0;
  try {
    for (let round = 1; round <= ROUNDS; round++) {
      const isThorough = round % EVERYTHING_EVERY === 0;
      if (!isThorough && random.chance(0.2)) {
        const starting = home.launchServer();
        await pause(random.below(START_MS_MAX));
        await starting.kill();
        continue;
      }
      const server = await home.start();
      await promises.check(server, isThorough);
      if (isThorough) await home.expectVerified();
      await live(server, promises, random);
      if (isThorough) await verifyKilled(home);
    }

    const server = await home.start();
    for (const sent of [...promises.unanswered]) {
      for (let times = 0; times < 2; times++)
        promises.noteAnswer(sent, await server.send(sent.body, sent.key));
      answeredLate++;
      const other = await server.send(`${sent.body}${JSON.stringify(recordOf('never kept'))}\n`, sent.key);
      assert.equal(other.status, 422, 'the same key with another body');
    }
    await promises.check(server, true);
    await home.expectVerified();
    assert.equal((await server.stop()).code, 0);
    await home.expectVerified();
  } catch (error) {
    console.error(`Failed with KILL_SEED=${SEED} KILL_ROUNDS=${ROUNDS}`);
    throw error;
  }
  t.diagnostic(`${promises.acknowledged} records acknowledged, ${answeredLate} requests answered at the end`);
});
