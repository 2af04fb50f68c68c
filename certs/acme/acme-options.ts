import { type GivenFlags, oneOf, parseFlags, parseLifetime } from '#gateway/base/command-line/flags.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { isLoopback } from '../loopback.ts';
import { acmeFlags } from './acme-flags.ts';
import {
  type AcmeCertificateSettings,
  acmeKeyTypes,
  type ChallengeType,
  challengeTypes,
  checkAcmeCertificate,
} from './acme-settings.ts';

/** Commands of `sluice certs acme`. */
export type AcmeCommandName = 'register' | 'issue' | 'renew' | 'status' | 'serve';
/** @see AcmeCommandName */
export const acmeCommandNames: readonly AcmeCommandName[] = ['register', 'issue', 'renew', 'status', 'serve'];

/** What the flags of `sluice certs acme` say. Files are named, not read. */
export interface AcmeOptions {
  readonly directoryUrl: string;
  readonly trustedAuthoritiesFile: string | null;
  /** A directory, `redis://…`, or `@FILE` with the URL in it. */
  readonly storage: string;
  readonly storagePrefix: string;
  readonly passphraseFile: string | null;
  readonly keyFile: string | null;
  readonly json: boolean;
  readonly force: boolean;
  readonly termsAgreed: boolean;
  readonly contacts: readonly string[];
  readonly externalAccountId: string | null;
  readonly externalAccountKeyFile: string | null;
  readonly certificates: readonly AcmeCertificateSettings[];
  readonly httpListen: string | null;
  readonly tlsListen: string | null;
  readonly dnsHook: readonly string[];
  readonly dnsHookTimeoutMs: number;
  readonly dnsWaitMs: number;
  readonly dnsResolvers: readonly string[];
  readonly dnsTimeoutMs: number;
  /** SDS address of `serve`, or null. */
  readonly listen: string | null;
  /** Folder for `NAME.crt` and `NAME.key`, or null. */
  readonly writeTo: string | null;
}

/** Directories that can be named by a word. */
const knownDirectories: ReadonlyMap<string, string> = new Map([
  ['letsencrypt', 'https://acme-v02.api.letsencrypt.org/directory'],
  ['letsencrypt-staging', 'https://acme-staging-v02.api.letsencrypt.org/directory'],
]);

/** Reads the flags after the command's name. Throws {@link UsageError}, which names the flag. */
export function parseAcmeOptions(args: readonly string[]): AcmeOptions {
  const given = parseFlags(args, acmeFlags);
  if (given.words.length > 0) throw new UsageError(`what is '${given.words[0]}'? acme takes flags only`);
  const directory = given.text('directory') ?? '';
  return {
    directoryUrl: knownDirectories.get(directory) ?? directory,
    trustedAuthoritiesFile: given.text('ca'),
    storage: given.text('storage') ?? '',
    storagePrefix: given.text('storage-prefix') ?? 'sluice:acme:',
    passphraseFile: given.text('passphrase-file'),
    keyFile: given.text('key-file'),
    json: given.has('json'),
    force: given.has('force'),
    termsAgreed: given.has('agree-tos'),
    contacts: given.all('email'),
    externalAccountId: given.text('eab-kid'),
    externalAccountKeyFile: given.text('eab-hmac-file'),
    certificates: readCertificates(given),
    httpListen: hostAndPort(given, 'http-listen'),
    tlsListen: hostAndPort(given, 'tls-listen'),
    dnsHook: readHook(given),
    dnsHookTimeoutMs: given.lifetime('dns-hook-timeout', 60_000),
    dnsWaitMs: given.lifetime('dns-wait', 0),
    dnsResolvers: given.all('dns-resolver'),
    dnsTimeoutMs: given.lifetime('dns-timeout', parseLifetime('120s')),
    listen: given.text('listen'),
    writeTo: given.text('write-to'),
  };
}

