import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timer, Timers } from '#gateway/runtime/timers.ts';
import { CertificateError, type IssuedCertificate } from '../ca/issued-certificate.ts';
import type { SourcedCertificateStatus } from '../sources/certificate-source.ts';
import { type AcmeAccount, directoryId } from './acme-account.ts';
import { AcmeError, asAcmeError } from './acme-error.ts';
import type { AcmeOrderRunner } from './acme-order-runner.ts';
import { certificateOf, deleteRecord, type FailureRecord, readRecord, writeRecord } from './acme-records.ts';
import { type AcmeCertificateSettings, sameCertificate } from './acme-settings.ts';
import type { AcmeStorage, StorageLock } from './acme-storage.ts';
import { failureDelayMs } from './failure-backoff.ts';
import type { OrderGate } from './order-gate.ts';
import type { RenewalPlanner } from './renewal-planner.ts';

/** What all certificates of one account share. */
export interface CertificateTaskOptions {
  readonly directoryUrl: string;
  readonly storage: AcmeStorage;
  readonly account: AcmeAccount;
  readonly runner: AcmeOrderRunner;
  readonly planner: RenewalPlanner;
  readonly gate: OrderGate;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
  /** The storage is looked at again after this long for what other replicas did, milliseconds. */
  readonly lookAgainMs: number;
  /** Called with every new certificate, of this process and of other replicas. */
  readonly onCertificate: (name: string, certificate: IssuedCertificate) => void;
}

/** What one look at a certificate came to. */
export type TaskOutcome = 'current' | 'issued' | 'elsewhere' | 'held';

const lockMs = 60_000;
const renewLockMs = 20_000;

/**
 * A limit on one name may last for days; the account's other certificates wait this long at most, milliseconds. (The problem
 * document does not say whether the account, the name or the address is limited.)
 */
const longestHoldMs = 15 * 60_000;

/**
 * Keeps one certificate: looks at the storage, decides whether an order is due, takes the lock, orders, and plans the next look.
 * All that matters is in the storage, so that replicas and restarts agree: the certificate, the renewal plan, the failures.
 */
export class CertificateTask {
  readonly settings: AcmeCertificateSettings;
  readonly #options: CertificateTaskOptions;
  readonly #timer: Timer;
  readonly #abort = new AbortController();
  #current: IssuedCertificate | null = null;
  #failure: FailureRecord | null = null;
  #dueMs: number | null = null;
  #running: Promise<TaskOutcome> | null = null;
  /** The failure that was logged last. */
  #told = '';

  constructor(settings: AcmeCertificateSettings, options: CertificateTaskOptions) {
    this.settings = settings;
    this.#options = options;
    this.#timer = options.timers.create({ onTimer: () => void this.#tick() });
  }

  get current(): IssuedCertificate | null {
    return this.#current;
  }

  /** Offers what is stored; then goes on by itself. */
  async start(): Promise<void> {
    await this.load();
    this.#timer.enable(0);
  }

