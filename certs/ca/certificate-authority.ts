import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#gateway/runtime/clock.ts';
import { type AuthoritySettings, readAuthoritySettings } from '../store/authority-settings.ts';
import { CertificateStore } from '../store/certificate-store.ts';
import { IssuanceLog, type IssuedRecord } from '../store/issuance-log.ts';
import { nameTexts, parseNameTexts } from './certificate-names.ts';
import { type CertificateRequest, checkCertificateRequest, requestedNames } from './certificate-request.ts';
import type { TemplateName } from './certificate-template.ts';
import type { StoreSecret } from './encrypted-private-key.ts';
import { CertificateError, type IssuedCertificate, readIssuedCertificate } from './issued-certificate.ts';
import { generatePrivateKey, keyProblem } from './key-algorithm.ts';
import { checkPermitted } from './name-constraints.ts';
import { constraintsOf } from './read-name-constraints.ts';
import type { RevocationReason } from './revocation-reason.ts';
import type { SecretText } from './secret-text.ts';

/** Entries of the store that belong to the authority itself. */
export const rootEntry = 'ca';
/** @see rootEntry */
export const intermediateEntry = 'intermediate';

/** What an authority is opened with. */
export interface OpenAuthorityOptions {
  readonly directory: string;
  /** What keys are encrypted with; null: they are in the clear. */
  readonly secret: StoreSecret | null;
  readonly clock: Clock;
}

/** A certificate as it was signed, without a key. */
export interface SignedCertificate {
  /** PEM, the leaf first, then the intermediate. */
  readonly chainPem: string;
  readonly serial: string;
  readonly names: readonly string[];
  readonly template: TemplateName;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/**
 * A certificate authority in a directory: the root's certificate (its key may be elsewhere), an intermediate that signs, the
 * issuance log and the settings. Nothing leaves it that is not in the log.
 */
export class CertificateAuthority {
  readonly store: CertificateStore;
  readonly log: IssuanceLog;
  readonly settings: AuthoritySettings;
  readonly #clock: Clock;
  /** PEM of the root: what others trust. */
  readonly rootPem: string;
  #issuer: IssuedCertificate | null = null;

  /** Throws {@link CertificateError} when there is no authority in the directory, or it cannot be used. */
  constructor(options: OpenAuthorityOptions) {
    if (!existsSync(join(options.directory, `${rootEntry}.crt`))) {
      throw new CertificateError(`there is no certificate authority in ${options.directory}: run sluice certs init`);
    }
    this.store = new CertificateStore(options.directory, options.secret);
    this.rootPem = this.store.loadCertificate(rootEntry)!;
    this.settings = readAuthoritySettings(options.directory);
    this.log = new IssuanceLog(options.directory);
    this.#clock = options.clock;
  }

  /** The certificate that signs, with its key: the intermediate, or the root of an authority of one level. */
  get issuer(): IssuedCertificate {
    this.#issuer ??= this.#loadIssuer();
    return this.#issuer;
  }

  #loadIssuer(): IssuedCertificate {
    const entry = this.hasIntermediate ? intermediateEntry : rootEntry;
    const issuer = this.store.load(entry);
    if (issuer === null) throw new CertificateError(`${this.store.keyPath(entry)} is missing: nothing can be signed`);
    return issuer;
  }

  /** PEM of the certificate that signs. */
  get issuerPem(): string {
    return this.store.loadCertificate(intermediateEntry) ?? this.rootPem;
  }

  /** Whether an intermediate signs: its certificate then follows every leaf. */
  get hasIntermediate(): boolean {
    return this.store.loadCertificate(intermediateEntry) !== null;
  }

