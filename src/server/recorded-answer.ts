// Answers that leave a trace. Their custody entries surround them:
//
//   begin durable → first byte … last byte → end durable → the answer's end
//
// A reader therefore never gets data without a begin entry, and never a complete answer without its end entry. Where the end
// cannot be written a streamed answer is cut off, which a reader notices, and a whole one is not sent.

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Act, CustodyEntry } from '../access/custody-journal.ts';
import type { ServerContext } from './context.ts';

export interface Chunk {
  readonly bytes: Uint8Array;
  /** How many records are in these bytes. */
  readonly rows: number;
}

export interface WholeAnswer {
  readonly body: Uint8Array | string;
  readonly rows: number;
}

type Recording = Pick<ServerContext, 'journal' | 'metrics' | 'logger'>;

/** Bytes that may wait for a slow reader; the source is not asked for more until they are gone. */
const STREAM_BYTES_WAITING = 256 * 1024;

export interface StreamedAnswer {
  readonly act: Act;
  /** Started once the begin entry is durable, with that entry's index. */
  readonly chunks: (beginIndex: number) => AsyncIterable<Chunk>;
  /** Aborted when the reader is gone. */
  readonly gone: AbortSignal;
  /** The reader's leaving is how it ends: nothing is missing then. */
  readonly isEndless: boolean;
}

export async function streamRecorded(recording: Recording, answer: StreamedAnswer): Promise<Readable> {
  const entry = await recording.journal.begin(answer.act);
  return Readable.from(recorded(recording, answer, entry), {
    objectMode: false,
    highWaterMark: STREAM_BYTES_WAITING,
  });
}

async function* recorded(
  recording: Recording,
  { act, chunks, gone, isEndless }: StreamedAnswer,
  entry: CustodyEntry,
): AsyncGenerator<Uint8Array> {
  const digest = createHash('sha256');
  let rows = 0;
  // What holds when nobody asks for the rest.
  let reason: string | undefined = READER_GONE;
  try {
    for await (const chunk of chunks(entry.index)) {
      digest.update(chunk.bytes);
      rows += chunk.rows;
      yield chunk.bytes;
    }
    if (!gone.aborted) reason = undefined;
  } catch (error) {
    reason = 'an error on our side ended the answer';
    recording.logger.error({ err: error, action: act.action }, 'answer ended by an error');
    throw error;
  } finally {
    const ending = { rows, digest: digest.digest('hex') };
    if (reason === undefined || (isEndless && reason === READER_GONE)) {
      await endAs(recording, act, entry, { outcome: 'success', ...ending });
    } else {
      // The answer is lost already; that its end is lost too has been logged and counted.
      await endAs(recording, act, entry, { outcome: 'failure', reason, ...ending }).catch(() => {});
    }
  }
}

const READER_GONE = 'the reader went away before the end';

/** The body, once both entries are durable. */
export async function answerRecorded(
  recording: Recording,
  act: Act,
  produce: (beginIndex: number) => Promise<WholeAnswer>,
): Promise<Buffer> {
  const entry = await recording.journal.begin(act);
  let answer: WholeAnswer;
  try {
    answer = await produce(entry.index);
  } catch (error) {
    const reason = (error as { code?: unknown }).code;
    await endAs(recording, act, entry, {
      outcome: 'failure',
      rows: 0,
      reason: typeof reason === 'string' ? reason : 'an error on our side',
    }).catch(() => {});
    throw error;
  }
  const body = Buffer.from(answer.body as string);
  const digest = createHash('sha256').update(body).digest('hex');
  await endAs(recording, act, entry, { outcome: 'success', rows: answer.rows, digest });
  return body;
}

async function endAs(
  recording: Recording,
  act: Act,
  entry: CustodyEntry,
  ending: Parameters<CustodyEntry['end']>[0],
): Promise<void> {
  recording.metrics.readings.inc({ action: act.action, outcome: ending.outcome });
  try {
    await entry.end(ending);
  } catch (error) {
    recording.metrics.custodyLost.inc();
    recording.logger.error({ err: error, action: act.action, begin: entry.index }, 'custody end entry lost');
    throw error;
  }
}
