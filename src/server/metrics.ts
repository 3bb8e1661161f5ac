// What `/metrics` says. Labels have few values, all from our own code: no names, addresses or paths of others.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Ledger } from '../ledger/ledger.ts';

export interface Metrics {
  readonly registry: Registry;
  readonly accepted: Counter;
  readonly quarantined: Counter;
  readonly bodyBytes: Counter;
  readonly refused: Counter<'reason'>;
  readonly readings: Counter<'action' | 'outcome'>;
  readonly denials: Counter<'status'>;
  readonly custodyLost: Counter;
  readonly tlsFailures: Counter;
  readonly appendSeconds: Histogram;
}

export function createMetrics(ledgers: Iterable<Ledger>, queuedBytes: () => number): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const counter = (name: string, help: string) =>
    new Counter({ name: `portledger_${name}`, help, registers });
  const all = [...ledgers];
  const perLedger = (name: string, help: string, value: (ledger: Ledger) => number) =>
    new Gauge({
      name: `portledger_ledger_${name}`,
      help,
      registers,
      labelNames: ['ledger'],
      collect() {
        for (const ledger of all) this.set({ ledger: ledger.name }, value(ledger));
      },
    });
  perLedger('size', 'Durable entries.', (ledger) => ledger.status().size);
  perLedger('published', 'Entries under the signed checkpoint.', (ledger) => ledger.status().published);
  perLedger('lag', 'Durable entries that are not published yet.', (ledger) => {
    const { size, published } = ledger.status();
    return size - published;
  });
  perLedger('stopped', '1 when the writer has stopped.', (ledger) => (ledger.status().stopped ? 1 : 0));
  perLedger('queued_bytes', 'Bytes that wait for the writer.', (ledger) => ledger.status().queuedBytes);
  new Gauge({
    name: 'portledger_intake_bytes_in_flight',
    help: 'Bytes of request bodies in memory.',
    registers,
    collect() {
      this.set(queuedBytes());
    },
  });
  return {
    registry,
    accepted: counter('records_accepted_total', 'Records that became durable.'),
    quarantined: counter(
      'items_quarantined_total',
      'Items that were kept apart because they are no records.',
    ),
    bodyBytes: counter('body_bytes_total', 'Bytes of accepted request bodies, decompressed.'),
    refused: new Counter({
      name: 'portledger_requests_refused_total',
      help: 'Requests with records that were refused as a whole.',
      registers,
      labelNames: ['reason'],
    }),
    readings: new Counter({
      name: 'portledger_readings_total',
      help: 'Acts recorded in the custody ledger.',
      registers,
      labelNames: ['action', 'outcome'],
    }),
    denials: new Counter({
      name: 'portledger_denials_total',
      help: 'Requests without the right to what they asked for.',
      registers,
      labelNames: ['status'],
    }),
    custodyLost: counter('custody_entries_lost_total', 'Denials and endings that could not be recorded.'),
    tlsFailures: counter('tls_failures_total', 'TLS handshakes that failed at the API.'),
    appendSeconds: new Histogram({
      name: 'portledger_append_seconds',
      help: 'From the end of a body to its records being durable.',
      registers,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    }),
  };
}
