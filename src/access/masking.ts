// What somebody sees who may read records but not personal values: keyed tokens such as `[user.name:9f3c41d06be2a715]`
// instead. The same value has the same token throughout the installation, so that one person's records can be told from
// another's. Without the key, a token alone cannot be tried against a list of names. Somebody who may search can try one all the
// same, by searching for the exact names: finding a known person's records is what the role is for.

import { createHmac } from 'node:crypto';
import type { FlatRecord } from '../event/canonical.ts';
import { fieldNamed } from '../event/fields.ts';

/** Of 64 bits: no two values of one installation share one by accident. */
const TOKEN_DIGITS = 16;

/** The original line is masked whole: it repeats the values of all the other masked fields. */
export function isMasked(field: string): boolean {
  return field === 'event.original' || fieldNamed(field)?.masked === true;
}

export class Masking {
  readonly #key: Uint8Array;

  /** `key`: 32 secret bytes of the installation. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  token(field: string, value: string): string {
    const mac = createHmac('sha256', this.#key).update(`${field}\0${value}`).digest('hex');
    return `[${field}:${mac.slice(0, TOKEN_DIGITS)}]`;
  }

  mask(record: FlatRecord): FlatRecord {
    const masked: Record<string, string | number | boolean> = {};
    for (const [field, value] of Object.entries(record)) {
      masked[field] = isMasked(field) ? this.token(field, String(value)) : value;
    }
    return masked;
  }
}
