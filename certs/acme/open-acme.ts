import { readFileSync } from 'node:fs';
import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { SecretText } from '../ca/secret-text.ts';
import { readKeyFile, readPassphraseFile } from '../store/private-file.ts';
import { AcmeAccount, type RegistrationSettings } from './acme-account.ts';
import type { ExternalAccount } from './acme-connection.ts';
import { AcmeError } from './acme-error.ts';
import type { AcmeOptions } from './acme-options.ts';
import type { AcmeCertificateSettings } from './acme-settings.ts';
import { AcmeSource } from './acme-source.ts';
import type { AcmeStorage } from './acme-storage.ts';
import { AcmeTransport } from './acme-transport.ts';
import type { ChallengeResponder } from './challenge-responder.ts';
import { ChallengeServers } from './challenge-servers.ts';
import { DiskStorage } from './disk-storage.ts';
import { DnsHook } from './dns-hook.ts';
import { createPropagationCheck } from './dns-propagation.ts';
import { requireUnsealed, SealedStorage } from './sealed-storage.ts';
import { StoredChallenges } from './stored-challenges.ts';

/** What the parts of ACME take from their surroundings. */
export interface AcmeSurroundings {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
}

/** Opens the storage that the options name, and decrypts it where they say with what. Throws `AcmeError`. */
export async function openStorage(options: AcmeOptions, surroundings: AcmeSurroundings): Promise<AcmeStorage> {
  const { clock, random, timers } = surroundings;
  const where = options.storage.startsWith('@')
    ? readText('--storage', options.storage.slice(1)).trim()
    : options.storage;
  let storage: AcmeStorage;
  if (/^rediss?:\/\//.test(where)) {
    const { RedisStorage } = await import('./redis-storage.ts');
    storage = new RedisStorage(where, options.storagePrefix, random);
  } else storage = new DiskStorage(where, clock, random);
  try {
    if (options.passphraseFile !== null)
      return await SealedStorage.open(storage, readPassphraseFile(options.passphraseFile), timers);
    if (options.keyFile !== null) return await SealedStorage.open(storage, readKeyFile(options.keyFile), timers);
    await requireUnsealed(storage);
    return storage;
  } catch (error) {
    await storage.close();
    throw error;
  }
}

/** The account of the options' directory in a storage. */
export function openAccount(options: AcmeOptions, storage: AcmeStorage, surroundings: AcmeSurroundings): AcmeAccount {
  const { trustedAuthoritiesFile, directoryUrl } = options;
  const trustedAuthorities = trustedAuthoritiesFile === null ? null : readText('--ca', trustedAuthoritiesFile);
  if (trustedAuthorities !== null && !trustedAuthorities.includes('-----BEGIN CERTIFICATE-----'))
    throw new AcmeError('settings', `--ca ${trustedAuthoritiesFile}: no PEM certificate in it`);
  const transport = new AcmeTransport({ trustedAuthorities, timers: surroundings.timers });
  return new AcmeAccount({
    ...surroundings,
    directoryUrl,
    storage,
    transport,
    registration: readRegistration(options),
  });
}

/** What the options say about registration. Throws `AcmeError`. */
export function readRegistration(options: AcmeOptions): RegistrationSettings {
  const { contacts, termsAgreed } = options;
  return { contacts, termsAgreed, externalAccount: readExternalAccount(options) };
}

function readExternalAccount(options: AcmeOptions): ExternalAccount | null {
  const { externalAccountId, externalAccountKeyFile } = options;
  if (externalAccountId === null || externalAccountKeyFile === null) return null;
  const text = readText('--eab-hmac-file', externalAccountKeyFile).trim();
  if (!/^[A-Za-z0-9_+/-]+=*$/.test(text))
    throw new AcmeError('settings', `--eab-hmac-file ${externalAccountKeyFile}: it holds no base64url text`);
  return { kid: externalAccountId, hmacKey: new SecretText(text) };
}

/** ACME as a part of a service: the source, with all that it needs, open and listening. */
export interface OpenAcme {
  readonly source: AcmeSource;
  readonly servers: ChallengeServers;
  /** Ends the source, the challenge servers and the storage. */
  close(): Promise<void>;
}

/**
 * Opens all that keeps the options' certificates: storage, account, challenge servers, source. The authority is not asked yet, and
 * the source is not started. Throws `AcmeError`; nothing stays open then.
 */
export async function openAcme(options: AcmeOptions, surroundings: AcmeSurroundings): Promise<OpenAcme> {
  const storage = await openStorage(options, surroundings);
  const closers: (() => Promise<void>)[] = [() => storage.close()];
  const close = async (): Promise<void> => {
    for (const one of closers.splice(0).reverse()) await one();
  };
  try {
    const account = openAccount(options, storage, surroundings);
    const servers = await ChallengeServers.start({ ...options, ...surroundings, storage });
    closers.push(() => servers.close());
    const source = openSource(options, options.certificates, storage, account, surroundings);
    closers.push(() => source.close());
    return { source, servers, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The source of the certificates in `certificates`. */
export function openSource(
  options: AcmeOptions,
  certificates: readonly AcmeCertificateSettings[],
  storage: AcmeStorage,
  account: AcmeAccount,
  surroundings: AcmeSurroundings,
): AcmeSource {
  const { directoryUrl } = options;
  const responders = createResponders(options, storage, surroundings);
  return new AcmeSource({ ...surroundings, directoryUrl, certificates, storage, account, responders });
}

function createResponders(
  options: AcmeOptions,
  storage: AcmeStorage,
  surroundings: AcmeSurroundings,
): ChallengeResponder[] {
  const responders: ChallengeResponder[] = [
    new StoredChallenges('http-01', storage),
    new StoredChallenges('tls-alpn-01', storage),
  ];
  if (options.dnsHook.length === 0) return responders;
  const { timers, clock, log } = surroundings;
  const propagation =
    options.dnsResolvers.length === 0
      ? null
      : createPropagationCheck({ resolvers: options.dnsResolvers, timeoutMs: options.dnsTimeoutMs, clock, timers });
  responders.push(
    new DnsHook({
      command: options.dnsHook,
      timeoutMs: options.dnsHookTimeoutMs,
      waitMs: options.dnsWaitMs,
      propagation,
      timers,
      log,
    }),
  );
  return responders;
}

function readText(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new AcmeError('settings', `${option}: ${(error as Error).message}`);
  }
}
