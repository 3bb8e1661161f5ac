// Values of options and arguments, checked while the command line is parsed: what is wrong is named with its option and
// ends the command with exit code 2 before anything has happened.

import { InvalidArgumentError } from 'commander';

export function parseCount(text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1) throw new InvalidArgumentError('Expected a whole number from 1 on.');
  return value;
}

export function parseIndex(text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value))
    throw new InvalidArgumentError('Expected the index of an entry, from 0 on.');
  return value;
}

const DURATION_MS: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  y: 365 * 86_400_000,
};

/** `90d`, `12h`, `30m`, `2w`, `1y` in milliseconds. */
export function parseDuration(text: string): number {
  const parts = /^(\d{1,5})([mhdwy])$/.exec(text);
  const value = parts === null ? 0 : Number(parts[1]) * DURATION_MS[parts[2]!]!;
  if (value <= 0) throw new InvalidArgumentError('Expected a duration such as 90d, 12h, 30m, 2w or 1y.');
  return value;
}

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT`, `[IPv6]:PORT`. Port 0 lets the system choose. Undefined where it is neither. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const parts = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  if (parts === null) return undefined;
  const port = Number(parts[3]);
  return port > 65_535 ? undefined : { host: parts[1] ?? parts[2]!, port };
}

export function parseListenOption(text: string): ListenAddress {
  const address = parseListenAddress(text);
  if (address === undefined)
    throw new InvalidArgumentError('Expected HOST:PORT, for instance 127.0.0.1:8420.');
  return address;
}

/** For an option that may be given several times. */
export function collect(value: string, earlier: readonly string[] | undefined): string[] {
  return [...(earlier ?? []), value];
}
