// The Authorization header: one token under the schemes that senders know how to send.
//
//   Bearer <token>                      ours, and most HTTP clients
//   Basic base64(<any name>:<token>)    senders that only know user and password
//   ApiKey <token>                      Elasticsearch clients; also base64(<any id>:<token>), as those write it

/** Long enough for every form above; the rest of the header limit is not worth decoding. */
const HEADER_LENGTH_MAX = 512;

/** The token that was presented, or undefined. It may still be anything. */
export function presentedToken(header: string | undefined): string | undefined {
  if (header === undefined || header.length > HEADER_LENGTH_MAX) return undefined;
  const parts = /^([A-Za-z]+) +([\x21-\x7e]+)$/.exec(header);
  if (!parts) return undefined;
  const [, scheme, credentials] = parts as unknown as [string, string, string];
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return credentials;
    case 'basic':
      return passwordOf(credentials);
    case 'apikey':
      return credentials.startsWith('plt_') ? credentials : passwordOf(credentials);
    default:
      return undefined;
  }
}

function passwordOf(base64: string): string | undefined {
  const pair = Buffer.from(base64, 'base64').toString('latin1');
  const colon = pair.indexOf(':');
  return colon < 0 ? undefined : pair.slice(colon + 1);
}
