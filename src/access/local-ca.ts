// TLS for an installation that has been given no certificate: a local authority, made on the first start, and a server
// certificate from it that is renewed at start before it gets old.
//
//   <directory>/authority.pem   certificate and key of the authority   0600
//   <directory>/server.pem      certificate and key of the server      0600
//   <directory>/ca.pem          certificate of the authority alone: what clients are given
//
// Invariants:
// - certificate and key of one pair share one file, replaced atomically: a crash leaves the old pair or the new one
// - no server certificate outlives its authority, nor 397 days (the most that clients accept)
// - an authority is replaced only when it can no longer cover a whole server certificate, or is unreadable: clients that
//   trust the old one have to be given the new `ca.pem`, so the answer says when that happened

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { Disk } from '../disk/disk.ts';
import { issueAuthority, issueServer, type Validity } from './issue-certificate.ts';
import type { Random } from './tokens.ts';

export interface LocalTls {
  /** PEM of certificate and key: both `cert` and `key` of a TLS server. */
  readonly serverPem: string;
  readonly caPem: string;
  readonly caFile: string;
  readonly notAfter: Date;
  /** What this start made anew. */
  readonly made: readonly ('authority' | 'server')[];
}

export interface LocalTlsOptions {
  readonly disk: Disk;
  readonly directory: string;
  /** Host name and listen address; the loopback names are always added. */
  readonly names: readonly string[];
  readonly now: () => number;
  readonly random: Random;
}

const DAY_MS = 86_400_000;
const AUTHORITY_MS = 3652 * DAY_MS;
const SERVER_MS = 397 * DAY_MS;
/** Clients' clocks may be behind ours by this much. */
const SKEW_MS = 3_600_000;

export async function openLocalTls(options: LocalTlsOptions): Promise<LocalTls> {
  const { disk, directory, random } = options;
  const now = options.now();
  const made: ('authority' | 'server')[] = [];
  const authorityFile = `${directory}/authority.pem`;
  const serverFile = `${directory}/server.pem`;
  const caFile = `${directory}/ca.pem`;
  disk.makeDirectory(directory);

  let authority = readPair(disk, authorityFile);
  if (!authority || authority.certificate.validToDate.getTime() < now + SERVER_MS) {
    const name = `Portledger local authority ${Buffer.from(random(4)).toString('hex')}`;
    const issued = await issueAuthority(validity(now, AUTHORITY_MS), name, random);
    authority = readPairFrom(issued.pem)!;
    disk.replaceFile(authorityFile, Buffer.from(authority.pem));
    made.push('authority');
  }

  const names = subjectNames(options.names);
  let server = readPair(disk, serverFile);
  if (!server || !isFit(server.certificate, authority.certificate, names, now)) {
    const issued = await issueServer(authority.pem, validity(now, SERVER_MS), names, random);
    server = readPairFrom(issued.pem)!;
    disk.replaceFile(serverFile, Buffer.from(server.pem));
    made.push('server');
  }

  const caPem = authority.certificate.toString();
  if (Buffer.from(disk.readFile(caFile) ?? []).toString() !== caPem) {
    disk.replaceFile(caFile, Buffer.from(caPem));
  }
  return { serverPem: server.pem, caPem, caFile, notAfter: server.certificate.validToDate, made };
}

interface Pair {
  readonly pem: string;
  readonly certificate: X509Certificate;
}

function readPair(disk: Disk, path: string): Pair | undefined {
  const bytes = disk.readFile(path);
  return bytes && readPairFrom(Buffer.from(bytes).toString());
}

/** Undefined where the file does not hold a certificate with its own key. */
function readPairFrom(pem: string): Pair | undefined {
  try {
    const certificate = new X509Certificate(pem);
    return certificate.checkPrivateKey(createPrivateKey(pem)) ? { pem, certificate } : undefined;
  } catch {
    return undefined;
  }
}

function isFit(
  certificate: X509Certificate,
  authority: X509Certificate,
  names: readonly string[],
  now: number,
): boolean {
  const notBefore = certificate.validFromDate.getTime();
  const notAfter = certificate.validToDate.getTime();
  return (
    notBefore <= now &&
    notAfter - now > (notAfter - notBefore) / 3 &&
    certificate.checkIssued(authority) &&
    certificate.verify(authority.publicKey) &&
    names.every((name) => (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)))
  );
}

function validity(now: number, lifeMs: number): Validity {
  return { notBefore: new Date(now - SKEW_MS), notAfter: new Date(now - SKEW_MS + lifeMs) };
}

const DNS_NAME = /^[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*$/i;

/** "All addresses" is nothing that a client can connect to, and a host name that is no DNS name cannot be certified. */
function subjectNames(wanted: readonly string[]): string[] {
  const usable = wanted.filter(
    (name) => name !== '0.0.0.0' && name !== '::' && (isIP(name) !== 0 || DNS_NAME.test(name)),
  );
  return [...new Set(['localhost', '127.0.0.1', '::1', ...usable])];
}
