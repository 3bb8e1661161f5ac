// Networks of IP addresses: `10.0.0.0/8`, `fe80::/10`.

import { parseIp } from '../event/ip.ts';

export interface Network {
  /** 4 or 16 bytes. Only an address of the same length can belong. */
  readonly address: Uint8Array;
  /** How many leading bits an address must share; all of them for a single address. */
  readonly bits: number;
}

/** An address alone is the network of itself; bits beyond the prefix are ignored, as people write `10.1.2.3/8`. */
export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/');
  const address = parseIp(slash < 0 ? text : text.slice(0, slash));
  if (!address) return undefined;
  if (slash < 0) return { address, bits: address.length * 8 };
  const bits = text.slice(slash + 1);
  return /^\d{1,3}$/.test(bits) && Number(bits) <= address.length * 8
    ? { address, bits: Number(bits) }
    : undefined;
}

export function networkHas(network: Network, text: string): boolean {
  const candidate = parseIp(text);
  if (candidate?.length !== network.address.length) return false;
  const whole = network.bits >> 3;
  for (let at = 0; at < whole; at++) if (candidate[at] !== network.address[at]) return false;
  const mask = 0xff00 >> (network.bits & 7);
  return ((candidate[whole] ?? 0) & mask & 0xff) === ((network.address[whole] ?? 0) & mask & 0xff);
}

export function isSingleAddress(network: Network): boolean {
  return network.bits === network.address.length * 8;
}
