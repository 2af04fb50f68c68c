import { type Flag, type GivenFlags, oneOf, parseLifetime } from '#gateway/base/command-line/flags.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import type { CertificateRequest } from '../ca/certificate-request.ts';
import { type TemplateName, templateNames } from '../ca/certificate-template.ts';
import { type KeyAlgorithm, keyAlgorithms } from '../ca/key-algorithm.ts';
import { isLoopback } from '../loopback.ts';
import type { WatchedCertificate } from '../sources/watched-files.ts';
import { storeFlags } from './store-flags.ts';

/** What `serve` is to do. */
export interface ServeOptions {
  /** SDS address, or null for none. */
  readonly listen: string | null;
  /** File of further SDS addresses with their guards, or null. */
  readonly sdsConfig: string | null;
  /** Address of the control interface, or null. */
  readonly control: string | null;
  /** Address of the signing API over TLS, or null. */
  readonly api: HostPort | null;
  /** Names of the API's own certificate. */
  readonly apiDns: readonly string[];
  readonly apiIp: readonly string[];
  /** Address of the revocation lists over plain HTTP, or null. */
  readonly http: HostPort | null;
  /** Signing requests per minute and address. */
  readonly ratePerMinute: number;
  readonly authorityName: string;
  readonly authorityLifetimeMs: number;
  readonly offerRevocations: boolean;
  readonly certificates: readonly CertificateRequest[];
  /** Certificates that others keep in files. */
  readonly watched: readonly WatchedCertificate[];
  /** Configuration of `sluice certs acme`, or null. */
  readonly acmeConfig: string | null;
}

/** Where to listen. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** The flags of `serve`. */
export const serveFlags: readonly Flag[] = [
  ...storeFlags,
  { name: 'listen', value: 'ADDRESS', help: 'SDS over gRPC: 127.0.0.1:PORT, [::1]:PORT or unix:PATH' },
  {
    name: 'sds-config',
    value: 'FILE',
    help: 'further SDS addresses: mutual TLS and who may fetch what, a socket for each group of secrets',
  },
  { name: 'control', value: 'ADDRESS', help: 'local HTTP interface: GET /certificates, GET /status, POST /rotate' },
  { name: 'api', value: '[HOST:]PORT', help: 'signing API over TLS; HOST is 127.0.0.1' },
  {
    name: 'api-name',
    value: 'NAME',
    help: 'name or address in its certificate (localhost, 127.0.0.1, ::1); may be repeated',
  },
  { name: 'http', value: '[HOST:]PORT', help: 'revocation lists and the root over plain HTTP; HOST is 127.0.0.1' },
  { name: 'rate', value: 'NUMBER', help: 'signing requests per minute and address (60)' },
  { name: 'ca-name', value: 'NAME', help: 'name of the validation_context secret (ca)' },
  { name: 'ca-lifetime', value: 'TIME', help: 'life of a new authority (3650d)' },
  { name: 'offer-crl', value: '', help: 'put the revocation lists into the validation_context secret' },
  {
    name: 'name',
    value: 'NAME',
    help: 'begins a certificate, the tls_certificate secret of this name; the next belong to it',
  },
  { name: 'dns', value: 'NAME', help: 'DNS name of the certificate' },
  { name: 'ip', value: 'ADDRESS', help: 'IP address of the certificate' },
  { name: 'uri', value: 'URI', help: 'URI of the certificate, for the template spiffe its SPIFFE ID' },
  { name: 'email', value: 'ADDRESS', help: 'mail address of the certificate' },
  {
    name: 'lifetime',
    value: 'TIME',
    help: 'its life, for example 90s, 45m, 24h, 7d (24h); it is renewed after two thirds',
  },
  { name: 'template', value: 'NAME', help: `${templateNames.join(', ')} (peer: server and client)` },
  { name: 'key', value: 'KIND', help: `${keyAlgorithms.join(', ')} (P-256)` },
  {
    name: 'watch',
    value: 'NAME=CRT,KEY',
    help: 'offers the certificate in two files, and what replaces it; may be repeated',
  },
  { name: 'acme', value: 'FILE', help: 'offers certificates by ACME: the flags of sluice certs acme, as YAML' },
  { name: 'json', value: '', help: 'print the ports as JSON, on one line, when all are open' },
];