  /** Looks at the storage only: no order is made and the authority is not asked. */
  async load(): Promise<void> {
    const { storage } = this.#options;
    const { name } = this.settings;
    this.#failure = await readRecord(storage, 'failure', name);
    await this.#loadCertificate();
    if (this.#dueMs !== null) return;
    const plan = await readRecord(storage, 'renewal', name);
    const planned = plan !== null && plan.serial === this.#current?.serial ? plan.renewAtMs : null;
    this.#dueMs = this.#failure?.nextAttemptMs ?? planned;
  }

  /**
   * One look, and an order when one is due or `force` asks for it. `force` overrides the back-off after failures, never what the
   * authority asked for. Throws `AcmeError` when the order failed.
   */
  async run(force: boolean): Promise<TaskOutcome> {
    while (this.#running !== null) await this.#running.catch(() => {});
    this.#running = this.#run(force);
    try {
      return await this.#running;
    } finally {
      this.#running = null;
    }
  }

  async stop(): Promise<void> {
    this.#timer.disable();
    this.#abort.abort();
    await this.#running?.catch(() => {});
    this.#timer.disable();
  }

  status(): SourcedCertificateStatus {
    const date = (ms: number): string => new Date(ms).toISOString();
    const current = this.#current;
    return {
      name: this.settings.name,
      source: 'acme',
      state: this.#failure !== null ? 'failing' : current === null ? 'waiting' : 'ok',
      not_before: current === null ? null : date(current.notBeforeMs),
      not_after: current === null ? null : date(current.notAfterMs),
      serial: current?.serial ?? null,
      next_attempt: this.#dueMs === null ? null : date(this.#dueMs),
      problem: this.#failure?.message ?? null,
    };
  }

  async #tick(): Promise<void> {
    const { clock, log, lookAgainMs } = this.#options;
    try {
      await this.run(false);
      this.#told = '';
    } catch (error) {
      const failure = asAcmeError(error);
      if (this.#dueMs === null || this.#dueMs <= clock.wallMs()) this.#dueMs = clock.wallMs() + lookAgainMs;
      const told = failure.message === this.#told;
      this.#told = failure.message;
      // A storage that is out of reach is met with every look: it is told once.
      if (!told && !this.#abort.signal.aborted)
        log.error(`${failure.message}; next attempt ${new Date(this.#dueMs).toISOString()}`);
    }
    if (this.#abort.signal.aborted) return;
    const untilDueMs = (this.#dueMs ?? 0) - clock.wallMs();
    this.#timer.enable(Math.max(250, Math.min(untilDueMs, lookAgainMs)));
  }

  async #run(force: boolean): Promise<TaskOutcome> {
    const { clock } = this.#options;
    await this.load();
    this.#dueMs = await this.#due(force);
    if (this.#dueMs > clock.wallMs()) {
      if (!force) return 'current';
      throw await this.#holdError();
    }
    const leave = await this.#options.gate.enter();
    try {
      return await this.#orderLocked();
    } finally {
      leave();
    }
  }

  /** Takes the lock, looks once more, orders. */
  async #orderLocked(): Promise<TaskOutcome> {
    const { clock, storage, lookAgainMs } = this.#options;
    if (this.#abort.signal.aborted) return 'held';
    const lock = await storage.acquire(`order/${this.settings.name}`, lockMs);
    if (lock === null) {
      this.#dueMs = clock.wallMs() + lookAgainMs;
      return 'held';
    }
    try {
      const before = this.#current?.serial;
      // Another replica may have been at work until the lock was free.
      await this.load();
      if (this.#current !== null && this.#current.serial !== before) {
        this.#dueMs = await this.#due(false);
        return 'elsewhere';
      }
      await this.#order(lock);
      this.#dueMs = await this.#due(false);
      return 'issued';
    } finally {
      await lock.release();
    }
  }

  /** When an order is due, wall-clock milliseconds. */
  async #due(force: boolean): Promise<number> {
    const { storage, planner, account, directoryUrl, clock } = this.#options;
    const nowMs = clock.wallMs();
    const hold = await readRecord(storage, 'hold', directoryId(directoryUrl));
    const heldUntilMs = hold?.untilMs ?? 0;
    if (force) return Math.max(heldUntilMs, nowMs);
    const notBeforeMs = Math.max(heldUntilMs, this.#failure?.nextAttemptMs ?? 0);
    const current = this.#current;
    if (current === null || !(await this.#fits())) return Math.max(notBeforeMs, nowMs);
    const plan = await planner.plan(this.settings.name, current, () => account.connect());
    return Math.max(notBeforeMs, plan.renewAtMs);
  }

  /** Whether the stored certificate is what the settings ask for now. */
  async #fits(): Promise<boolean> {
    const record = await readRecord(this.#options.storage, 'certificate', this.settings.name);
    return (
      record !== null &&
      record.directory === this.#options.directoryUrl &&
      sameCertificate(record.settings, this.settings)
    );
  }

  async #loadCertificate(): Promise<void> {
    const { storage, log, onCertificate } = this.#options;
    const record = await readRecord(storage, 'certificate', this.settings.name);
    if (record === null) return;
    try {
      const certificate = certificateOf(record);
      if (certificate.serial === this.#current?.serial) return;
      this.#current = certificate;
      onCertificate(this.settings.name, certificate);
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      log.error(`certificate '${this.settings.name}': what is stored is unusable: ${error.message}`);
    }
  }

  async #order(lock: StorageLock): Promise<void> {
    const { account, runner, timers, storage } = this.#options;
    const lost = new AbortController();
    const stop = (): void => lost.abort();
    this.#abort.signal.addEventListener('abort', stop, { once: true });
    if (this.#abort.signal.aborted) lost.abort();
    const keeper = timers.create({
      onTimer: () => {
        lock.extend().then(
          (held) => (held ? keeper.enable(renewLockMs) : lost.abort()),
          () => keeper.enable(renewLockMs / 4), // the lock outlives a short outage of the storage
        );
      },
    });
    keeper.enable(renewLockMs);
    try {
      const connection = await account.connect();
      const replaces = await this.#replaces(connection);
      await runner.run(connection, this.settings, replaces, lost.signal);
      await deleteRecord(storage, 'failure', this.settings.name);
      await this.load();
    } catch (error) {
      if (!lost.signal.aborted) await this.#failed(asAcmeError(error));
      throw error;
    } finally {
      keeper.disable();
      this.#abort.signal.removeEventListener('abort', stop);
    }
  }

  /** The renewed certificate's identifier, where the authority offers renewal information and issued it itself. */
  async #replaces(connection: { directory(): Promise<{ renewalInfo: string | null }> }): Promise<string | null> {
    const { renewalInfo } = await connection.directory();
    const record = await readRecord(this.#options.storage, 'certificate', this.settings.name);
    if (renewalInfo === null || record === null || record.directory !== this.#options.directoryUrl) return null;
    const { renewalIdentifier } = await import('./renewal-identifier.ts');
    return renewalIdentifier(record.chain);
  }

  /** Failures are stored, so that neither a restart nor another replica tries sooner. */
  async #failed(error: AcmeError): Promise<void> {
    const { storage, clock, random, directoryUrl, account } = this.#options;
    account.disconnect();
    const nowMs = clock.wallMs();
    const failures = (this.#failure?.failures ?? 0) + 1;
    const nextAttemptMs = nowMs + failureDelayMs(failures, error.kind, error.retryAfterMs, random);
    const { settings } = this;
    const { kind, message } = error;
    this.#failure = { settings, directory: directoryUrl, failures, kind, message, atMs: nowMs, nextAttemptMs };
    this.#dueMs = nextAttemptMs;
    await writeRecord(storage, 'failure', this.settings.name, this.#failure);
    if (error.kind === 'rate_limited') {
      const untilMs = nowMs + Math.min(error.retryAfterMs ?? longestHoldMs, longestHoldMs);
      await writeRecord(storage, 'hold', directoryId(directoryUrl), { untilMs, reason: error.message });
    }
  }

  async #holdError(): Promise<AcmeError> {
    const hold = await readRecord(this.#options.storage, 'hold', directoryId(this.#options.directoryUrl));
    const untilMs = hold?.untilMs ?? this.#dueMs ?? 0;
    return new AcmeError(
      'rate_limited',
      `certificate '${this.settings.name}': the authority is left alone until ${new Date(untilMs).toISOString()}: ${hold?.reason ?? ''}`,
      { retryAfterMs: Math.max(0, untilMs - this.#options.clock.wallMs()) },
    );
  }
}
