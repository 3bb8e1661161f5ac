// The fields of a record: the one table that everything else asks for names, types, aliases and mappings. The field
// reference (docs/fields.md) is generated from it, so a new field is a new row here and nothing else.
//
// Names are the Elastic Common Schema's wherever it has one; rows marked `ours` are not in it. A record is flat: every
// field holds one scalar. Attributes that have no row go to `labels.<name>`.

export type FieldGroup = 'what' | 'who' | 'from and to' | 'tls' | 'http' | 'trace' | 'provenance' | 'output';

export type FieldType =
  /** Text that is compared whole. */
  | 'keyword'
  /** Text that is read, and searched by words. */
  | 'text'
  /** One of `values`. */
  | 'enum'
  /** IPv4 dotted, IPv6 as in RFC 5952; an IPv4-mapped IPv6 address is written as the IPv4 address. */
  | 'ip'
  /** Number, 0 to 65,535. */
  | 'port'
  /** Number, integer, 0 to 2^53 − 1 (the largest that JSON readers agree on). */
  | 'long'
  /** Like `long`: nanoseconds. */
  | 'duration'
  /** UTC with exactly nine fractional digits: 2026-11-20T11:59:02.000000000Z. */
  | 'timestamp'
  | 'boolean'
  /** Texts, sorted, without repetition, joined with commas; a comma or backslash inside one is preceded by a backslash. */
  | 'list'
  /** Lower-case hex, an even number of digits, no separators. */
  | 'hex'
  /** A certificate's serial number: `hex` without leading zero bytes. */
  | 'serial'
  /** `1.3` `1.2` `1.1` `1.0` `ssl3` `ssl2` `dtls1.0` `dtls1.2` `dtls1.3`. */
  | 'tls-version'
  /** A TLS cipher suite's code: `0x` and four lower-case hex digits. */
  | 'suite-id';

/**
 * Who gives a field its value. A sender's attempt at an `us` or `output` field is kept as a label, so that nobody takes it
 * for ours and nothing that was sent is lost.
 */
export type FieldSource = 'sender' | 'us' | 'output';

export interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly group: FieldGroup;
  readonly description: string;
  /** Short names for queries, as a person would type them. */
  readonly aliases: readonly string[];
  readonly source: FieldSource;
  /** Not an Elastic Common Schema field. */
  readonly ours: boolean;
  /** Personal or likely to hold a secret: hidden from principals who may only read masked records. */
  readonly masked: boolean;
  /** Compared without regard to case, and stored in lower case. */
  readonly lowerCase: boolean;
  /** The values of an `enum`. */
  readonly values: readonly string[];
  /** The largest value of a number. */
  readonly max: number;
  readonly ocsf?: string;
  readonly otel?: string;
  readonly cef?: string;
}

type Details = Partial<Omit<Field, 'name' | 'type' | 'group' | 'description' | 'aliases'>>;

const PORT_MAX = 65_535;

function field(
  group: FieldGroup,
  name: string,
  type: FieldType,
  aliases: string,
  description: string,
  details: Details = {},
): Field {
  return {
    name,
    type,
    group,
    description,
    aliases: aliases === '' ? [] : aliases.split(' '),
    source: 'sender',
    ours: false,
    masked: false,
    lowerCase: false,
    values: type === 'tls-version' ? TLS_VERSIONS : [],
    max: type === 'port' ? PORT_MAX : Number.MAX_SAFE_INTEGER,
    ...details,
  };
}

const TLS_VERSIONS = ['1.3', '1.2', '1.1', '1.0', 'ssl3', 'ssl2', 'dtls1.3', 'dtls1.2', 'dtls1.0'] as const;

export const RECORD_KINDS = [
  'connection',
  'handshake',
  'request',
  'authentication',
  'certificate',
  'listener',
  'gap',
  'finding',
  'alert',
  'custody',
] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

const what = field.bind(undefined, 'what');
const who = field.bind(undefined, 'who');
const ends = field.bind(undefined, 'from and to');
const tls = field.bind(undefined, 'tls');
const http = field.bind(undefined, 'http');
const trace = field.bind(undefined, 'trace');
const provenance = field.bind(undefined, 'provenance');
const output = field.bind(undefined, 'output');

