// Makes the two certificates of the local authority. Loaded only when one is due: the X.509 library and what it brings along
// cost a start that needs neither of them a tenth of a second.

import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import type * as x509 from '@peculiar/x509';
import type { Random } from './tokens.ts';

export interface Issued {
  /** The certificate, then its PKCS #8 private key, in one file: they cannot be separated by a crash. */
  readonly pem: string;
}

export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

const ECDSA_P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export async function issueAuthority(validity: Validity, name: string, random: Random): Promise<Issued> {
  const { X509CertificateGenerator, ...extensions } = await loadX509();
  const keys = await webcrypto.subtle.generateKey(ECDSA_P256, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(random),
    name: [{ CN: [name] }, { O: ['Portledger'] }],
    ...validity,
    signingAlgorithm: ECDSA_P256,
    keys,
    extensions: [
      // Path length 0: it signs servers, never another authority.
      new extensions.BasicConstraintsExtension(true, 0, true),
      new extensions.KeyUsagesExtension(
        extensions.KeyUsageFlags.keyCertSign | extensions.KeyUsageFlags.cRLSign,
        true,
      ),
      await extensions.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { pem: await joinPem(certificate, keys.privateKey) };
}

export async function issueServer(
  authorityPem: string,
  validity: Validity,
  names: readonly string[],
  random: Random,
): Promise<Issued> {
  const { X509Certificate, X509CertificateGenerator, PemConverter, ...extensions } = await loadX509();
  const authority = new X509Certificate(authorityPem);
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    PemConverter.decodeWithHeaders(authorityPem).find((part) => part.type === 'PRIVATE KEY')!.rawData,
    ECDSA_P256,
    false,
    ['sign'],
  );
  const keys = await webcrypto.subtle.generateKey(ECDSA_P256, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(random),
    subject: [{ CN: ['Portledger server'] }],
    issuer: authority.subjectName.toJSON(),
    ...validity,
    signingAlgorithm: ECDSA_P256,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new extensions.BasicConstraintsExtension(false, undefined, true),
      new extensions.KeyUsagesExtension(extensions.KeyUsageFlags.digitalSignature, true),
      new extensions.ExtendedKeyUsageExtension([extensions.ExtendedKeyUsage.serverAuth]),
      new extensions.SubjectAlternativeNameExtension(
        names.map((name) => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name }) as const),
      ),
      await extensions.AuthorityKeyIdentifierExtension.create(authority),
      await extensions.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { pem: await joinPem(certificate, keys.privateKey) };
}

async function loadX509(): Promise<typeof x509> {
  // The library's container (tsyringe) calls Reflect.getMetadata, and leaves it to the program to bring it along.
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

/** 16 bytes, positive, never beginning with zero (RFC 5280, 4.1.2.2). */
function serialNumber(random: Random): string {
  const bytes = Buffer.from(random(16));
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}

async function joinPem(certificate: x509.X509Certificate, key: webcrypto.CryptoKey): Promise<string> {
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64');
  const lines = pkcs8.match(/.{1,64}/g)!.join('\n');
  return `${certificate.toString('pem').trim()}\n-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`;
}
