// Realistic records for benchmarks and tests: one access to an internal HTTPS port each, 25 fields when stored (24 as sent
// and the moment of acceptance), about 760 bytes. Names and numbers repeat the way they do in a company (few services,
// some users, many client ports); `network.community_id` and `trace.id` are unique and do not compress.
//
// The same seed gives the same records on every machine.

import { communityId } from '../src/event/community-id.ts';
import { formatIp } from '../src/event/ip.ts';

export type SampleRecord = Record<string, string | number | boolean>;

export const SAMPLE_START = Date.parse('2026-11-20T08:00:00Z');

const SERVICES = [
  { name: 'payments', port: 8443, host: 'payments.internal' },
  { name: 'ledger-api', port: 9443, host: 'ledger-api.internal' },
  { name: 'identity', port: 8444, host: 'id.internal' },
  { name: 'orders', port: 8445, host: 'orders.internal' },
  { name: 'reporting', port: 9090, host: 'reporting.internal' },
  { name: 'warehouse', port: 5433, host: 'dwh.internal' },
] as const;
const PATHS = [
  '/v1/payments',
  '/v1/payments/refund',
  '/v1/accounts',
  '/healthz',
  '/v2/orders',
  '/v2/orders/export',
  '/token',
];
const METHODS = ['GET', 'GET', 'GET', 'POST', 'POST', 'PUT', 'DELETE'];
const STATUSES = [200, 200, 200, 200, 201, 204, 302, 401, 403, 404, 500];
const CIPHERS = ['TLS_AES_256_GCM_SHA384', 'TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256'];

export function sampleRecords(count: number, seed = 1): SampleRecord[] {
  const random = mulberry32(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  // The minimum of two draws prefers the front: some users and clients are much busier than others.
  const skewed = (limit: number): number => Math.min(below(limit), below(limit));
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;

  let nanoseconds = BigInt(SAMPLE_START) * 1_000_000n;
  return Array.from({ length: count }, () => {
    nanoseconds += BigInt(below(4_000_000));
    const service = pick(SERVICES);
    const client = skewed(600);
    const source = Uint8Array.of(10, 20, client >> 8, client & 0xff);
    const destination = Uint8Array.of(10, 30, 0, 10 + SERVICES.indexOf(service));
    const sourcePort = 32_768 + below(28_232);
    const status = pick(STATUSES);
    const path = pick(PATHS);
    return {
      '@timestamp': timestamp(nanoseconds),
      'record.kind': 'request',
      'event.action': 'access',
      'event.outcome': status < 400 ? 'success' : 'failure',
      'event.duration': 50_000 + below(40_000_000),
      'user.name': `svc-${skewed(200).toString().padStart(3, '0')}`,
      'user.proof': 'mtls',
      'source.ip': formatIp(source),
      'source.port': sourcePort,
      'source.bytes': 200 + below(4_000),
      'destination.ip': formatIp(destination),
      'destination.port': service.port,
      'destination.bytes': 100 + below(60_000),
      'destination.service': service.name,
      'network.transport': 'tcp',
      'network.community_id': communityId(6, source, sourcePort, destination, service.port)!,
      'tls.version': below(10) === 0 ? '1.2' : '1.3',
      'tls.cipher': pick(CIPHERS),
      'tls.client.server_name': service.host,
      'http.request.method': pick(METHODS),
      'url.path': path === '/healthz' ? path : `${path}/${below(5_000)}`,
      'http.response.status_code': status,
      'trace.id': hex(random, 32),
      'observer.name': 'edge-1',
    };
  });
}

/** The same records as a body of newline-delimited JSON, in the order in which a sender writes its fields. */
export function sampleNdjson(count: number, seed = 1): Uint8Array<ArrayBuffer> {
  const lines = sampleRecords(count, seed).map((record) => `${JSON.stringify(record)}\n`);
  return new TextEncoder().encode(lines.join(''));
}

function timestamp(nanoseconds: bigint): string {
  const date = new Date(Number(nanoseconds / 1_000_000_000n) * 1000).toISOString();
  return `${date.slice(0, 19)}.${String(nanoseconds % 1_000_000_000n).padStart(9, '0')}Z`;
}

function hex(random: () => number, digits: number): string {
  let text = '';
  while (text.length < digits)
    text += Math.floor(random() * 65_536)
      .toString(16)
      .padStart(4, '0');
  return text;
}

/** A small generator with 32 bits of state (Tommy Ettinger, public domain): speed and repeatability, no secrecy. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
