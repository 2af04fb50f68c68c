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

/** Makes the intermediate, or renews it when there is one, and signs the root's revocation list. */
export async function certifyIntermediate(
  store: CertificateStore,
  root: IssuedCertificate,
  plan: IntermediatePlan,
  constraints: NameConstraints | null,
  nowMs: number,
): Promise<IssuedCertificate> {
  const { signCertificate } = await import('./x509-toolkit.ts');
  const key: SecretText = store.loadKey(intermediateEntry) ?? (await generatePrivateKey(plan.key));
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
  record(new IssuanceLog(store.directory), 'intermediate', intermediate, nowMs);
  store.save(intermediateEntry, intermediate);
  // It says of the intermediate alone whether it is good, so it is good for as long.
  publishRootList(store.directory, root, [], nowMs, intermediate.notAfterMs);
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
