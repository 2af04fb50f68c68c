import { readLifetime } from '../ca/lifetime.ts';
import {
  type AcmeCertificateSettings,
  type AcmeKeyType,
  acmeKeyTypes,
  type ChallengeType,
  challengeTypes,
  checkAcmeCertificate,
} from './acme-settings.ts';

/** Commands of `sluice certs acme`. */
export type AcmeCommandName = 'register' | 'issue' | 'renew' | 'status' | 'serve';
/** @see AcmeCommandName */
export const acmeCommandNames: readonly AcmeCommandName[] = ['register', 'issue', 'renew', 'status', 'serve'];

/** A wrong command line of `sluice certs acme`. */
export class AcmeUsageError extends Error {
  override readonly name: string = 'AcmeUsageError';
}

/** What the options of `sluice certs acme` say. Files are named, not read. */
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
const knownDirectories: Readonly<Record<string, string>> = {
  letsencrypt: 'https://acme-v02.api.letsencrypt.org/directory',
  'letsencrypt-staging': 'https://acme-staging-v02.api.letsencrypt.org/directory',
};

type Draft = { -readonly [K in keyof AcmeOptions]: AcmeOptions[K] };
type CertificateDraft = { -readonly [K in keyof AcmeCertificateSettings]: AcmeCertificateSettings[K] };

/** Reads the options after the command's name. Throws {@link AcmeUsageError}, which names the option. */
export function parseAcmeOptions(args: readonly string[]): AcmeOptions {
  const draft: Draft = {
    directoryUrl: '',
    trustedAuthoritiesFile: null,
    storage: '',
    storagePrefix: 'sluice:acme:',
    passphraseFile: null,
    keyFile: null,
    json: false,
    force: false,
    termsAgreed: false,
    contacts: [],
    externalAccountId: null,
    externalAccountKeyFile: null,
    certificates: [],
    httpListen: null,
    tlsListen: null,
    dnsHook: [],
    dnsHookTimeoutMs: 60_000,
    dnsWaitMs: 0,
    dnsResolvers: [],
    dnsTimeoutMs: 120_000,
    listen: null,
    writeTo: null,
  };
  const certificates: CertificateDraft[] = [];
  const defaults: CertificateDraft = {
    name: '',
    dns: [],
    challenge: 'http-01',
    keyType: 'p256',
    preferredChain: null,
    profile: null,
  };
  // Before the first --name an option is for all certificates, after it for that one.
  const target = (): CertificateDraft => certificates.at(-1) ?? defaults;
  const options: Readonly<Record<string, (value: string, option: string) => void>> = {
    '--directory': (value) => {
      draft.directoryUrl = knownDirectories[value] ?? value;
    },
    '--ca': (value) => {
      draft.trustedAuthoritiesFile = value;
    },
    '--storage': (value) => {
      draft.storage = value;
    },
    '--storage-prefix': (value) => {
      draft.storagePrefix = value;
    },
    '--passphrase-file': (value) => {
      draft.passphraseFile = value;
    },
    '--key-file': (value) => {
      draft.keyFile = value;
    },
    '--email': (value) => {
      draft.contacts = [...draft.contacts, value];
    },
    '--eab-kid': (value) => {
      draft.externalAccountId = value;
    },
    '--eab-hmac-file': (value) => {
      draft.externalAccountKeyFile = value;
    },
    '--name': (value) => {
      certificates.push({ ...defaults, name: value });
    },
    '--dns': (value) => {
      if (certificates.length === 0) throw new AcmeUsageError('--dns must come after --name');
      target().dns = [...target().dns, value.toLowerCase()];
    },
    '--challenge': (value, option) => {
      target().challenge = oneOf<ChallengeType>(option, value, challengeTypes);
    },
    '--key-type': (value, option) => {
      target().keyType = oneOf<AcmeKeyType>(option, value, acmeKeyTypes);
    },
    '--preferred-chain': (value) => {
      target().preferredChain = value;
    },
    '--profile': (value) => {
      target().profile = value;
    },
    '--http-listen': (value, option) => {
      draft.httpListen = hostAndPort(option, value);
    },
    '--tls-listen': (value, option) => {
      draft.tlsListen = hostAndPort(option, value);
    },
    '--dns-hook': (value) => {
      draft.dnsHook = [value];
    },
    '--dns-hook-arg': (value, option) => {
      if (draft.dnsHook.length === 0) throw new AcmeUsageError(`${option} must come after --dns-hook`);
      draft.dnsHook = [...draft.dnsHook, value];
    },
    '--dns-hook-timeout': (value, option) => {
      draft.dnsHookTimeoutMs = time(option, value);
    },
    '--dns-wait': (value, option) => {
      draft.dnsWaitMs = time(option, value);
    },
    '--dns-resolver': (value) => {
      draft.dnsResolvers = [...draft.dnsResolvers, value];
    },
    '--dns-timeout': (value, option) => {
      draft.dnsTimeoutMs = time(option, value);
    },
    '--listen': (value) => {
      draft.listen = value;
    },
    '--write-to': (value) => {
      draft.writeTo = value;
    },
  };
  const flags: Readonly<Record<string, () => void>> = {
    '--json': () => {
      draft.json = true;
    },
    '--force': () => {
      draft.force = true;
    },
    '--agree-tos': () => {
      draft.termsAgreed = true;
    },
  };
  for (let i = 0; i < args.length; i++) {
    const option = args[i]!;
    if (Object.hasOwn(flags, option)) {
      flags[option]!();
      continue;
    }
    if (!Object.hasOwn(options, option)) throw new AcmeUsageError(`no option '${option}'`);
    const value = args[++i];
    if (value === undefined || value === '') throw new AcmeUsageError(`${option} needs a value`);
    options[option]!(value, option);
  }
  return { ...draft, certificates };
}

