import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { AuthorityUpkeep } from './ca/authority-upkeep.ts';
import { CertificateAuthority, intermediateEntry, rootEntry } from './ca/certificate-authority.ts';
import type { CertificateRequest } from './ca/certificate-request.ts';
import { createAuthorityDirectory } from './ca/create-authority.ts';
import type { StoreSecret } from './ca/encrypted-private-key.ts';
import { CertificateError, type IssuedCertificate } from './ca/issued-certificate.ts';
import { defaultRenewalFraction } from './ca/renewal-time.ts';
import { revocationBundle } from './ca/revocation-lists.ts';
import { openListeners } from './sds/open-listeners.ts';
import type { SdsListenerConfig } from './sds/sds-config.ts';
import { SdsServer } from './sds/sds-server.ts';
import type { SdsStatus } from './sds/sds-status.ts';
import { SecretResources, tlsCertificateSecret, validationContextSecret } from './sds/secret-resources.ts';
import { AuthoritySource } from './sources/authority-source.ts';
import type { CertificateSource } from './sources/certificate-source.ts';

/** What the certificate service is to do. */
export interface CertificateServiceOptions {
  /** Where the authority and the certificates are kept. */
  readonly directory: string;
  /** SDS address: loopback `host:port` or `unix:PATH`. Null: no SDS server (for use inside another process). */
  readonly listen: string | null;
  /** Further SDS addresses, each with its own guard. */
  readonly sdsListeners?: readonly SdsListenerConfig[];
  readonly certificates: readonly CertificateRequest[];
  /** Further sources whose certificates are offered too: watched files, ACME. */
  readonly sources?: readonly CertificateSource[];
  /** Name of the `validation_context` secret that holds the authority. */
  readonly authorityName: string;
  /** Life of an authority that has to be made, milliseconds. */
  readonly authorityLifetimeMs: number;
  /** What keys are encrypted with at rest; absent or null: nothing. */
  readonly secret?: StoreSecret | null;
  /** Whether the authority's `validation_context` carries its revocation lists. */
  readonly offerRevocations?: boolean;
  /** Share of a certificate's life after which it is renewed; two thirds when absent. */
  readonly renewalFraction?: number;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Spreads renewals; absent: they come at their time exactly. */
  readonly random?: Random;
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
  /** Ports of `sdsListeners`, in their order; 0 for a unix socket. */
  readonly sdsPorts: readonly number[];
  /** The secrets on offer. */
  readonly resources: SecretResources;
  readonly authority: CertificateAuthority;
  /** Path of the authority's certificate, for clients. */
  readonly authorityPath: string;
  /** All sources, the own authority first. */
  readonly sources: readonly CertificateSource[];
  status(): CertificateStatus[];
  /** Who fetches secrets, what they have and what they refused. */
  sdsStatus(): SdsStatus;
  /** Issues a certificate anew, now, and pushes it. Without a name: all of them. Throws when the name is unknown. */
  rotate(name: string | null): Promise<void>;
  /** Publishes the revocation list now when something in it is missing: after a revocation in this process. */
  publishRevocations(): Promise<void>;
  close(): void;
}

/**
 * Starts the service: makes the authority when the directory has none, issues what is missing, expired or asked for with
 * other names, then serves. Throws {@link CertificateError} on a wrong request or an unusable directory.
 */
export async function createCertificateService(options: CertificateServiceOptions): Promise<CertificateService> {
  const authority = await openOrCreate(options);
  const problems = options.certificates.flatMap((request) => authority.check(request));
  const names = options.certificates.map(({ name }) => name);
  for (const source of options.sources ?? []) names.push(...source.names());
  for (const name of [rootEntry, intermediateEntry, options.authorityName]) {
    if (names.includes(name)) problems.push(`'${name}' is the name of the authority`);
  }
  if (new Set(names).size !== names.length) problems.push('two certificates have the same name');
  if (problems.length > 0) throw new CertificateError(problems.join('; '));
  const service = new LocalCertificateService(options, authority);
  await service.start();
  return service;
}

