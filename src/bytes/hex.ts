// Hexadecimal as our formats have it: lower case, two digits a byte, nothing else.

const LOWER_HEX = /^(?:[0-9a-f]{2})*$/;

export function encodeHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** Undefined for anything that `encodeHex` would not have written. */
export function parseHex(text: string): Buffer | undefined {
  return LOWER_HEX.test(text) ? Buffer.from(text, 'hex') : undefined;
}
