// The ready file: written once every door is open, for scripts that wait for the server (`--ready-file`) and, as
// `server.json` in the state directory, for the commands that look for the running one. Fields may be added, not changed.

import { CommandError } from './command-error.ts';

export interface ReadyFile {
  /** `https://host:port` of API and console. */
  readonly api: string;
  readonly caFile: string;
  /** File with the first admin token, mode 0600. */
  readonly tokenFile: string;
  readonly data: string;
  readonly state: string;
  readonly pid: number;
  readonly version: string;
}

export function formatReadyFile(ready: ReadyFile): Uint8Array {
  return Buffer.from(`${JSON.stringify(ready, undefined, 2)}\n`);
}

export function parseReadyFile(bytes: Uint8Array, path: string): ReadyFile {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    parsed = undefined;
  }
  if (typeof parsed === 'object' && parsed !== null) {
    const { api, caFile, tokenFile, data, state, pid, version } = parsed as Record<string, unknown>;
    if (
      typeof api === 'string' &&
      typeof caFile === 'string' &&
      typeof tokenFile === 'string' &&
      typeof data === 'string' &&
      typeof state === 'string' &&
      typeof version === 'string' &&
      Number.isSafeInteger(pid) &&
      (pid as number) > 0
    ) {
      return { api, caFile, tokenFile, data, state, pid: pid as number, version };
    }
  }
  throw new CommandError(
    `Cannot read "${path}": it is not a ready file, expected what 'portledger up' writes. Remove it and start the server again.`,
  );
}
