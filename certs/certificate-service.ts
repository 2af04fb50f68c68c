import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timer, Timers } from '#gateway/runtime/timers.ts';
import { type CertificateRequest, checkCertificateRequest } from './ca/certificate-request.ts';
import { CertificateError, type IssuedCertificate } from './ca/issued-certificate.ts';
import { defaultRenewalFraction, renewalDelayMs, renewalRetryMs } from './ca/renewal-time.ts';
import { SdsServer } from './sds/sds-server.ts';
import { SecretResources, tlsCertificateSecret, validationContextSecret } from './sds/secret-resources.ts';
import { CertificateStore } from './store/certificate-store.ts';

/** What the certificate service is to do. */
export interface CertificateServiceOptions {
  /** Where the authority and the certificates are kept. */
  readonly directory: string;
  /** SDS address: loopback `host:port` or `unix:PATH`. Null: no SDS server (for use inside another process). */
  readonly listen: string | null;
  readonly certificates: readonly CertificateRequest[];
  /** Name of the `validation_context` secret that holds the authority. */
  readonly authorityName: string;
  /** Life of an authority that has to be made, milliseconds. */
  readonly authorityLifetimeMs: number;
  /** Share of a certificate's life after which it is renewed; two thirds when absent. */
  readonly renewalFraction?: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
}

/** What can be told about a certificate: nothing secret. */
export interface CertificateStatus {
  readonly name: string;
  readonly version: string;
  readonly serial: string;
  readonly names: string;
  readonly not_before: string;
  readonly not_after: string;
}

/** A local certificate authority with an SDS server that hands out, and renews, what it issues. */
export interface CertificateService {
  /** Port of the SDS server; 0 without one or on a unix socket. */
  readonly port: number;
  /** The secrets on offer. */
  readonly resources: SecretResources;
  /** Path of the authority's certificate, for clients. */
  readonly authorityPath: string;
  status(): CertificateStatus[];
  /** Issues a certificate anew, now, and pushes it. Without a name: all of them. Throws when the name is unknown. */
  rotate(name: string | null): Promise<void>;
  close(): void;
}

/** The authority's files are called this. */
const authorityFile = 'ca';

/**
 * Starts the service: makes the authority when the directory has none, issues what is missing, expired or asked for with
 * other names, then serves. Throws {@link CertificateError} on a wrong request or an unusable directory.
 */
export async function createCertificateService(options: CertificateServiceOptions): Promise<CertificateService> {
  const problems = options.certificates.flatMap(checkCertificateRequest);
  const names = options.certificates.map(({ name }) => name);
  for (const name of [authorityFile, options.authorityName]) {
    if (names.includes(name)) problems.push(`'${name}' is the name of the authority`);
  }
  if (new Set(names).size !== names.length) problems.push('two certificates have the same name');
  if (problems.length > 0) throw new CertificateError(problems.join('; '));
  const service = new LocalCertificateService(options);
  await service.start();
  return service;
}

class LocalCertificateService implements CertificateService {
  readonly resources = new SecretResources();
  readonly #options: CertificateServiceOptions;
  readonly #store: CertificateStore;
  readonly #server: SdsServer;
  readonly #held = new Map<string, IssuedCertificate>();
  readonly #renewals = new Map<string, Timer>();
  #authority: IssuedCertificate | null = null;
  #closed = false;
  port = 0;

  constructor(options: CertificateServiceOptions) {
    this.#options = options;
    this.#store = new CertificateStore(options.directory);
    this.#server = new SdsServer(this.resources, options.log);
  }

  get authorityPath(): string {
    return this.#store.certificatePath(authorityFile);
  }

