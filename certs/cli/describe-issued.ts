import { lifetimeText } from '#gateway/base/command-line/lifetime.ts';
import { nameTexts } from '../ca/certificate-names.ts';
import { type CertificateRequest, requestedNames } from '../ca/certificate-request.ts';
import type { IssuedCertificate } from '../ca/issued-certificate.ts';

/** What commands that issue print; the members stay. */
export interface IssuedReport {
  readonly name: string;
  readonly serial: string;
  readonly template: string;
  readonly names: readonly string[];
  readonly not_before: string;
  readonly not_after: string;
  readonly certificate_file: string;
  readonly key_file: string;
}

/** The report on a certificate that was written to files. */
export function describeIssued(
  request: CertificateRequest,
  issued: IssuedCertificate,
  certificateFile: string,
  keyFile: string,
): IssuedReport {
  return {
    name: request.name,
    serial: issued.serial,
    template: request.template ?? 'peer',
    names: nameTexts(requestedNames(request)),
    not_before: new Date(issued.notBeforeMs).toISOString(),
    not_after: new Date(issued.notAfterMs).toISOString(),
    certificate_file: certificateFile,
    key_file: keyFile,
  };
}

/** The same for people. */
export function issuedText(report: IssuedReport, nowMs: number): string {
  return [
    `issued       ${report.names.join(', ')} (${report.template})`,
    `serial       ${report.serial}`,
    `valid until  ${report.not_after}, ${lifetimeText(Date.parse(report.not_after) - nowMs)} left`,
    `certificate  ${report.certificate_file}`,
    `key          ${report.key_file}\n`,
  ].join('\n');
}