/** The certificate that one side of a handshake showed. */
function certificate(side: 'client' | 'server'): Field[] {
  const name = `tls.${side}`;
  const whose = `the ${side}'s certificate`;
  // OCSF has one certificate object without a role; by convention of our exporter it is the client's, the audited party.
  const ocsf = (path: string): Details => (side === 'client' ? { ocsf: `tls.certificate.${path}` } : {});
  return [
    tls(`${name}.subject`, 'keyword', `${side}_subject`, `Subject of ${whose}, as in RFC 4514.`, {
      ...ocsf('subject'),
      otel: `${name}.subject`,
      ...(side === 'client' ? { cef: 'cs4' } : {}),
    }),
    tls(`${name}.issuer`, 'keyword', `${side}_issuer`, `Issuer of ${whose}, as in RFC 4514.`, {
      ...ocsf('issuer'),
      otel: `${name}.issuer`,
    }),
    tls(`${name}.not_before`, 'timestamp', `${side}_not_before`, `When ${whose} becomes valid.`, {
      ...ocsf('created_time'),
      otel: `${name}.not_before`,
    }),
    tls(`${name}.not_after`, 'timestamp', `${side}_expires`, `When ${whose} expires.`, {
      ...ocsf('expiration_time'),
      otel: `${name}.not_after`,
    }),
    tls(`${name}.hash.sha256`, 'hex', `${side}_sha256`, `SHA-256 of ${whose} (DER).`, {
      ...ocsf('fingerprints'),
      otel: `${name}.hash.sha256`,
    }),
    tls(`${name}.serial`, 'serial', `${side}_serial`, `Serial number of ${whose}.`, {
      ours: true,
      ...ocsf('serial_number'),
    }),
    tls(`${name}.san`, 'list', `${side}_san`, `Alternative names in ${whose}.`, {
      ours: true,
      ...ocsf('sans'),
    }),
    tls(`${name}.key`, 'keyword', `${side}_key`, `Algorithm and size of the key in ${whose}.`, {
      ours: true,
    }),
  ];
}