async function openOrCreate(options: CertificateServiceOptions): Promise<CertificateAuthority> {
  const { directory, authorityLifetimeMs, clock, log } = options;
  const secret = options.secret ?? null;
  if (!existsSync(join(directory, `${rootEntry}.crt`))) {
    const plan = {
      directory,
      name: 'sluice local CA',
      key: 'P-256' as const,
      rootLifetimeMs: authorityLifetimeMs,
      intermediateLifetimeMs: authorityLifetimeMs / 2,
      constraints: null,
      crlUrl: null,
      trustDomain: null,
      secret,
      rootSecret: secret,
    };
    await createAuthorityDirectory(plan, clock.wallMs());
    log.info(`made a certificate authority, ${join(directory, `${rootEntry}.crt`)}`);
  }
  return new CertificateAuthority({ directory, secret, clock });
}

class LocalCertificateService implements CertificateService {
  readonly resources = new SecretResources();
  readonly authority: CertificateAuthority;
  readonly sources: readonly CertificateSource[];
  readonly #options: CertificateServiceOptions;
  readonly #own: AuthoritySource;
  readonly #server: SdsServer;
  readonly #upkeep: AuthorityUpkeep;
  port = 0;
  sdsPorts: readonly number[] = [];

  constructor(options: CertificateServiceOptions, authority: CertificateAuthority) {
    this.#options = options;
    this.authority = authority;
    this.#server = new SdsServer(this.resources, options.log);
    this.#upkeep = new AuthorityUpkeep(authority, options, { onAuthorityChanged: () => this.#offerAuthority() });
    this.#own = new AuthoritySource({
      authority,
      requests: options.certificates,
      renewalFraction: options.renewalFraction ?? defaultRenewalFraction,
      clock: options.clock,
      timers: options.timers,
      random: options.random ?? null,
      log: options.log,
    });
    this.sources = [this.#own, ...(options.sources ?? [])];
  }

  get authorityPath(): string {
    return this.authority.store.certificatePath(rootEntry);
  }

  async start(): Promise<void> {
    await this.#upkeep.start();
    const listener = {
      onCertificate: (name: string, certificate: IssuedCertificate): void =>
        this.resources.set(tlsCertificateSecret(name, certificate)),
    };
    for (const source of this.sources) await source.start(listener);
    if (this.#options.listen !== null) this.port = await this.#server.listen(this.#options.listen);
    this.sdsPorts = await openListeners(this.#server, this.#options.sdsListeners ?? [], {
      authority: this.authority,
      clock: this.#options.clock,
      certificate: (name) => this.#current(name),
    });
  }

  sdsStatus(): SdsStatus {
    return this.#server.status();
  }

  status(): CertificateStatus[] {
    const all: CertificateStatus[] = [];
    for (const source of this.sources) {
      for (const name of source.names()) {
        const held = source.current(name);
        if (held === null) continue;
        all.push({
          name,
          version: this.resources.get(name)?.version ?? '',
          serial: held.serial,
          names: held.names,
          not_before: new Date(held.notBeforeMs).toISOString(),
          not_after: new Date(held.notAfterMs).toISOString(),
        });
      }
    }
    return all;
  }

  async rotate(name: string | null): Promise<void> {
    let found = false;
    for (const source of this.sources) {
      for (const candidate of source.names()) {
        if (name !== null && candidate !== name) continue;
        found = true;
        await source.refresh(candidate);
      }
    }
    if (!found) throw new CertificateError(`no certificate named '${name}'`);
  }

  async publishRevocations(): Promise<void> {
    await this.#upkeep.check();
  }

  close(): void {
    this.#upkeep.close();
    for (const source of this.sources) void source.close();
    this.#server.close();
  }

  #current(name: string): IssuedCertificate | null {
    const source = this.sources.find((candidate) => candidate.names().includes(name));
    return source?.current(name) ?? null;
  }

  #offerAuthority(): void {
    const { authorityName, offerRevocations } = this.#options;
    const { rootPem, store } = this.authority;
    const lists = offerRevocations === true ? revocationBundle(store.directory) : null;
    const secret = validationContextSecret(authorityName, rootPem, lists);
    if (this.resources.get(authorityName)?.version !== secret.version) this.resources.set(secret);
    void this.#own.replaceRevoked();
  }
}
