// Access tokens.
//
//   plt_<id: 10 characters a-z2-7>_<secret: 43 characters base64url, 32 random bytes>
//
// The id is no secret: it names the token in lists, logs and custody entries, and finds its row. Of the secret only the
// SHA-256 is kept: with 256 random bits there is nothing to guess, so a slow password hash would only slow the door down.
// The prefix lets secret scanners recognise a token that was committed by mistake.

import { createHash, timingSafeEqual } from 'node:crypto';

export type Random = (bytes: number) => Uint8Array;

export interface Token {
  readonly id: string;
  /** The 43 characters; handed out once, never stored. */
  readonly secret: string;
}

const TOKEN = /^plt_([a-z2-7]{10})_([A-Za-z0-9_-]{43})$/;
const ID_LETTERS = 'abcdefghijklmnopqrstuvwxyz234567';

export function mintToken(random: Random): Token {
  // 32 letters divide 256 evenly, so the lower five bits of a random byte choose without bias.
  const id = Array.from(random(10), (byte) => ID_LETTERS[byte & 31]).join('');
  return { id, secret: Buffer.from(random(32)).toString('base64url') };
}

export function formatToken(token: Token): string {
  return `plt_${token.id}_${token.secret}`;
}

/** Undefined when the text is not a token; says nothing about whether the token is known. */
export function parseToken(text: string): Token | undefined {
  const parts = TOKEN.exec(text);
  return parts ? { id: parts[1]!, secret: parts[2]! } : undefined;
}

export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret, 'latin1').digest();
}

/** Takes the same time whether the first or the last byte differs. */
export function secretMatches(secret: string, hash: Uint8Array): boolean {
  return timingSafeEqual(hashSecret(secret), hash);
}