/** In the order of the field reference. */
export const FIELDS: readonly Field[] = [
  what('@timestamp', 'timestamp', 'time timestamp', 'When it happened, as the sender says.', {
    ocsf: 'time',
    otel: 'timeUnixNano',
    cef: 'rt',
  }),
  what('record.kind', 'enum', 'kind', 'What the record describes.', { ours: true, values: RECORD_KINDS }),
  what('event.action', 'keyword', 'action', 'What was done or attempted, in the words of the source.', {
    ocsf: 'activity_name',
    otel: 'event_name',
    cef: 'act',
  }),
  what('event.outcome', 'enum', 'outcome', 'Whether it succeeded.', {
    values: ['success', 'failure', 'unknown'],
    ocsf: 'status_id',
    cef: 'outcome',
  }),
  what('event.reason', 'text', 'reason', 'Why it ended as it did.', { ocsf: 'status_detail', cef: 'reason' }),
  what('event.duration', 'duration', 'duration', 'How long it took, in nanoseconds.', { ocsf: 'duration' }),
  what('event.id', 'keyword', 'id', "The sender's identifier of the event.", {
    ocsf: 'metadata.uid',
    otel: 'log.record.uid',
    cef: 'externalId',
  }),
  what('event.sequence', 'long', 'seq', "The sender's running number; holes in it are lost records.", {
    ocsf: 'metadata.sequence',
  }),
  what('event.ingested', 'timestamp', 'ingested received', 'When we accepted it, by our clock.', {
    source: 'us',
    ocsf: 'metadata.logged_time',
    otel: 'observedTimeUnixNano',
    cef: 'deviceCustomDate1',
  }),

  who('user.name', 'keyword', 'user', 'Who did it.', {
    masked: true,
    ocsf: 'actor.user.name',
    otel: 'user.name',
    cef: 'suser',
  }),
  who('user.id', 'keyword', 'uid', 'Their stable identity: SPIFFE ID, DN, or number.', {
    ocsf: 'actor.user.uid',
    otel: 'user.id',
    cef: 'suid',
  }),
  who('user.proof', 'enum', 'proof', 'What the identity rests on.', {
    ours: true,
    values: ['mtls', 'token', 'kernel', 'asserted', 'inferred'],
  }),
  who('process.pid', 'long', 'pid', 'Process that did it.', {
    ocsf: 'actor.process.pid',
    otel: 'process.pid',
    cef: 'spid',
  }),
  who('process.name', 'keyword', 'process', 'Its name.', {
    ocsf: 'actor.process.name',
    otel: 'process.executable.name',
    cef: 'sproc',
  }),
  who('process.executable', 'keyword', 'exe', 'Path of its executable.', {
    ocsf: 'actor.process.file.path',
    otel: 'process.executable.path',
  }),
  who('container.id', 'keyword', 'container', 'Container it ran in.', {
    ocsf: 'actor.process.container.uid',
    otel: 'container.id',
  }),

  ends('source.ip', 'ip', 'src from', 'Address of the physical peer, never a forwarded one.', {
    ocsf: 'src_endpoint.ip',
    otel: 'network.peer.address',
    cef: 'src',
  }),
  ends('source.port', 'port', 'sport src_port', 'Port of the physical peer; for ICMP the message type.', {
    ocsf: 'src_endpoint.port',
    otel: 'network.peer.port',
    cef: 'spt',
  }),
  ends('source.bytes', 'long', 'src_bytes', 'Bytes sent by the source.', {
    ocsf: 'traffic.bytes_in',
    cef: 'in',
  }),
  ends('source.service', 'keyword', 'src_service from_service', 'Service that connected.', {
    ours: true,
    ocsf: 'src_endpoint.svc_name',
    cef: 'sourceServiceName',
  }),
  ends('destination.ip', 'ip', 'dst to', 'Address that was connected to.', {
    ocsf: 'dst_endpoint.ip',
    otel: 'server.address',
    cef: 'dst',
  }),
  ends(
    'destination.port',
    'port',
    'port dport dest_port dst_port',
    'Port that was connected to; for ICMP the answering message type, or the code of a message that has none.',
    { ocsf: 'dst_endpoint.port', otel: 'server.port', cef: 'dpt' },
  ),
  ends('destination.bytes', 'long', 'dst_bytes', 'Bytes sent by the destination.', {
    ocsf: 'traffic.bytes_out',
    cef: 'out',
  }),
  ends('destination.service', 'keyword', 'service dst_service to_service', 'Service that was connected to.', {
    ours: true,
    ocsf: 'dst_endpoint.svc_name',
    otel: 'service.name',
    cef: 'destinationServiceName',
  }),
  ends('network.transport', 'keyword', 'transport proto', 'tcp, udp, sctp, icmp, ipv6-icmp, unix …', {
    lowerCase: true,
    ocsf: 'connection_info.protocol_name',
    otel: 'network.transport',
    cef: 'proto',
  }),
  ends(
    'network.community_id',
    'keyword',
    'flow community_id',
    'Community ID v1 of the flow, the same at every sensor; computed from addresses, ports and transport when absent.',
    { ocsf: 'connection_info.community_uid', cef: 'cs5' },
  ),
  ends('client.ip', 'ip', 'client client_ip', 'Address of the client as a proxy forwarded it: a claim.', {
    masked: true,
    ocsf: 'src_endpoint.intermediate_ips',
    otel: 'client.address',
  }),

  tls('tls.version', 'tls-version', 'tls tls_version', 'Negotiated protocol version.', {
    ocsf: 'tls.version',
    otel: 'tls.protocol.version',
    cef: 'cs1',
  }),
  tls('tls.cipher', 'keyword', 'cipher', 'Negotiated cipher suite.', {
    ocsf: 'tls.cipher',
    otel: 'tls.cipher',
    cef: 'cs2',
  }),
  tls('tls.cipher_id', 'suite-id', 'cipher_id', "The suite's IANA code.", { ours: true }),
  tls('tls.curve', 'keyword', 'curve', 'Group of the key exchange.', { otel: 'tls.curve' }),
  tls(
    'tls.client.server_name',
    'keyword',
    'sni server_name',
    'Server name that the client asked for (SNI).',
    {
      lowerCase: true,
      ocsf: 'tls.sni',
      otel: 'tls.client.server_name',
      cef: 'cs3',
    },
  ),
  tls('tls.next_protocol', 'keyword', 'alpn', 'Application protocol that was agreed on (ALPN).', {
    ocsf: 'tls.tls_extension_list',
    otel: 'tls.next_protocol',
  }),
  tls('tls.resumed', 'boolean', 'resumed', 'Whether an earlier session was resumed.', {
    otel: 'tls.resumed',
  }),
  tls('tls.established', 'boolean', 'established', 'Whether the handshake completed.', {
    ocsf: 'status_id',
    otel: 'tls.established',
  }),
  tls('tls.alert', 'keyword', 'alert', 'Alert that ended it.', {
    ours: true,
    lowerCase: true,
    ocsf: 'tls.alert',
    otel: 'error.type',
  }),
  tls('tls.verify.result', 'enum', 'verify', 'Whether the peer certificate was accepted.', {
    ours: true,
    values: ['success', 'failure', 'none', 'unknown'],
  }),
  tls('tls.verify.error', 'keyword', 'verify_error', 'Why it was not.', { ours: true }),
  tls('tls.client.ja4', 'keyword', 'ja4', 'JA4 fingerprint of the ClientHello.', {
    ours: true,
    ocsf: 'ja4_fingerprint_list',
  }),
  tls('tls.client.random', 'hex', 'random', "The ClientHello's random: joins reports of one handshake.", {
    ours: true,
  }),
  ...certificate('client'),
  ...certificate('server'),

  http('http.request.method', 'keyword', 'method', 'Request method.', {
    ocsf: 'http_request.http_method',
    otel: 'http.request.method',
    cef: 'requestMethod',
  }),
  http('http.request.id', 'keyword', 'request request_id', 'Identifier of the request.', {
    ocsf: 'http_request.uid',
  }),
  http('url.path', 'keyword', 'path', 'Path, without the query.', {
    ocsf: 'http_request.url.path',
    otel: 'url.path',
    cef: 'request',
  }),
  http('url.query', 'keyword', 'query', 'Query, secrets removed.', {
    masked: true,
    ocsf: 'http_request.url.query_string',
    otel: 'url.query',
  }),
  http('url.domain', 'keyword', 'host domain', 'Host that the request named.', {
    lowerCase: true,
    ocsf: 'http_request.url.hostname',
    otel: 'url.domain',
    cef: 'dhost',
  }),
  http('http.response.status_code', 'long', 'status code', 'Status of the response.', {
    max: 999,
    ocsf: 'http_response.code',
    otel: 'http.response.status_code',
    cef: 'cn1',
  }),
  http('user_agent.original', 'text', 'agent ua user_agent', 'User agent as sent.', {
    ocsf: 'http_request.user_agent',
    otel: 'user_agent.original',
    cef: 'requestClientApplication',
  }),

  trace('trace.id', 'keyword', 'trace', 'Distributed trace it belongs to.', {
    ocsf: 'trace.uid',
    otel: 'traceId',
    cef: 'cs6',
  }),
  trace('session.id', 'keyword', 'session', 'Joins connection, handshake and requests of one access.', {
    ours: true,
    otel: 'session.id',
  }),

  provenance('observer.name', 'keyword', 'observer sensor', 'Sensor or sender, authenticated.', {
    ocsf: 'metadata.log_provider',
    cef: 'dvchost',
  }),
  provenance('observer.type', 'keyword', 'observer_type', 'Kind of sensor or sender.', { lowerCase: true }),
  provenance('observer.parser', 'keyword', 'parser', 'What read the original line, with its version.', {
    ours: true,
    ocsf: 'metadata.log_format',
    otel: 'scope.name',
  }),
  provenance('raw.mac', 'hex', 'mac', 'HMAC of the original line under a key of the epoch.', {
    ours: true,
    ocsf: 'raw_data_hash',
  }),
  provenance('event.original', 'text', 'original raw', 'The original line, secrets removed.', {
    ocsf: 'raw_data',
    otel: 'log.record.original',
  }),
  provenance('redaction.count', 'long', 'redacted', 'How many secrets were removed.', { ours: true }),
  provenance('field.inferred', 'list', 'inferred', 'Fields that were inferred, not observed.', {
    ours: true,
  }),
  provenance(
    'field.omitted',
    'long',
    'omitted',
    'How many labels were left out or cut because the record had too many or too long ones.',
    { ours: true },
  ),

  output('ledger.name', 'keyword', 'ledger', 'Ledger that holds the record.', {
    source: 'output',
    ours: true,
  }),
  output('ledger.index', 'long', 'index', "The record's index in it.", { source: 'output', ours: true }),
];

export const LABEL_PREFIX = 'labels.';

const byName = new Map(FIELDS.map((one) => [one.name, one]));
const byAlias = new Map(FIELDS.flatMap((one) => one.aliases.map((alias) => [alias, one])));

/** The field of this full name. */
export function fieldNamed(name: string): Field | undefined {
  return byName.get(name);
}

/** The field that a person means: full name, alias, or `labels.<name>`. */
export function resolveField(nameOrAlias: string): Field | undefined {
  return byName.get(nameOrAlias) ?? byAlias.get(nameOrAlias) ?? labelField(nameOrAlias);
}

function labelField(name: string): Field | undefined {
  if (!name.startsWith(LABEL_PREFIX) || name.length === LABEL_PREFIX.length) return undefined;
  return field('provenance', name, 'keyword', '', 'An attribute that has no field of its own.', {
    ours: false,
  });
}

/** Whether values of this type are JSON numbers in a record. */
export function isNumeric(type: FieldType): boolean {
  return type === 'port' || type === 'long' || type === 'duration';
}
