import { Buffer } from 'node:buffer';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { StoreSecret } from '../ca/encrypted-private-key.ts';
import { AcmeError } from './acme-error.ts';
import type { AcmeStorage, StorageLock } from './acme-storage.ts';
import { wait } from './wait.ts';

const headKey = 'seal';
const version = 'sealed1';
/** Rounds of PBKDF2-HMAC-SHA256: OWASP's advice of 2023, as for the keys of the own authority. */
const rounds = 600_000;
const nonceOctets = 12;
const tagOctets = 16;

/** How long another process may take to make the storage: two hundred looks, a tenth of a second apart. */
const createTries = 200;
const createPauseMs = 100;

interface Head {
  readonly salt: string;
  /** A known text, sealed: tells a wrong passphrase at once. */
  readonly check: string;
}

/**
 * Another storage whose values are encrypted with AES-256-GCM under a key made from a passphrase or a key file. The key's name is
 * authenticated with its value, so that values cannot be exchanged. Names, locks and the number of values stay visible.
 */
export class SealedStorage implements AcmeStorage {
  readonly #inner: AcmeStorage;
  readonly #key: Buffer;

  private constructor(inner: AcmeStorage, key: Buffer) {
    this.#inner = inner;
    this.#key = key;
  }

  /** Opens `inner`, or seals it when it is empty. Throws `AcmeError` when the passphrase is wrong or `inner` is not sealed. */
  static async open(inner: AcmeStorage, secret: StoreSecret, timers: Timers): Promise<SealedStorage> {
    for (let i = 0; i < createTries; i++) {
      const stored = await inner.get(headKey);
      const storage =
        stored === null
          ? await SealedStorage.#create(inner, secret)
          : SealedStorage.#read(inner, secret, JSON.parse(stored) as Head);
      if (storage !== null) return storage;
      await wait(timers, createPauseMs);
    }
    throw new AcmeError(
      'storage',
      'another process has been making the storage for long: remove its lock or try again',
    );
  }

  static #read(inner: AcmeStorage, secret: StoreSecret, head: Head): SealedStorage {
    const storage = new SealedStorage(inner, deriveKey(secret, head.salt));
    storage.#unseal(headKey, head.check); // throws when the passphrase is another
    return storage;
  }

  /** Null when another process is doing the same. */
  static async #create(inner: AcmeStorage, secret: StoreSecret): Promise<SealedStorage | null> {
    const lock = await inner.acquire(headKey, 30_000);
    if (lock === null) return null;
    try {
      if ((await inner.get(headKey)) !== null) return null;
      if ((await inner.list('account')).length > 0)
        throw new AcmeError(
          'settings',
          'the storage is in use without a passphrase: leave it out, or begin a new storage',
        );
      const salt = randomBytes(16).toString('base64');
      const storage = new SealedStorage(inner, deriveKey(secret, salt));
      await inner.put(headKey, JSON.stringify({ salt, check: storage.#seal(headKey, version) }));
      return storage;
    } finally {
      await lock.release();
    }
  }

  async get(key: string): Promise<string | null> {
    const stored = await this.#inner.get(key);
    return stored === null ? null : this.#unseal(key, stored);
  }

  async put(key: string, value: string, lifetimeMs?: number): Promise<void> {
    await this.#inner.put(key, this.#seal(key, value), lifetimeMs);
  }

  async delete(key: string): Promise<void> {
    await this.#inner.delete(key);
  }

  async list(folder: string): Promise<string[]> {
    return await this.#inner.list(folder);
  }

  async acquire(key: string, lifetimeMs: number): Promise<StorageLock | null> {
    return await this.#inner.acquire(key, lifetimeMs);
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }

  #seal(key: string, value: string): string {
    const nonce = randomBytes(nonceOctets);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce);
    cipher.setAAD(Buffer.from(key));
    const sealed = Buffer.concat([nonce, cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `${version}:${sealed.toString('base64')}`;
  }

  #unseal(key: string, stored: string): string {
    if (!stored.startsWith(`${version}:`)) throw new AcmeError('storage', `${key} is not sealed`);
    const octets = Buffer.from(stored.slice(version.length + 1), 'base64');
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, octets.subarray(0, nonceOctets));
      decipher.setAAD(Buffer.from(key));
      decipher.setAuthTag(octets.subarray(-tagOctets));
      const text = decipher.update(octets.subarray(nonceOctets, -tagOctets));
      return Buffer.concat([text, decipher.final()]).toString('utf8');
    } catch {
      throw new AcmeError('settings', `${key} cannot be decrypted: is this the passphrase of this storage?`);
    }
  }
}

function deriveKey(secret: StoreSecret, salt: string): Buffer {
  return secret.derive(Buffer.from(salt, 'base64'), rounds, 32, 'sha256');
}

/** Throws when `storage` was sealed and no passphrase is given. */
export async function requireUnsealed(storage: AcmeStorage): Promise<void> {
  if ((await storage.get(headKey)) !== null)
    throw new AcmeError('settings', 'the storage is sealed: give --passphrase-file or --key-file');
}
