// Who is asking, and what each role may do. The whole of authorisation is the table below: routes ask for a permission,
// never for a role, so that a new role is one new line here.

export const ROLES = ['admin', 'auditor', 'viewer', 'ingest'] as const;
export type Role = (typeof ROLES)[number];

export type Permission =
  /** Add records. */
  | 'append'
  /** Search, tail and view records, statuses and metrics. Personal values come masked without `unmasked`. */
  | 'read'
  /** See personal values as they were recorded, and search them by pattern. */
  | 'unmasked'
  /** Read the custody ledger: who looked at what. */
  | 'custody'
  /** Take records out in another format. */
  | 'export'
  /** Disclose one record with its proof; the proof holds the record unmasked. */
  | 'prove'
  /** See what was refused, as it was received: it has not been through redaction. */
  | 'quarantine'
  /** Tokens, keys, publication on demand. */
  | 'administer';

const PERMISSIONS: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  admin: new Set(['append', 'read', 'unmasked', 'custody', 'export', 'prove', 'quarantine', 'administer']),
  auditor: new Set(['read', 'unmasked', 'custody', 'export', 'prove']),
  viewer: new Set(['read']),
  ingest: new Set(['append']),
};

export interface Principal {
  /** Of the token that was presented. */
  readonly tokenId: string;
  /** Names the principal in custody entries, as the observer of its records, and as the scope of its idempotency keys. */
  readonly name: string;
  readonly role: Role;
}

export function roleAllows(role: Role, permission: Permission): boolean {
  return PERMISSIONS[role].has(permission);
}

export function isRole(text: unknown): text is Role {
  return ROLES.includes(text as Role);
}

/** Roles that have a permission, for messages that say who may do it. */
export function rolesWith(permission: Permission): Role[] {
  return ROLES.filter((role) => roleAllows(role, permission));
}
