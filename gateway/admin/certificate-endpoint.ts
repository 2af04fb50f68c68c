import { X509Certificate } from 'node:crypto';
import type { CertificateView } from '#gateway/api/admin-views.ts';
import { certificateFacts } from '#gateway/formatter/peer-certificate.ts';
import type { GeneralNameKind } from '#gateway/protocol/x509/general-name.ts';
import { type AdminEndpoint, jsonReply } from './endpoint.ts';

const dayMs = 86_400_000;
const pemBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** envoy.admin.v3.CertificateDetails of each certificate of a view. Unreadable ones are left out. */
function details(view: CertificateView | null, nowMs: number): unknown[] {
  if (view === null) return [];
  const found: unknown[] = [];
  for (const [pem] of view.pem.matchAll(pemBlock)) {
    let certificate: X509Certificate;
    try {
      certificate = new X509Certificate(pem);
    } catch {
      continue;
    }
    const untilMs = Date.parse(certificate.validTo);
    found.push({
      path: view.path,
      serial_number: certificate.serialNumber.toLowerCase(),
      subject_alt_names: [
        ...names(certificate, 'dns', 'dns'),
        ...names(certificate, 'uri', 'uri'),
        ...names(certificate, 'ip', 'ip_address'),
      ],
      days_until_expiration: String(Math.max(0, Math.floor((untilMs - nowMs) / dayMs))),
      valid_from: timestamp(Date.parse(certificate.validFrom)),
      expiration_time: timestamp(untilMs),
    });
  }
  return found;
}

function names(certificate: X509Certificate, kind: GeneralNameKind, field: string): unknown[] {
  return (certificateFacts(certificate.raw)?.namesOf(kind) ?? []).map((name) => ({ [field]: name }));
}

function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** /certs. */
export const certificateEndpoint: AdminEndpoint = {
  path: '/certs',
  mutates: false,
  help: 'print certs on machine',
  parameters: [],
  handle(services) {
    const nowMs = services.clock.wallMs();
    const certificates = services.certificates.tlsContextViews().map((context) => ({
      ca_cert: details(context.trustedCa, nowMs),
      cert_chain: details(context.chain, nowMs),
    }));
    return jsonReply({ certificates });
  },
};
