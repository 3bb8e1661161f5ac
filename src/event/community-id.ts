// Community ID v1 (github.com/corelight/community-id-spec): the same short text for both directions of a flow at every
// sensor, so that records of different tools about one connection meet.
//
//   "1:" ‖ base64(SHA-1(seed[2] ‖ address A ‖ address B ‖ protocol[1] ‖ 0x00 ‖ port A[2] ‖ port B[2]))
//
// The endpoint that is smaller by (address, port) is A. ICMP has no ports: a message type that has an answer stands in for
// one port and the answer's type for the other; a message without an answer keeps (type, code) and its direction.
// Protocols that have neither hash without the last four bytes. SHA-1 is the specification's choice; nothing here relies
// on it to resist anybody.

import { hash } from 'node:crypto';

const TCP = 6;
const UDP = 17;
const SCTP = 132;
const ICMP = 1;
const ICMP6 = 58;

/** IANA protocol numbers of the transports that records name and that have a flow identifier. */
const PROTOCOLS: Readonly<Record<string, number>> = {
  tcp: TCP,
  udp: UDP,
  sctp: SCTP,
  icmp: ICMP,
  icmp6: ICMP6,
  icmpv6: ICMP6,
  'ipv6-icmp': ICMP6,
};

const ICMP_ANSWERS: ReadonlyMap<number, number> = pairs([
  [8, 0], // echo
  [13, 14], // timestamp
  [15, 16], // information
  [10, 9], // router solicitation
  [17, 18], // address mask
]);

const ICMP6_ANSWERS: ReadonlyMap<number, number> = pairs([
  [128, 129], // echo
  [133, 134], // router solicitation
  [135, 136], // neighbour solicitation
  [130, 131], // multicast listener
  [139, 140], // node information
  [144, 145], // home agent discovery
]);

export function protocolNumber(transport: string): number | undefined {
  return Object.hasOwn(PROTOCOLS, transport) ? PROTOCOLS[transport] : undefined;
}

/**
 * Undefined where the flow has no identifier: addresses of two families, or a number that is no IP protocol. For ICMP
 * `sourcePort` is the message type and `destinationPort` the code (or the answer's type, which is then the same).
 */
export function communityId(
  protocol: number,
  source: Uint8Array,
  sourcePort: number,
  destination: Uint8Array,
  destinationPort: number,
  seed = 0,
): string | undefined {
  if (source.length !== destination.length || protocol < 0 || protocol > 255) return undefined;
  let proto = protocol;
  let port = destinationPort;
  let oneWay = false;
  let hasPorts = proto === TCP || proto === UDP || proto === SCTP;
  if (proto === ICMP || proto === ICMP6) {
    // Sensors that only say "icmp" mean the one that belongs to the addresses.
    proto = source.length === 4 ? ICMP : ICMP6;
    const answer = (proto === ICMP ? ICMP_ANSWERS : ICMP6_ANSWERS).get(sourcePort);
    oneWay = answer === undefined;
    port = answer ?? destinationPort;
    hasPorts = true;
  }
  const order = compare(source, destination);
  const turned = !oneWay && (order > 0 || (order === 0 && sourcePort > port));

  const width = source.length;
  const message = new Uint8Array(2 + 2 * width + 2 + (hasPorts ? 4 : 0));
  writeUint16(message, 0, seed);
  message.set(turned ? destination : source, 2);
  message.set(turned ? source : destination, 2 + width);
  message[2 + 2 * width] = proto;
  if (hasPorts) {
    writeUint16(message, 4 + 2 * width, turned ? port : sourcePort);
    writeUint16(message, 6 + 2 * width, turned ? sourcePort : port);
  }
  return `1:${hash('sha1', message, 'base64')}`;
}

/** Addresses of one length, in network byte order. */
function compare(a: Uint8Array, b: Uint8Array): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at === a.length ? 0 : a[at]! - b[at]!;
}

function writeUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 0xff;
}

function pairs(list: readonly (readonly [number, number])[]): Map<number, number> {
  return new Map(
    list.flatMap(([request, answer]) => [[request, answer] as const, [answer, request] as const]),
  );
}
