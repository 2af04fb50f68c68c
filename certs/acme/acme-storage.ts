/** A lock that this process holds. */
export interface StorageLock {
  /** Keeps it for another lifetime; false when it was lost: then another process may be at work. */
  extend(): Promise<boolean>;
  /** Gives it back; harmless when it was lost. */
  release(): Promise<void>;
}

/**
 * Where accounts, orders, challenges and certificates are kept, shared by replicas. Values are private: disks keep them in
 * files of mode 0600. Keys are segments of `[A-Za-z0-9._-]` joined by `/`. Every method throws an `AcmeError` of kind
 * `storage` when the store cannot be used.
 */
export interface AcmeStorage {
  get(key: string): Promise<string | null>;
  /** Replaces a value in one step. With `lifetimeMs` it may vanish after that time. */
  put(key: string, value: string, lifetimeMs?: number): Promise<void>;
  delete(key: string): Promise<void>;
  /** Last segments of the keys `folder/…`, sorted. */
  list(folder: string): Promise<string[]>;
  /** Takes the lock `key` for `lifetimeMs`; null when another holds it. */
  acquire(key: string, lifetimeMs: number): Promise<StorageLock | null>;
  close(): Promise<void>;
}
