import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { IssuedCertificate } from '../ca/issued-certificate.ts';
import type {
  CertificateSource,
  CertificateSourceListener,
  SourcedCertificateStatus,
} from '../sources/certificate-source.ts';
import type { AcmeAccount, AcmeAccountStatus } from './acme-account.ts';
import { AcmeError } from './acme-error.ts';
import { AcmeOrderRunner } from './acme-order-runner.ts';
import type { AcmeCertificateSettings } from './acme-settings.ts';
import type { AcmeStorage } from './acme-storage.ts';
import { CertificateTask, type TaskOutcome } from './certificate-task.ts';
import type { ChallengeResponder } from './challenge-responder.ts';
import { OrderGate } from './order-gate.ts';
import { RenewalPlanner } from './renewal-planner.ts';

/** What keeping certificates by ACME needs. */
export interface AcmeSourceOptions {
  readonly directoryUrl: string;
  readonly certificates: readonly AcmeCertificateSettings[];
  readonly storage: AcmeStorage;
  readonly account: AcmeAccount;
  /** One for each type of challenge in use. */
  readonly responders: readonly ChallengeResponder[];
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
  /** How often the storage is looked at for what other replicas did, milliseconds; five seconds when absent. */
  readonly lookAgainMs?: number;
}

const defaultLookAgainMs = 5000;
/** Orders that one process has under way: a hundred names at a first start are no burst at the authority. */
const ordersAtOnce = 4;

/** Certificates from an ACME authority. RFC 8555. Owns neither the storage nor the challenge servers. */
export class AcmeSource implements CertificateSource {
  readonly kind = 'acme';
  readonly #options: AcmeSourceOptions;
  readonly #tasks = new Map<string, CertificateTask>();
  #listener: CertificateSourceListener | null = null;

  constructor(options: AcmeSourceOptions) {
    this.#options = options;
    const runner = new AcmeOrderRunner(options);
    const planner = new RenewalPlanner(options);
    const gate = new OrderGate(ordersAtOnce);
    for (const settings of options.certificates) {
      const task = new CertificateTask(settings, {
        ...options,
        runner,
        planner,
        gate,
        lookAgainMs: options.lookAgainMs ?? defaultLookAgainMs,
        onCertificate: (name, certificate) => this.#listener?.onCertificate(name, certificate),
      });
      this.#tasks.set(settings.name, task);
    }
  }

  names(): readonly string[] {
    return [...this.#tasks.keys()];
  }

  current(name: string): IssuedCertificate | null {
    return this.#tasks.get(name)?.current ?? null;
  }

  async start(listener: CertificateSourceListener): Promise<void> {
    this.#listener = listener;
    for (const task of this.#tasks.values()) await task.start();
  }

  async refresh(name: string): Promise<void> {
    await this.order(name, true);
  }

  /** One look at one certificate, and an order when it is due or `force`d. Throws `AcmeError`. */
  async order(name: string, force: boolean): Promise<TaskOutcome> {
    const task = this.#tasks.get(name);
    if (task === undefined) throw new AcmeError('settings', `no certificate named '${name}'`);
    return await task.run(force);
  }

  /** Reads what is stored, without asking the authority. */
  async load(): Promise<void> {
    for (const task of this.#tasks.values()) await task.load();
  }

  status(): SourcedCertificateStatus[] {
    return [...this.#tasks.values()].map((task) => task.status());
  }

  async accountStatus(): Promise<AcmeAccountStatus> {
    return await this.#options.account.status();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#tasks.values()].map((task) => task.stop()));
    this.#listener = null;
  }
}
