// The walk through content between two places of the signed tree: what it is given, and what it says afterwards.

import type { EpochFact } from './check-sealed.ts';
import type { Difference, Problem } from './report.ts';
import type { SegmentInfo } from './segments.ts';

/** A place in the content where the signed tree says what the chain is. */
export interface Anchor {
  readonly index: number;
  readonly segment: number;
  readonly offset: number;
  /** Hex. */
  readonly chain: string;
}

/** Before the first segment's header. */
export const BEGINNING: Anchor = { index: 0, segment: 1, offset: 0, chain: '00'.repeat(32) };

export interface SpanTask {
  readonly kind: 'span';
  readonly ledger: string;
  readonly origin: string;
  /** Of the tree. */
  readonly size: number;
  readonly from: Anchor;
  /** Undefined: up to the end of the last segment. */
  readonly to: Anchor | undefined;
  /** The segments that exist, from the one of `from` to the one of `to`. */
  readonly segments: readonly SegmentInfo[];
  /** The epoch open at `from`, and those opened before `to`. */
  readonly epochs: readonly EpochFact[];
  /** False where a bundle before `to` could not be read, so that there may be more epochs. */
  readonly epochsAreAll: boolean;
}

export interface MissingContent {
  readonly firstSegment: number;
  readonly lastSegment: number;
  readonly epochs: readonly number[];
  readonly from: number;
  readonly to: number;
}

/** Filled in on the way. */
export interface SpanResult {
  readonly problems: Problem[];
  /** Between frames and bundles. */
  readonly differences: Difference[];
  readonly notes: string[];
  readonly missing: MissingContent[];
  frames: number;
  decrypted: number;
  bytes: number;
  /** Size that a checkpoint must have once what was found behind this one is published; 0 where nothing says so. */
  publishing: number;
  /** The same as the content entry before the last one says; 0 where there is at most one behind the checkpoint. */
  publishedBefore: number;
  /** Index that the entry after the last frame of the log has; 0 where the span does not go there. */
  end: number;
  /** Epochs that were opened, or hold content, behind the checkpoint. */
  readonly lateEpochs: number[];
}

export function emptySpanResult(): SpanResult {
  const counted = { frames: 0, decrypted: 0, bytes: 0, publishing: 0, publishedBefore: 0, end: 0 };
  return { problems: [], differences: [], notes: [], missing: [], lateEpochs: [], ...counted };
}
