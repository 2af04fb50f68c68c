import { X509Certificate } from 'node:crypto';
import type { CertificateView, SecretView } from '#gateway/api/admin-views.ts';
import { certificateFacts } from '#gateway/formatter/peer-certificate.ts';
import type { GeneralNameKind } from '#gateway/protocol/x509/general-name.ts';
import { type AdminEndpoint, jsonReply, queryFlag } from './endpoint.ts';

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

/** What of a secret is worth a word, in the style of envoy.admin.v3. */
function secretDetails(view: SecretView): unknown {
  const { name, updatedMs, rotations, problem, problemMs, waiting, warnings } = view;
  return {
    name,
    ...(updatedMs === 0 ? {} : { last_updated: timestamp(updatedMs) }),
    rotations: String(rotations),
    ...(problem === '' ? {} : { refused: problem, refused_at: timestamp(problemMs) }),
    ...(waiting === '' ? {} : { waiting_for: waiting }),
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}

/**
 * /certs: envoy.admin.v3.Certificates. Secrets that come from outside are added where one of them was refused (the value before
 * is what is shown as in force), and all of them when they are asked for.
 */
export const certificateEndpoint: AdminEndpoint = {
  path: '/certs',
  mutates: false,
  help: 'print certs on machine',
  parameters: [],
  handle(services, query) {
    const nowMs = services.clock.wallMs();
    const certificates = services.certificates.tlsContextViews().map((context) => ({
      ca_cert: details(context.trustedCa, nowMs),
      cert_chain: details(context.chain, nowMs),
    }));
    const all = services.certificates.secretViews();
    const shown = queryFlag(query, 'secrets') ? all : all.filter(({ problem }) => problem !== '');
    return jsonReply({ certificates, ...(shown.length === 0 ? {} : { secrets: shown.map(secretDetails) }) });
  },
};
