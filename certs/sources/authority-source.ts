import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timer, Timers } from '#gateway/runtime/timers.ts';
import type { CertificateAuthority } from '../ca/certificate-authority.ts';
import { nameTexts } from '../ca/certificate-names.ts';
import { type CertificateRequest, requestedNames } from '../ca/certificate-request.ts';
import { CertificateError, type IssuedCertificate } from '../ca/issued-certificate.ts';
import { jitteredFraction, renewalDelayMs, renewalRetryMs } from '../ca/renewal-time.ts';
import type { CertificateSource, CertificateSourceListener, SourcedCertificateStatus } from './certificate-source.ts';

/** What the own authority is to keep issued. */
export interface AuthoritySourceOptions {
  readonly authority: CertificateAuthority;
  readonly requests: readonly CertificateRequest[];
  /** Share of a life after which a certificate is renewed. */
  readonly renewalFraction: number;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Spreads renewals; null: they come at their time exactly. */
  readonly random: Random | null;
  readonly log: Logger;
}

/** One certificate that is kept issued. */
interface Kept {
  readonly request: CertificateRequest;
  readonly timer: Timer;
  certificate: IssuedCertificate | null;
  dueMs: number;
  problem: string | null;
}

/** Certificates of the own authority: issued when missing, expired or asked for differently, and renewed in time. */
export class AuthoritySource implements CertificateSource {
  readonly kind = 'ca';
  readonly #options: AuthoritySourceOptions;
  readonly #kept = new Map<string, Kept>();
  #listener: CertificateSourceListener | null = null;
  #closed = false;

  constructor(options: AuthoritySourceOptions) {
    this.#options = options;
    for (const request of options.requests) {
      const timer = options.timers.create({ onTimer: () => void this.#renew(request.name) });
      this.#kept.set(request.name, { request, timer, certificate: null, dueMs: 0, problem: null });
    }
  }

  names(): readonly string[] {
    return [...this.#kept.keys()];
  }

  current(name: string): IssuedCertificate | null {
    return this.#kept.get(name)?.certificate ?? null;
  }

  async start(listener: CertificateSourceListener): Promise<void> {
    this.#listener = listener;
    for (const kept of this.#kept.values()) {
      const stored = this.#loadUsable(kept.request);
      if (stored === null) await this.#issue(kept);
      else this.#offer(kept, stored);
    }
  }

  async refresh(name: string): Promise<void> {
    const kept = this.#kept.get(name);
    if (kept === undefined) throw new CertificateError(`no certificate named '${name}'`);
    await this.#issue(kept);
  }

  /** Replaces what was revoked since, or is of an intermediate that was replaced. */
  async replaceRevoked(): Promise<void> {
    const { authority, log } = this.#options;
    for (const kept of this.#kept.values()) {
      const { certificate, request } = kept;
      if (certificate === null) continue;
      const revoked = (authority.log.get(certificate.serial)?.revoked ?? null) !== null;
      if (!revoked && certificate.issuedBy(authority.issuer)) continue;
      const why = revoked ? 'was revoked' : 'is of an intermediate that was replaced';
      log.warning(`${request.name}, serial ${certificate.serial}, ${why}: another takes its place`);
      await this.#renew(request.name);
    }
  }

  status(): SourcedCertificateStatus[] {
    return [...this.#kept].map(([name, { certificate, dueMs, problem }]) => ({
      name,
      source: this.kind,
      state: problem !== null ? 'failing' : certificate === null ? 'waiting' : 'ok',
      not_before: certificate === null ? null : new Date(certificate.notBeforeMs).toISOString(),
      not_after: certificate === null ? null : new Date(certificate.notAfterMs).toISOString(),
      serial: certificate?.serial ?? null,
      next_attempt: dueMs === 0 ? null : new Date(dueMs).toISOString(),
      problem,
    }));
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const { timer } of this.#kept.values()) timer.disable();
    return Promise.resolve();
  }

  /** The stored certificate, unless it is unusable, due, revoked, of another authority or says something else. */
  #loadUsable(request: CertificateRequest): IssuedCertificate | null {
    const { authority, clock, log, renewalFraction } = this.#options;
    try {
      const stored = authority.store.load(request.name);
      if (stored === null || !stored.issuedBy(authority.issuer)) return null;
      const record = authority.log.get(stored.serial);
      if (record === null || record.revoked !== null || record.template !== (request.template ?? 'peer')) return null;
      if (!sameNames(record.names, nameTexts(requestedNames(request)))) return null;
      const { notBeforeMs, notAfterMs } = stored;
      return renewalDelayMs(notBeforeMs, notAfterMs, renewalFraction, clock.wallMs()) === 0 ? null : stored;
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      log.warning(`${error.message}: issuing anew`);
      return null;
    }
  }

  async #issue(kept: Kept): Promise<void> {
    const { authority, log } = this.#options;
    const { request } = kept;
    const issued = await authority.issue(request, 'service');
    if (this.#closed) return;
    authority.store.save(request.name, issued);
    this.#offer(kept, issued);
    const until = new Date(issued.notAfterMs).toISOString();
    log.info(`issued ${request.name}, serial ${issued.serial}, valid until ${until}`);
  }

  #offer(kept: Kept, certificate: IssuedCertificate): void {
    const { clock, random, renewalFraction } = this.#options;
    const fraction = random === null ? renewalFraction : jitteredFraction(renewalFraction, random);
    kept.certificate = certificate;
    kept.problem = null;
    this.#listener?.onCertificate(kept.request.name, certificate);
    this.#renewIn(kept, renewalDelayMs(certificate.notBeforeMs, certificate.notAfterMs, fraction, clock.wallMs()));
  }

  #renewIn(kept: Kept, delayMs: number): void {
    kept.dueMs = this.#options.clock.wallMs() + delayMs;
    kept.timer.enable(delayMs);
  }

  /** A failed renewal leaves the old certificate in use and is tried again. */
  async #renew(name: string): Promise<void> {
    const kept = this.#kept.get(name)!;
    try {
      await this.#issue(kept);
    } catch (error) {
      kept.problem = (error as Error).message;
      this.#options.log.error(`cannot renew ${name}: ${kept.problem}`);
      if (!this.#closed) this.#renewIn(kept, renewalRetryMs);
    }
  }
}

function sameNames(one: readonly string[], other: readonly string[]): boolean {
  const have = new Set(one);
  return have.size === new Set(other).size && other.every((name) => have.has(name));
}
