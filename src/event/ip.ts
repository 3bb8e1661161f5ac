// IP addresses: text to bytes and back. One address has one spelling: IPv4 dotted, IPv6 as in RFC 5952, and an IPv4-mapped
// IPv6 address (::ffff:192.0.2.1), which is how a dual-stack socket names an IPv4 peer, is the IPv4 address.

/** The address as it is written in records, or undefined where the text is not an address. */
export function normaliseIp(text: string): string | undefined {
  if (V4.test(text)) return text;
  const bytes = parseIp(text);
  return bytes === undefined ? undefined : formatIp(bytes);
}

/**
 * 4 or 16 bytes, or undefined. A zone (fe80::1%eth0) is accepted and dropped: it names an interface of the sender, not a
 * part of the address. Octets with leading zeros are refused, because some systems read them as octal.
 */
export function parseIp(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length > TEXT_MAX) return undefined;
  if (!text.includes(':')) return parseV4(text);
  const zone = text.indexOf('%');
  const bytes = parseV6(zone === -1 ? text : text.slice(0, zone));
  return bytes !== undefined && isV4Mapped(bytes) ? bytes.slice(12) : bytes;
}

const V4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

// The longest address is 45 characters; interface names are at most 15.
const TEXT_MAX = 64;

export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups: number[] = [];
  for (let at = 0; at < 16; at += 2) groups.push((bytes[at]! << 8) | bytes[at + 1]!);
  const gap = longestZeroRun(groups);
  const hex = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  if (gap === undefined) return hex(0, 8);
  return `${hex(0, gap.from)}::${hex(gap.to, 8)}`;
}

function parseV4(text: string): Uint8Array<ArrayBuffer> | undefined {
  return V4.test(text) ? Uint8Array.from(text.split('.'), Number) : undefined;
}

function parseV6(text: string): Uint8Array<ArrayBuffer> | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 1 ? [] : parseGroups(halves[1]!, true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const bytes = new Uint8Array(16);
  head.forEach((group, index) => {
    writeGroup(bytes, index, group);
  });
  tail.forEach((group, index) => {
    writeGroup(bytes, 8 - tail.length + index, group);
  });
  return bytes;
}

function writeGroup(bytes: Uint8Array, index: number, group: number): void {
  bytes[2 * index] = group >> 8;
  bytes[2 * index + 1] = group & 0xff;
}

/** The 16-bit groups of one side of `::`; only the address's end may hold a dotted IPv4 address. */
function parseGroups(text: string, endsAddress: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const v4 = endsAddress && index === parts.length - 1 ? parseV4(part) : undefined;
    if (v4 === undefined) return undefined;
    groups.push((v4[0]! << 8) | v4[1]!, (v4[2]! << 8) | v4[3]!);
  }
  return groups;
}

function isV4Mapped(bytes: Uint8Array): boolean {
  for (let at = 0; at < 10; at++) if (bytes[at] !== 0) return false;
  return bytes[10] === 0xff && bytes[11] === 0xff;
}

/** RFC 5952, section 4.2: the longest run of two or more zero groups, the first of equals. */
function longestZeroRun(groups: readonly number[]): { from: number; to: number } | undefined {
  let best: { from: number; to: number } | undefined;
  for (let from = 0; from < 8; from++) {
    let to = from;
    while (to < 8 && groups[to] === 0) to++;
    if (to - from >= 2 && to - from > (best === undefined ? 0 : best.to - best.from)) best = { from, to };
    if (to > from) from = to;
  }
  return best;
}
