// The requests of one frame: what is new among them, and what each will be answered once the frame is durable.

import { hash } from 'node:crypto';
import { SALT_BYTES } from '../event/batch.ts';
import { canonicalJson } from '../event/canonical.ts';
import type { SlabItems } from '../sealed/seal-frame.ts';
import type { RequestNote } from './request-journal.ts';
import type { RememberedRequest } from './request-memory.ts';

export interface QuarantineNote {
  readonly position: number;
  readonly reason: string;
}

/** One request as it reaches the writer. Its slab is the writer's to write salts into. */
export interface AppendRequest {
  readonly items: SlabItems;
  readonly quarantined: readonly (QuarantineNote & { readonly raw: Uint8Array })[];
  /** 16-byte digests of principal and idempotency key, and of the body. */
  readonly idempotency?: { readonly key: Uint8Array; readonly body: Uint8Array } | undefined;
}

export type Outcome =
  | {
      readonly kind: 'accepted';
      readonly first: number;
      readonly count: number;
      readonly quarantined: readonly QuarantineNote[];
      readonly replayed: boolean;
    }
  /** The key was used before with another body. */
  | { readonly kind: 'key-reused' };

/** What will have become of a request, once the index of its frame's first record is known. */
type Pending = (firstRecord: number) => Outcome;

interface Seen {
  readonly body: Uint8Array;
  readonly pending: Pending;
}

/** What is known of earlier requests. */
export interface EarlierRequests {
  find(key: Uint8Array, nowMs: number): RememberedRequest | undefined;
  quarantinedOf(request: RememberedRequest): readonly QuarantineNote[];
}

export class AppendGroup {
  readonly records: SlabItems[] = [];
  readonly quarantined: SlabItems[] = [];
  readonly notes: RequestNote[] = [];
  recordCount = 0;
  quarantinedCount = 0;
  readonly #seen = new Map<string, Seen>();

  get isEmpty(): boolean {
    return this.recordCount + this.quarantinedCount === 0;
  }

  add(request: AppendRequest, earlier: EarlierRequests, now: Date): Pending {
    const { idempotency } = request;
    if (idempotency === undefined) return this.#take(request, now);
    const remembered = earlier.find(idempotency.key, now.getTime());
    if (remembered !== undefined) {
      if (Buffer.compare(remembered.body, idempotency.body) !== 0) return () => ({ kind: 'key-reused' });
      const { first, count } = remembered;
      const quarantined = remembered.hasQuarantined ? earlier.quarantinedOf(remembered) : [];
      return () => ({ kind: 'accepted', first, count, quarantined, replayed: true });
    }
    const key = Buffer.from(idempotency.key).toString('latin1');
    const seen = this.#seen.get(key);
    if (seen !== undefined) {
      if (Buffer.compare(seen.body, idempotency.body) !== 0) return () => ({ kind: 'key-reused' });
      return (firstRecord) => ({ ...seen.pending(firstRecord), replayed: true }) as Outcome;
    }
    const offset = this.recordCount;
    const pending = this.#take(request, now);
    this.#seen.set(key, { body: idempotency.body, pending });
    this.notes.push({
      key: Buffer.from(idempotency.key).toString('hex'),
      body: Buffer.from(idempotency.body).toString('hex'),
      offset,
      count: request.items.starts.length,
      quarantined: withoutRaw(request.quarantined),
      time: now.getTime(),
    });
    return pending;
  }

  #take({ items, quarantined }: AppendRequest, now: Date): Pending {
    const offset = this.recordCount;
    const count = items.starts.length;
    if (count > 0) this.records.push(items);
    this.recordCount += count;
    if (quarantined.length > 0) this.quarantined.push(encodeQuarantined(quarantined, now));
    this.quarantinedCount += quarantined.length;
    const notes = withoutRaw(quarantined);
    return (firstRecord) => ({
      kind: 'accepted',
      first: firstRecord + offset,
      count,
      quarantined: notes,
      replayed: false,
    });
  }
}

/** 16 bytes are enough to tell a million keys apart, and keep a million of them in 64 MB. */
export function requestDigest(...parts: readonly (string | Uint8Array)[]): Buffer {
  const lengthsAndParts = parts.flatMap((part) => {
    const bytes = Buffer.from(part as Uint8Array);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return [length, bytes];
  });
  return hash('sha256', Buffer.concat(lengthsAndParts), 'buffer').subarray(0, 16);
}

function withoutRaw(items: AppendRequest['quarantined']): QuarantineNote[] {
  return items.map(({ position, reason }) => ({ position, reason }));
}

function encodeQuarantined(items: AppendRequest['quarantined'], now: Date): SlabItems {
  const texts = items.map(({ position, reason, raw }) =>
    canonicalJson({
      position,
      raw: Buffer.from(raw).toString('base64'),
      reason,
      received: now.toISOString(),
    }),
  );
  const starts = new Uint32Array(texts.length);
  const ends = new Uint32Array(texts.length);
  let at = 0;
  for (const [i, text] of texts.entries()) {
    starts[i] = at + SALT_BYTES;
    at += SALT_BYTES + text.length;
    ends[i] = at;
  }
  const slab = new Uint8Array(at);
  for (const [i, text] of texts.entries()) slab.set(text, starts[i]!);
  return { slab, starts, ends };
}
