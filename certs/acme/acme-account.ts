import { createHash } from 'node:crypto';
import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { SecretText } from '../ca/secret-text.ts';
import type { AcmeConnection, AcmeConnectionOptions, ExternalAccount } from './acme-connection.ts';
import { AcmeError } from './acme-error.ts';
import type { AcmeStorage } from './acme-storage.ts';
import type { AcmeTransport } from './acme-transport.ts';
import { wait } from './wait.ts';

/** What is stored of an account. */
interface StoredAccount {
  readonly directory: string;
  /** PKCS #8 PEM. */
  readonly key: string;
  /** Null until the authority has confirmed it: the key is stored first, so that no account is lost to a crash. */
  readonly url: string | null;
  readonly contacts: readonly string[];
  readonly registered: string | null;
}

/** What registration needs to know. */
export interface RegistrationSettings {
  readonly contacts: readonly string[];
  /** The operator has read and agrees to the authority's terms of service. */
  readonly termsAgreed: boolean;
  readonly externalAccount: ExternalAccount | null;
}

/** What an account works with. */
export interface AcmeAccountOptions {
  readonly directoryUrl: string;
  readonly storage: AcmeStorage;
  readonly transport: AcmeTransport;
  /** What to register with when there is no account yet and the terms are agreed to; null: never by itself. */
  readonly registration: RegistrationSettings | null;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
}

/** What can be told about an account: nothing secret. */
export interface AcmeAccountStatus {
  readonly directory: string;
  readonly account: string | null;
  readonly contacts: readonly string[];
  readonly registered: string | null;
}

const lockMs = 120_000;
const lockPauseMs = 500;
const lockTries = 240;

/** Last segment of the storage's keys that belong to one authority. */
export function directoryId(directoryUrl: string): string {
  return createHash('sha256').update(directoryUrl).digest('hex').slice(0, 16);
}

/** The one account that all replicas have with one authority. */
export class AcmeAccount {
  readonly #options: AcmeAccountOptions;
  readonly #key: string;
  #connection: Promise<AcmeConnection> | null = null;

  constructor(options: AcmeAccountOptions) {
    this.#options = options;
    this.#key = `account/${directoryId(options.directoryUrl)}`;
  }

  /**
   * A connection as this account, which is registered first where that was asked for. Throws `AcmeError`, of kind `settings` when
   * there is no account.
   */
  async connect(): Promise<AcmeConnection> {
    this.#connection ??= this.#open();
    try {
      return await this.#connection;
    } catch (error) {
      this.#connection = null;
      throw error;
    }
  }

  /** Begins anew with the next request: after a failure the authority's directory may be another. */
  disconnect(): void {
    this.#connection = null;
  }

  async status(): Promise<AcmeAccountStatus> {
    const stored = await this.#load();
    return {
      directory: this.#options.directoryUrl,
      account: stored?.url ?? null,
      contacts: stored?.contacts ?? [],
      registered: stored?.registered ?? null,
    };
  }

  /**
   * Registers the account, or updates the contacts of the one there is; answers its URL. The terms of service have to be agreed
   * to in so many words.
   */
  async register(settings: RegistrationSettings): Promise<string> {
    const { storage, directoryUrl, clock, log } = this.#options;
    const lock = await this.#lock();
    try {
      const { createKey } = await import('./signing-request.ts');
      const stored = await this.#load();
      const key = stored?.key ?? (await createKey('p256')).reveal();
      const connection = await this.#make(key, null, settings.externalAccount);
      const { termsOfService, externalAccountRequired } = await connection.directory();
      if (!settings.termsAgreed)
        throw new AcmeError(
          'settings',
          `account at ${directoryUrl}: the terms of service (${termsOfService ?? 'none named'}) have to be agreed to: --agree-tos`,
        );
      if (externalAccountRequired && settings.externalAccount === null && (stored?.url ?? null) === null)
        throw new AcmeError(
          'settings',
          `account at ${directoryUrl}: the authority binds accounts to its customers: give --eab-kid and --eab-hmac-file with what it handed out`,
        );
      const account: StoredAccount = {
        directory: directoryUrl,
        key,
        url: stored?.url ?? null,
        contacts: settings.contacts,
        registered: stored?.registered ?? null,
      };
      await storage.put(this.#key, JSON.stringify(account));
      let url: string;
      try {
        url = await connection.register(settings.contacts);
      } catch (error) {
        throw error instanceof AcmeError ? error.about(`account at ${directoryUrl}`) : error;
      }
      const registered = account.registered ?? new Date(clock.wallMs()).toISOString();
      await storage.put(this.#key, JSON.stringify({ ...account, url, registered }));
      log.info(`account ${url} at ${directoryUrl} is registered`);
      return url;
    } finally {
      await lock.release();
    }
  }

  async #open(): Promise<AcmeConnection> {
    const { registration } = this.#options;
    let stored = await this.#load();
    if ((stored?.url ?? null) === null && registration?.termsAgreed === true) {
      await this.register(registration);
      stored = await this.#load();
    }
    if (stored === null || stored.url === null)
      throw new AcmeError(
        'settings',
        `there is no account at ${this.#options.directoryUrl}: sluice certs acme register --agree-tos`,
      );
    return await this.#make(stored.key, stored.url, null);
  }

  async #make(
    key: string,
    accountUrl: string | null,
    externalAccount: AcmeConnectionOptions['externalAccount'],
  ): Promise<AcmeConnection> {
    const { AcmeConnection } = await import('./acme-connection.ts');
    const { directoryUrl, transport, clock } = this.#options;
    return new AcmeConnection({
      directoryUrl,
      accountKey: new SecretText(key),
      accountUrl,
      externalAccount,
      transport,
      clock,
    });
  }

  async #load(): Promise<StoredAccount | null> {
    const text = await this.#options.storage.get(this.#key);
    return text === null ? null : (JSON.parse(text) as StoredAccount);
  }

  async #lock(): Promise<{ release(): Promise<void> }> {
    for (let i = 0; i < lockTries; i++) {
      const lock = await this.#options.storage.acquire(this.#key, lockMs);
      if (lock !== null) return lock;
      await wait(this.#options.timers, lockPauseMs);
    }
    throw new AcmeError('storage', `account at ${this.#options.directoryUrl}: another process holds it`);
  }
}
