// The plain template, for exchange with anything that can write one line of JSON. It is accepted as it stands (see
// `validate.ts`) and produced again here.

import type { FlatRecord } from './canonical.ts';

export interface PlainTemplate {
  readonly timestamp: string;
  readonly user: string | null;
  readonly src_port: number | null;
  readonly dest_port: number | null;
  readonly action: string | null;
  readonly src_ip?: string;
  readonly dest_ip?: string;
}

/** What the template can say about a record. Null is a value that the record does not have. */
export function toTemplate(record: FlatRecord): PlainTemplate {
  const sourceIp = text(record['source.ip']);
  const destinationIp = text(record['destination.ip']);
  return {
    timestamp: String(record['@timestamp']),
    user: text(record['user.name']),
    src_port: number(record['source.port']),
    dest_port: number(record['destination.port']),
    // Many sources only say how it ended.
    action: text(record['event.action']) ?? text(record['event.outcome']),
    ...(sourceIp === null ? {} : { src_ip: sourceIp }),
    ...(destinationIp === null ? {} : { dest_ip: destinationIp }),
  };
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function number(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
