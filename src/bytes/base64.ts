// Base 64 of RFC 4648, section 4, in its one canonical spelling: padded, no white space, unused bits zero.
//
// Node's decoder accepts a good deal more (missing padding, the URL alphabet, line breaks, stray bits). Two spellings of one
// signature would be two different files that both verify, so we accept only what we would have written ourselves.

export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Undefined for anything that `encodeBase64` would not have written. */
export function parseBase64(text: string): Buffer | undefined {
  if (text.length % 4 !== 0) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
