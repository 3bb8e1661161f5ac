// Small files of our own that people may look at: canonical JSON with a line feed, and a `check` member, the first 8 bytes of
// SHA-256 over the same JSON without it. It notices accidents and careless edits without any key; it stops nobody who means harm,
// which is what the ledger's signed tree is for.

import { hash } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { canonicalText, type JsonValue } from '../event/canonical.ts';

export type JsonObject = { readonly [name: string]: JsonValue };

export function encodeCheckedJson(members: JsonObject): Buffer {
  const check = hash('sha256', canonicalText(members), 'hex').slice(0, 16);
  return Buffer.from(`${canonicalText({ ...members, check })}\n`, 'utf8');
}

/** The members without `check`, or undefined where the bytes are not such a file. */
export function parseCheckedJson(bytes: Uint8Array): JsonObject | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { check: _, ...members } = value as { [name: string]: JsonValue };
  return encodeCheckedJson(members).equals(bytes) ? members : undefined;
}

export function readCheckedJson(disk: Disk, path: string): JsonObject | undefined {
  const bytes = disk.readFile(path);
  if (bytes === undefined) return undefined;
  const members = parseCheckedJson(bytes);
  if (members === undefined) {
    throw new Error(
      `Cannot read "${path}": its check does not match its content, expected the file as Portledger wrote it. Restore it from a backup.`,
    );
  }
  return members;
}
