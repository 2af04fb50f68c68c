import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { writeAuthoritySettings } from '../store/authority-settings.ts';
import { CertificateStore } from '../store/certificate-store.ts';
import { IssuanceLog } from '../store/issuance-log.ts';
import { intermediateEntry, rootEntry } from './certificate-authority.ts';
import { noNames } from './certificate-names.ts';
import type { StoreSecret } from './encrypted-private-key.ts';
import { CertificateError, type IssuedCertificate, readIssuedCertificate } from './issued-certificate.ts';
import { generatePrivateKey, type KeyAlgorithm } from './key-algorithm.ts';
import type { NameConstraints } from './name-constraints.ts';
import { publishRootList } from './revocation-lists.ts';
import type { SecretText } from './secret-text.ts';

/** What a new authority is to be. */
export interface AuthorityPlan {
  readonly directory: string;
  /** Both certificates are named after it. */
  readonly name: string;
  readonly key: KeyAlgorithm;
  readonly rootLifetimeMs: number;
  readonly intermediateLifetimeMs: number;
  readonly constraints: NameConstraints | null;
  readonly crlUrl: string | null;
  readonly trustDomain: string | null;
  /** What the keys are encrypted with; null: not at all. The root's may differ, so that it can be kept elsewhere. */
  readonly secret: StoreSecret | null;
  readonly rootSecret: StoreSecret | null;
}

/** Intermediates are renewed with their own key, so what was issued before, and its revocation, stays valid. */
interface IntermediatePlan {
  readonly name: string;
  readonly key: KeyAlgorithm;
  readonly lifetimeMs: number;
}

/**
 * Makes root and intermediate, the settings, the root's revocation list and the first lines of the log. Throws
 * {@link CertificateError} when an authority is there already.
 */
export async function createAuthorityDirectory(plan: AuthorityPlan, nowMs: number): Promise<void> {
  const { createAuthority } = await import('./x509-toolkit.ts');
  const rootStore = new CertificateStore(plan.directory, plan.rootSecret);
  if (rootStore.loadCertificate(rootEntry) !== null || rootStore.hasKey(rootEntry)) {
    throw new CertificateError(`there is a certificate authority in ${plan.directory} already`);
  }
  const root = await createAuthority(plan.name, plan.rootLifetimeMs, nowMs, {
    key: plan.key,
    pathLength: 1,
    constraints: plan.constraints,
  });
  writeAuthoritySettings(plan.directory, plan);
  rootStore.save(rootEntry, root);
  record(new IssuanceLog(plan.directory), 'root', root, nowMs);
  const intermediate = { name: plan.name, key: plan.key, lifetimeMs: plan.intermediateLifetimeMs };
  await certifyIntermediate(
    new CertificateStore(plan.directory, plan.secret),
    root,
    intermediate,
    plan.constraints,
    nowMs,
  );
}

/**
 * Puts an intermediate with a new key in the place of one that cannot be trusted any more, which the root's list then names:
 * everything that it issued is void. Throws {@link CertificateError} when there is none.
 */
export async function replaceIntermediate(
  store: CertificateStore,
  root: IssuedCertificate,
  plan: IntermediatePlan,
  constraints: NameConstraints | null,
  nowMs: number,
): Promise<IssuedCertificate> {
  const pem = store.loadCertificate(intermediateEntry);
  if (pem === null) throw new CertificateError('there is no intermediate to replace');
  const serial = new X509Certificate(pem).serialNumber;
  new IssuanceLog(store.directory).append({ type: 'revoked', serial, reason: 'keyCompromise', by: 'cli' }, nowMs);
  return await certifyIntermediate(store, root, plan, constraints, nowMs, await generatePrivateKey(plan.key));
}

/** Makes the intermediate, or renews it when there is one, and signs the root's revocation list. */
export async function certifyIntermediate(
  store: CertificateStore,
  root: IssuedCertificate,
  plan: IntermediatePlan,
  constraints: NameConstraints | null,
  nowMs: number,
  newKey: SecretText | null = null,
): Promise<IssuedCertificate> {
  const { signCertificate } = await import('./x509-toolkit.ts');
  const key = newKey ?? store.loadKey(intermediateEntry) ?? (await generatePrivateKey(plan.key));
  const pem = await signCertificate({
    issuer: root,
    commonName: `${plan.name} intermediate`.slice(0, 64),
    publicKey: createPublicKey(key.reveal()),
    notBeforeMs: nowMs - 60_000,
    notAfterMs: nowMs + plan.lifetimeMs,
    authority: { pathLength: 0, constraints },
    usages: [],
    names: noNames,
    crlUrl: null,
  });
  const intermediate = readIssuedCertificate(pem, key.reveal());
  const log = new IssuanceLog(store.directory);
  record(log, 'intermediate', intermediate, nowMs);
  store.save(intermediateEntry, intermediate);
  // It says of the intermediate alone whether it is good, so it is good for as long.
  publishRootList(store.directory, root, log.revokedIntermediates(nowMs), nowMs, intermediate.notAfterMs);
  return intermediate;
}

function record(
  log: IssuanceLog,
  role: 'root' | 'intermediate',
  { chainPem, serial, notBeforeMs, notAfterMs }: IssuedCertificate,
  nowMs: number,
): void {
  const sha256 = createHash('sha256').update(new X509Certificate(chainPem).raw).digest('hex');
  const validity = { not_before: new Date(notBeforeMs).toISOString(), not_after: new Date(notAfterMs).toISOString() };
  log.append({ type: 'authority', role, serial, ...validity, sha256 }, nowMs);
}
