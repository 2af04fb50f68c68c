import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { IssuedCertificate } from '../ca/issued-certificate.ts';
import type { AcmeConnection } from './acme-connection.ts';
import { asAcmeError } from './acme-error.ts';
import { readRecord, writeRecord } from './acme-records.ts';
import type { AcmeStorage } from './acme-storage.ts';
import { chooseInWindow, nextAskMs, parseWindow, type RenewalPlan, renewalByLife } from './renewal-plan.ts';

/** What planning needs. */
export interface RenewalPlannerOptions {
  readonly storage: AcmeStorage;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Decides when certificates are renewed: where the authority suggests a window in it, else by their life. Plans are stored. */
export class RenewalPlanner {
  readonly #options: RenewalPlannerOptions;

  constructor(options: RenewalPlannerOptions) {
    this.#options = options;
  }

  /** The plan for a certificate, with renewal information when that is due. `connect` is called only then. */
  async plan(
    name: string,
    certificate: IssuedCertificate,
    connect: () => Promise<AcmeConnection>,
  ): Promise<RenewalPlan> {
    const { storage, clock, random } = this.#options;
    const stored = await readRecord(storage, 'renewal', name);
    const nowMs = clock.wallMs();
    const plan: RenewalPlan =
      stored !== null && stored.serial === certificate.serial
        ? stored
        : {
            serial: certificate.serial,
            renewAtMs: renewalByLife(certificate.notBeforeMs, certificate.notAfterMs, random),
            askAgainAtMs: 0,
            window: null,
          };
    if (plan.askAgainAtMs > nowMs) return plan;
    const asked = await this.#ask(name, certificate, plan, connect);
    await writeRecord(storage, 'renewal', name, asked);
    return asked;
  }

  async #ask(
    name: string,
    certificate: IssuedCertificate,
    plan: RenewalPlan,
    connect: () => Promise<AcmeConnection>,
  ): Promise<RenewalPlan> {
    const { clock, random, log } = this.#options;
    const later = (retryAfterMs: number | null): RenewalPlan => ({
      ...plan,
      askAgainAtMs: nextAskMs(clock.wallMs(), retryAfterMs),
    });
    try {
      const connection = await connect();
      const { renewalInfo } = await connection.directory();
      if (renewalInfo === null) return later(null);
      const { renewalIdentifier } = await import('./renewal-identifier.ts');
      const identifier = renewalIdentifier(certificate.chainPem);
      if (identifier === null) return later(null);
      const { value, retryAfterMs } = await connection.get(`${renewalInfo.replace(/\/$/, '')}/${identifier}`);
      const window = parseWindow(value);
      if (window === null) return later(retryAfterMs);
      const same = plan.window?.startMs === window.startMs && plan.window.endMs === window.endMs;
      const renewAtMs = same ? plan.renewAtMs : chooseInWindow(window, random);
      if (!same) {
        const why = (value as { explanationURL?: unknown }).explanationURL;
        const explained = typeof why === 'string' ? `, see ${why}` : '';
        log.info(
          `certificate '${name}': the authority suggests renewal at ${new Date(renewAtMs).toISOString()}${explained}`,
        );
      }
      return { ...later(retryAfterMs), renewAtMs, window };
    } catch (error) {
      // The plan there is goes on; RFC 9773 section 4.3.3.
      log.warning(`certificate '${name}': no renewal information: ${asAcmeError(error).message}`);
      return later(asAcmeError(error).retryAfterMs);
    }
  }
}
