// What has come from whom since the start: the quick answer to "is this sender still sending?". Kept in memory, because the
// ledger has the truth.

export interface SourceStatus {
  readonly observer: string;
  /** Since the start of this process. */
  readonly records: number;
  readonly quarantined: number;
  readonly bytes: number;
  /** When a request of it was last durable; ms since 1970. */
  readonly lastMs: number;
}

/** Senders are authenticated, so there are as many as tokens; this bounds what a mistake can cost. */
const SOURCES_MAX = 10_000;

export class SourceCounters {
  readonly #sources = new Map<string, SourceStatus>();

  count(observer: string, records: number, quarantined: number, bytes: number, nowMs: number): void {
    const before = this.#sources.get(observer);
    if (!before && this.#sources.size >= SOURCES_MAX) return;
    this.#sources.set(observer, {
      observer,
      records: (before?.records ?? 0) + records,
      quarantined: (before?.quarantined ?? 0) + quarantined,
      bytes: (before?.bytes ?? 0) + bytes,
      lastMs: nowMs,
    });
  }

  list(): SourceStatus[] {
    return [...this.#sources.values()].sort((a, b) => (a.observer < b.observer ? -1 : 1));
  }
}
