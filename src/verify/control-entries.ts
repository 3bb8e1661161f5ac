// Control entries (docs/formats.md, section 2), as far as checking a log needs to understand them.

import { parseHex } from '../bytes/hex.ts';
import type { ProblemFound } from '../bytes/problem.ts';
import { canonicalText, type JsonValue } from '../event/canonical.ts';
import { SEGMENT_HEADER_BYTES } from '../sealed/segment-header.ts';

export type ControlEntry =
  | {
      readonly type: 'epoch-opened';
      readonly epoch: number;
      readonly name: string;
      readonly keyCheck: string;
    }
  | { readonly type: 'content'; readonly segment: number; readonly offset: number; readonly chain: string }
  | { readonly type: 'key-destroyed'; readonly epoch: number }
  | { readonly type: 'segment-replaced'; readonly segment: number }
  | { readonly type: 'other' };

const OTHER_TYPES = new Set(['adopted', 'policy', 'hold', 'gap', 'previous-head']);

export function parseControlBody(bytes: Uint8Array): ControlEntry | ProblemFound {
  const body = parseCanonicalObject(bytes);
  if (body === undefined) return { problem: 'the control entry is not canonical JSON' };
  if (body.v !== 1) return { problem: `the control entry has version ${JSON.stringify(body.v)}, expected 1` };
  switch (body.type) {
    case 'epoch-opened': {
      const { epoch, name, keyCheck, opened } = body;
      if (
        !isWhole(epoch, 1) ||
        typeof name !== 'string' ||
        typeof opened !== 'string' ||
        !isDigest(keyCheck)
      ) {
        return { problem: 'the epoch-opened entry lacks a member' };
      }
      return { type: 'epoch-opened', epoch, name, keyCheck };
    }
    case 'content': {
      const { segment, offset, chain } = body;
      if (!isWhole(segment, 1) || !isWhole(offset, SEGMENT_HEADER_BYTES) || !isDigest(chain)) {
        return { problem: 'the content entry lacks a member' };
      }
      return { type: 'content', segment, offset, chain };
    }
    case 'key-destroyed':
      if (!isWhole(body.epoch, 1)) return { problem: 'the key-destroyed entry names no epoch' };
      return { type: 'key-destroyed', epoch: body.epoch };
    case 'segment-replaced':
      if (!isWhole(body.segment, 1)) return { problem: 'the segment-replaced entry names no segment' };
      return { type: 'segment-replaced', segment: body.segment };
    default:
      if (typeof body.type === 'string' && OTHER_TYPES.has(body.type)) return { type: 'other' };
      return { problem: `the control entry has the unknown type ${JSON.stringify(body.type)?.slice(0, 60)}` };
  }
}

/** The object that these bytes are the canonical spelling of. */
export function parseCanonicalObject(bytes: Uint8Array): { readonly [name: string]: JsonValue } | undefined {
  let value: JsonValue;
  try {
    value = JSON.parse(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'),
    ) as JsonValue;
    if (!Buffer.from(canonicalText(value), 'utf8').equals(bytes)) return undefined;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return value as { readonly [name: string]: JsonValue };
}

function isWhole(value: JsonValue | undefined, min: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min;
}

function isDigest(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && parseHex(value)?.length === 32;
}
