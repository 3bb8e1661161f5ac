// Bodies of control entries (docs/formats.md, section 2): what the log says about itself, readable without any key.

import { canonicalJson, type JsonObject } from '../event/canonical.ts';
import { encodeEntry } from '../merkle/entry.ts';

export interface EpochOpenedBody {
  readonly type: 'epoch-opened';
  readonly epoch: number;
  readonly name: string;
  readonly opened: string;
  readonly keyCheck: string;
}

export interface ContentBody {
  readonly type: 'content';
  readonly segment: number;
  readonly offset: number;
  readonly chain: string;
}

export interface AdoptedBody {
  readonly type: 'adopted';
  readonly reason: string;
  readonly previousSize: number;
  readonly previousRoot: string;
}

export type ControlBody = EpochOpenedBody | ContentBody | AdoptedBody;

export function encodeControl(body: ControlBody): Uint8Array {
  return encodeEntry({ kind: 'control', body: canonicalJson({ ...body, v: 1 }) });
}

/** The body, or undefined for types that the writer has no use for and for what is not a body at all. */
export function parseControlBody(bytes: Uint8Array): ControlBody | undefined {
  let body: JsonObject;
  try {
    body = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
  switch (body?.type) {
    case 'epoch-opened':
      return Number.isSafeInteger(body.epoch) && typeof body.name === 'string'
        ? (body as unknown as EpochOpenedBody)
        : undefined;
    case 'content':
      return Number.isSafeInteger(body.segment) &&
        Number.isSafeInteger(body.offset) &&
        /^[0-9a-f]{64}$/.test(String(body.chain))
        ? (body as unknown as ContentBody)
        : undefined;
    case 'adopted':
      return body as unknown as AdoptedBody;
    default:
      return undefined;
  }
}
