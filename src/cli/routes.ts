// The API's addresses that commands use, in one place, so that they can be compared with `server/`.

export const ROUTES = {
  records: 'api/v1/records',
  search: 'api/v1/search',
  tail: 'api/v1/tail',
  ledgers: 'api/v1/ledgers',
  tokens: 'api/v1/tokens',
  token: (id: string): string => `api/v1/tokens/${encodeURIComponent(id)}`,
  proof: (ledger: string, index: number): string => `api/v1/prove/${encodeURIComponent(ledger)}/${index}`,
  rotateKeys: 'api/v1/keys/rotate',
} as const;