  async start(): Promise<void> {
    const authority = await this.#openAuthority();
    this.#authority = authority;
    this.resources.set(validationContextSecret(this.#options.authorityName, authority.chainPem));
    for (const request of this.#options.certificates) {
      const stored = this.#loadUsable(request);
      if (stored === null) await this.#issue(request);
      else this.#offer(request, stored);
    }
    if (this.#options.listen !== null) this.port = await this.#server.listen(this.#options.listen);
  }

  status(): CertificateStatus[] {
    return [...this.#held].map(([name, held]) => ({
      name,
      version: this.resources.get(name)!.version,
      serial: held.serial,
      names: held.names,
      not_before: new Date(held.notBeforeMs).toISOString(),
      not_after: new Date(held.notAfterMs).toISOString(),
    }));
  }

  async rotate(name: string | null): Promise<void> {
    const wanted = this.#options.certificates.filter((request) => name === null || request.name === name);
    if (wanted.length === 0) throw new CertificateError(`no certificate named '${name}'`);
    for (const request of wanted) await this.#issue(request);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#renewals.values()) timer.disable();
    this.#server.close();
  }

  async #openAuthority(): Promise<IssuedCertificate> {
    const { clock, log, authorityLifetimeMs } = this.#options;
    const stored = this.#store.load(authorityFile);
    if (stored !== null) {
      if (stored.notAfterMs > clock.wallMs()) return stored;
      log.warning(`the authority in ${this.#store.directory} has expired: a new one takes its place`);
    }
    const { createAuthority } = await import('./ca/x509-toolkit.ts');
    const made = await createAuthority('sluice local CA', authorityLifetimeMs, clock.wallMs());
    this.#store.save(authorityFile, made);
    log.info(`made a certificate authority, ${this.authorityPath}`);
    return made;
  }

  /** The stored certificate, unless it is unusable, due for renewal, of another authority or for other names. */
  #loadUsable(request: CertificateRequest): IssuedCertificate | null {
    const { log, clock } = this.#options;
    try {
      const stored = this.#store.load(request.name);
      if (stored === null || !stored.issuedBy(this.#authority!) || !stored.covers(request.dns, request.ip)) return null;
      return renewalDelayMs(stored.notBeforeMs, stored.notAfterMs, this.#fraction, clock.wallMs()) === 0
        ? null
        : stored;
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      log.warning(`${error.message}: issuing anew`);
      return null;
    }
  }

  get #fraction(): number {
    return this.#options.renewalFraction ?? defaultRenewalFraction;
  }

  async #issue(request: CertificateRequest): Promise<void> {
    const { issueLeaf } = await import('./ca/x509-toolkit.ts');
    const issued = await issueLeaf(this.#authority!, request, this.#options.clock.wallMs());
    if (this.#closed) return;
    this.#store.save(request.name, issued);
    this.#offer(request, issued);
    this.#options.log.info(
      `issued ${request.name}, serial ${issued.serial}, valid until ${new Date(issued.notAfterMs).toISOString()}`,
    );
  }

  #offer(request: CertificateRequest, certificate: IssuedCertificate): void {
    this.#held.set(request.name, certificate);
    this.resources.set(tlsCertificateSecret(request.name, certificate));
    const { notBeforeMs, notAfterMs } = certificate;
    this.#renewIn(request, renewalDelayMs(notBeforeMs, notAfterMs, this.#fraction, this.#options.clock.wallMs()));
  }

  #renewIn(request: CertificateRequest, delayMs: number): void {
    let timer = this.#renewals.get(request.name);
    if (timer === undefined) {
      timer = this.#options.timers.create({ onTimer: () => void this.#renew(request) });
      this.#renewals.set(request.name, timer);
    }
    timer.enable(delayMs);
  }

  /** A failed renewal leaves the old certificate in use and is tried again. */
  async #renew(request: CertificateRequest): Promise<void> {
    try {
      if (this.#authority!.notAfterMs <= this.#options.clock.wallMs()) {
        this.#authority = await this.#openAuthority();
        this.resources.set(validationContextSecret(this.#options.authorityName, this.#authority.chainPem));
      }
      await this.#issue(request);
    } catch (error) {
      this.#options.log.error(`cannot renew ${request.name}: ${(error as Error).message}`);
      if (!this.#closed) this.#renewIn(request, renewalRetryMs);
    }
  }
}
