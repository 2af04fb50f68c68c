import { type IssuedCertificate, readIssuedCertificate } from '../ca/issued-certificate.ts';
import type { AcmeFailureKind } from './acme-error.ts';
import type { AcmeCertificateSettings } from './acme-settings.ts';
import type { AcmeStorage } from './acme-storage.ts';
import type { RenewalPlan } from './renewal-plan.ts';

/** What is stored of an issued certificate: all of it in one value, so that certificate and key never disagree. */
export interface CertificateRecord {
  readonly settings: AcmeCertificateSettings;
  readonly directory: string;
  readonly chain: string;
  /** PKCS #8 PEM. */
  readonly key: string;
}

/** An order that is under way, so that another process can go on with it. */
export interface OrderRecord {
  readonly settings: AcmeCertificateSettings;
  readonly directory: string;
  readonly url: string;
  /** PKCS #8 PEM of the key to be certified. */
  readonly key: string;
}

/** Failures in a row, kept over restarts. Wall-clock milliseconds. */
export interface FailureRecord {
  readonly settings: AcmeCertificateSettings;
  readonly directory: string;
  readonly failures: number;
  readonly kind: AcmeFailureKind;
  readonly message: string;
  readonly atMs: number;
  readonly nextAttemptMs: number;
}

/** The authority wants no new orders of this account for a while. */
export interface HoldRecord {
  readonly untilMs: number;
  readonly reason: string;
}

/** Kinds of records and their folders in the storage. */
interface Records {
  certificate: CertificateRecord;
  order: OrderRecord;
  failure: FailureRecord;
  renewal: RenewalPlan;
  hold: HoldRecord;
}

/** Reads a record; null when there is none. */
export async function readRecord<K extends keyof Records>(
  storage: AcmeStorage,
  kind: K,
  name: string,
): Promise<Records[K] | null> {
  const text = await storage.get(`${kind}/${name}`);
  return text === null ? null : (JSON.parse(text) as Records[K]);
}

/** Replaces a record. */
export async function writeRecord<K extends keyof Records>(
  storage: AcmeStorage,
  kind: K,
  name: string,
  record: Records[K],
): Promise<void> {
  await storage.put(`${kind}/${name}`, JSON.stringify(record));
}

/** Removes a record. */
export async function deleteRecord(storage: AcmeStorage, kind: keyof Records, name: string): Promise<void> {
  await storage.delete(`${kind}/${name}`);
}

/** The certificate of a record. Throws `CertificateError` when it is unusable. */
export function certificateOf(record: CertificateRecord): IssuedCertificate {
  return readIssuedCertificate(record.chain, record.key);
}