  /** Takes the signing certificate that is stored now, after it was renewed. Throws and keeps the old one when it cannot be used. */
  reload(): void {
    if (this.#issuer?.chainPem !== this.issuerPem) this.#issuer = this.#loadIssuer();
  }

  /** Issues a certificate with a new key. Throws {@link CertificateError} saying why not. */
  async issue(request: CertificateRequest, by: string): Promise<IssuedCertificate> {
    this.#refuseProblems(request);
    const key = await generatePrivateKey(request.key ?? 'P-256');
    return await this.#issueFor(request, key, by);
  }

  /** Issues a certificate for a key that exists. */
  async reissue(request: CertificateRequest, key: SecretText, by: string): Promise<IssuedCertificate> {
    this.#refuseProblems(request);
    return await this.#issueFor(request, key, by);
  }

  async #issueFor(request: CertificateRequest, key: SecretText, by: string): Promise<IssuedCertificate> {
    const signed = await this.#sign(request, createPublicKey(key.reveal()), by, request.name);
    return readIssuedCertificate(signed.chainPem, key.reveal());
  }

  /** Signs a certificate for a key that somebody else holds. Throws {@link CertificateError} saying why not. */
  async sign(request: CertificateRequest, publicKey: KeyObject, by: string): Promise<SignedCertificate> {
    this.#refuseProblems(request);
    return await this.#sign(request, publicKey, by, '');
  }

  /** What is wrong with a request, one sentence each; empty when it can be issued. */
  check(request: CertificateRequest): string[] {
    const { templates, trustDomain } = this.settings;
    const problems = checkCertificateRequest(request, templates[request.template ?? 'peer'], trustDomain);
    const constraints = problems.length === 0 ? constraintsOf(this.issuerPem) : null;
    return constraints === null ? problems : checkPermitted(constraints, requestedNames(request));
  }

  #refuseProblems(request: CertificateRequest): void {
    const problems = this.check(request);
    if (problems.length > 0) throw new CertificateError(problems.join('; '));
  }

  async #sign(
    request: CertificateRequest,
    publicKey: KeyObject,
    by: string,
    entry: string,
  ): Promise<SignedCertificate> {
    const nowMs = this.#clock.wallMs();
    const { issuer } = this;
    const problem = keyProblem(publicKey);
    if (problem !== null) throw new CertificateError(problem);
    if (issuer.notAfterMs <= nowMs) throw new CertificateError('the certificate of the authority has expired');
    const { signLeaf } = await import('./x509-toolkit.ts');
    const pem = await signLeaf(issuer, request, publicKey, nowMs, this.settings.crlUrl);
    const certificate = new X509Certificate(pem);
    const names = nameTexts(requestedNames(request));
    const template = request.template ?? 'peer';
    const validity = { notBeforeMs: Date.parse(certificate.validFrom), notAfterMs: Date.parse(certificate.validTo) };
    this.log.append(
      {
        type: 'issued',
        serial: certificate.serialNumber,
        template,
        names,
        entry,
        not_before: new Date(validity.notBeforeMs).toISOString(),
        not_after: new Date(validity.notAfterMs).toISOString(),
        sha256: createHash('sha256').update(certificate.raw).digest('hex'),
        by,
      },
      nowMs,
    );
    const chainPem = this.hasIntermediate ? pem + this.issuerPem : pem;
    return { chainPem, serial: certificate.serialNumber, names, template, ...validity };
  }

  /** The request that would issue a logged certificate again. */
  requestOf(record: IssuedRecord, name: string): CertificateRequest {
    const template = record.template as TemplateName;
    const { maxLifetimeMs } = this.settings.templates[template].limits;
    // Certificates end on whole seconds; without rounding up every renewal would lose part of one.
    const lifetimeMs = Math.min(Math.ceil((record.notAfterMs - record.issuedMs) / 1000) * 1000, maxLifetimeMs);
    return { name, ...parseNameTexts(record.names), template, lifetimeMs };
  }

  /**
   * Revokes a certificate that was issued here; false when it was revoked before. The revocation list is another step: it
   * needs the signing key. Throws {@link CertificateError} for a serial number that was not issued here.
   */
  revoke(serial: string, reason: RevocationReason, by: string): boolean {
    const wanted = serial.toUpperCase();
    this.log.refresh();
    const record = this.log.get(wanted);
    if (record === null) throw new CertificateError(`no certificate with the serial number ${wanted} was issued here`);
    if (record.revoked !== null) return false;
    this.log.append({ type: 'revoked', serial: wanted, reason, by }, this.#clock.wallMs());
    return true;
  }
}