/** What is missing or wrong for `command`, one sentence each; `keep` is serving without delivering. */
export function checkAcmeOptions(command: AcmeCommandName | 'keep', options: AcmeOptions): string[] {
  const problems: string[] = [];
  if (options.storage === '') problems.push('--storage is missing');
  if (options.directoryUrl === '' && command !== 'status') problems.push('--directory is missing');
  if (options.passphraseFile !== null && options.keyFile !== null)
    problems.push('--passphrase-file and --key-file exclude each other');
  if ((options.externalAccountId === null) !== (options.externalAccountKeyFile === null))
    problems.push('--eab-kid and --eab-hmac-file belong together');
  const names = options.certificates.map(({ name }) => name);
  if (new Set(names).size !== names.length) problems.push('two certificates have the same --name');
  const keeps = command === 'serve' || command === 'keep';
  if (command === 'issue' || keeps) {
    if (names.length === 0) problems.push('--name is missing');
    problems.push(...options.certificates.flatMap(checkAcmeCertificate));
    if (uses(options, 'dns-01') && options.dnsHook.length === 0)
      problems.push('--challenge dns-01 needs --dns-hook COMMAND');
  }
  if (keeps) problems.push(...checkAnswers(options));
  if (command === 'serve') problems.push(...checkDelivery(options));
  return problems;
}

/** `serve` has to answer what it orders; `issue` and `renew` may leave that to a `serve` with the same storage. */
function checkAnswers(options: AcmeOptions): string[] {
  const problems: string[] = [];
  if (uses(options, 'http-01') && options.httpListen === null)
    problems.push('--challenge http-01 needs --http-listen HOST:PORT, where the gateway sends the challenges');
  if (uses(options, 'tls-alpn-01') && options.tlsListen === null)
    problems.push('--challenge tls-alpn-01 needs --tls-listen HOST:PORT, where the gateway sends the challenges');
  return problems;
}

function checkDelivery({ listen, writeTo }: AcmeOptions): string[] {
  const problems: string[] = [];
  if (listen === null && writeTo === null)
    problems.push('serve delivers nothing without --listen ADDRESS (SDS) or --write-to DIR');
  if (listen !== null && !isLoopback(listen))
    problems.push(`--listen ${listen}: private keys are served here, so it must be a loopback address or unix:PATH`);
  return problems;
}

function uses(options: AcmeOptions, type: ChallengeType): boolean {
  return options.certificates.some(({ challenge }) => challenge === type);
}

type CertificateDraft = { -readonly [K in keyof AcmeCertificateSettings]: AcmeCertificateSettings[K] };

/** A flag before the first `--name` is for all certificates, after it for that one. */
function readCertificates(given: GivenFlags): AcmeCertificateSettings[] {
  const defaults: CertificateDraft = {
    name: '',
    dns: [],
    challenge: 'http-01',
    keyType: 'p256',
    preferredChain: null,
    profile: null,
  };
  const drafts: CertificateDraft[] = [];
  for (const [flag, value] of given.inOrder) {
    const target = drafts.at(-1) ?? defaults;
    if (flag === 'name') drafts.push({ ...defaults, name: value });
    else if (flag === 'challenge') target.challenge = oneOf(flag, value, challengeTypes);
    else if (flag === 'key-type') target.keyType = oneOf(flag, value, acmeKeyTypes);
    else if (flag === 'preferred-chain') target.preferredChain = value;
    else if (flag === 'profile') target.profile = value;
    else if (flag === 'dns') {
      if (target === defaults) throw new UsageError('--dns must come after --name');
      target.dns = [...target.dns, value.toLowerCase()];
    }
  }
  return drafts;
}

function readHook(given: GivenFlags): string[] {
  const command = given.text('dns-hook');
  const more = given.all('dns-hook-arg');
  if (command === null && more.length > 0) throw new UsageError('--dns-hook-arg needs --dns-hook');
  return command === null ? [] : [command, ...more];
}

function hostAndPort(given: GivenFlags, flag: string): string | null {
  const value = given.text(flag);
  if (value === null) return null;
  const match = /^(?:\[[0-9a-fA-F:.]+\]|[^:\s]+):([0-9]{1,5})$/.exec(value);
  if (match === null || Number(match[1]) > 65_535) throw new UsageError(`--${flag} ${value} is not HOST:PORT`);
  return value;
}
