// IP addresses as bit strings, so that "in this network" is "begins with these bits". IPv4 addresses written as IPv6
// (`::ffff:10.0.0.1`) are the IPv4 addresses they are.

const IPV4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;
const MAPPED = `${'0'.repeat(80)}${'1'.repeat(16)}`;

/** 32 or 128 characters `0` and `1`; undefined when the text is no address. */
export function addressBits(text: string): string | undefined {
  const parts = IPV4.exec(text);
  if (parts) return ipv4Bits(parts.slice(1));
  if (text.length > 45 || !text.includes(':')) return undefined;
  const bits = ipv6Bits(text);
  return bits?.startsWith(MAPPED) ? bits.slice(96) : bits;
}

function ipv4Bits(octets: readonly string[]): string | undefined {
  let bits = '';
  for (const octet of octets) {
    if (Number(octet) > 255 || (octet.length > 1 && octet.startsWith('0'))) return undefined;
    bits += Number(octet).toString(2).padStart(8, '0');
  }
  return bits;
}

function ipv6Bits(text: string): string | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groupBits(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? groupBits(halves[1]!, true) : '';
  if (head === undefined || tail === undefined) return undefined;
  const missing = 128 - head.length - tail.length;
  // "::" stands for at least one group.
  if (halves.length === 1 ? missing !== 0 : missing < 16) return undefined;
  return head + '0'.repeat(missing) + tail;
}

function groupBits(text: string, isEnd: boolean): string | undefined {
  if (text === '') return '';
  const groups = text.split(':');
  let bits = '';
  for (const [position, group] of groups.entries()) {
    const dotted = isEnd && position === groups.length - 1 ? IPV4.exec(group) : null;
    const added = dotted
      ? ipv4Bits(dotted.slice(1))
      : /^[0-9a-fA-F]{1,4}$/.test(group)
        ? Number.parseInt(group, 16).toString(2).padStart(16, '0')
        : undefined;
    if (added === undefined) return undefined;
    bits += added;
  }
  return bits;
}

export interface Network {
  /** The network's bits; an address belongs to it when it has `bits` bits and begins with them. */
  readonly prefix: string;
  /** 32 or 128. */
  readonly bits: number;
}

/** `10.0.0.0/8`, `fe80::/10`; bits beyond the prefix are ignored, as people write `10.1.2.3/8`. */
export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = addressBits(text.slice(0, slash));
  const length = text.slice(slash + 1);
  if (address === undefined || !/^\d{1,3}$/.test(length) || Number(length) > address.length) return undefined;
  return { prefix: address.slice(0, Number(length)), bits: address.length };
}