interface Draft {
  readonly name: string;
  readonly dns: string[];
  readonly ip: string[];
  readonly uri: string[];
  readonly email: string[];
  lifetimeMs: number;
  template: TemplateName;
  key: KeyAlgorithm;
}

/** Reads the flags of `serve`. Throws UsageError. */
export function readServeOptions(given: GivenFlags): ServeOptions {
  if (given.words.length > 0) throw new UsageError(`what is '${given.words[0]}'? serve takes flags only`);
  const names = given.all('api-name');
  const address = /^[0-9.]+$|:/;
  const rate = given.text('rate') ?? '60';
  if (!/^[1-9][0-9]{0,5}$/.test(rate)) throw new UsageError(`--rate ${rate} is not a number of requests`);
  const options = {
    listen: local(given, 'listen'),
    sdsConfig: given.text('sds-config'),
    control: local(given, 'control'),
    api: hostPort(given, 'api'),
    apiDns: names.length === 0 ? ['localhost'] : names.filter((name) => !address.test(name)),
    apiIp: names.length === 0 ? ['127.0.0.1', '::1'] : names.filter((name) => address.test(name)),
    http: hostPort(given, 'http'),
    ratePerMinute: Number(rate),
    authorityName: given.text('ca-name') ?? 'ca',
    authorityLifetimeMs: given.lifetime('ca-lifetime', parseLifetime('3650d')),
    offerRevocations: given.has('offer-crl'),
    certificates: readCertificates(given),
    watched: given.all('watch').map(readWatched),
    acmeConfig: given.text('acme'),
  };
  if (options.listen === null && options.sdsConfig === null && options.api === null && options.http === null) {
    throw new UsageError(
      'nothing to serve: give --listen or --sds-config (SDS), --api (signing) or --http (revocation lists)',
    );
  }
  return options;
}

function readCertificates(given: GivenFlags): CertificateRequest[] {
  const drafts: Draft[] = [];
  for (const [flag, value] of given.inOrder) {
    if (flag === 'name') {
      const empty = { dns: [], ip: [], uri: [], email: [] };
      drafts.push({ name: value, ...empty, lifetimeMs: parseLifetime('24h'), template: 'peer', key: 'P-256' });
      continue;
    }
    if (!['dns', 'ip', 'uri', 'email', 'lifetime', 'template', 'key'].includes(flag)) continue;
    const draft = drafts.at(-1);
    if (draft === undefined) throw new UsageError(`--${flag} must come after --name`);
    if (flag === 'lifetime') draft.lifetimeMs = parseLifetime(value);
    else if (flag === 'template') draft.template = oneOf(flag, value, templateNames);
    else if (flag === 'key') draft.key = oneOf(flag, value, keyAlgorithms);
    else draft[flag as 'dns' | 'ip' | 'uri' | 'email'].push(value);
  }
  return drafts;
}

function readWatched(value: string): WatchedCertificate {
  const match = /^([A-Za-z0-9_-][A-Za-z0-9._-]*)=([^,]+),([^,]+)$/.exec(value);
  if (match === null) throw new UsageError(`--watch ${value} is not NAME=CERTIFICATE_FILE,KEY_FILE`);
  return { name: match[1]!, certificatePath: match[2]!, keyPath: match[3]! };
}

function local(given: GivenFlags, flag: string): string | null {
  const value = given.text(flag);
  return value === null ? null : requireLocal(flag, value);
}

/** An address that only this machine can reach. Throws UsageError. */
export function requireLocal(flag: string, address: string): string {
  if (isLoopback(address)) return address;
  throw new UsageError(
    `--${flag} ${address}: private keys are served here, so it must be a loopback address or unix:PATH`,
  );
}

function hostPort(given: GivenFlags, flag: string): HostPort | null {
  const value = given.text(flag);
  if (value === null) return null;
  const match = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([^:\s/]+)):)?([0-9]{1,5})$/.exec(value);
  if (match === null || Number(match[3]) > 65_535) throw new UsageError(`--${flag} ${value} is not [HOST:]PORT`);
  return { host: match[1] ?? match[2] ?? '127.0.0.1', port: Number(match[3]) };
}