/** What is missing or wrong for `command`, one sentence each. */
export function checkAcmeOptions(command: AcmeCommandName, options: AcmeOptions): string[] {
  const problems: string[] = [];
  if (options.storage === '') problems.push('--storage is missing');
  if (options.directoryUrl === '' && command !== 'status') problems.push('--directory is missing');
  if (options.passphraseFile !== null && options.keyFile !== null)
    problems.push('--passphrase-file and --key-file exclude each other');
  if ((options.externalAccountId === null) !== (options.externalAccountKeyFile === null))
    problems.push('--eab-kid and --eab-hmac-file belong together');
  const names = options.certificates.map(({ name }) => name);
  if (new Set(names).size !== names.length) problems.push('two certificates have the same --name');
  if (command === 'issue' || command === 'serve') {
    if (names.length === 0) problems.push('--name is missing');
    problems.push(...options.certificates.flatMap(checkAcmeCertificate));
  }
  if (command === 'serve') problems.push(...checkAnswers(options));
  if (options.certificates.some(({ challenge }) => challenge === 'dns-01') && options.dnsHook.length === 0)
    if (command === 'issue' || command === 'serve') problems.push('--challenge dns-01 needs --dns-hook COMMAND');
  return problems;
}

/** `serve` has to answer what it orders; `issue` and `renew` may leave that to a `serve` with the same storage. */
function checkAnswers(options: AcmeOptions): string[] {
  const problems: string[] = [];
  const uses = (type: ChallengeType): boolean => options.certificates.some(({ challenge }) => challenge === type);
  if (uses('http-01') && options.httpListen === null)
    problems.push('--challenge http-01 needs --http-listen HOST:PORT, where the gateway sends the challenges');
  if (uses('tls-alpn-01') && options.tlsListen === null)
    problems.push('--challenge tls-alpn-01 needs --tls-listen HOST:PORT, where the gateway sends the challenges');
  if (options.listen === null && options.writeTo === null)
    problems.push('serve delivers nothing without --listen ADDRESS (SDS) or --write-to DIR');
  return problems;
}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((word) => word === value);
  if (found === undefined) throw new AcmeUsageError(`${option} ${value}: it is one of ${allowed.join(', ')}`);
  return found;
}

function time(option: string, value: string): number {
  const ms = readLifetime(value);
  if (ms === null) throw new AcmeUsageError(`${option} ${value}: it is a time such as 30s, 5m or 1h`);
  return ms;
}

function hostAndPort(option: string, value: string): string {
  const match = /^(?:\[[0-9a-fA-F:.]+\]|[^:\s]+):([0-9]{1,5})$/.exec(value);
  if (match === null || Number(match[1]) > 65_535) throw new AcmeUsageError(`${option} ${value}: it is HOST:PORT`);
  return value;
}
