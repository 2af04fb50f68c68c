import { isIP } from 'node:net';

/** What a leaf certificate is to say. */
export interface CertificateRequest {
  /** Name of the SDS secret, and of the files. */
  readonly name: string;
  /** DNS names; a leading `*.` is allowed. */
  readonly dns: readonly string[];
  /** IP addresses. */
  readonly ip: readonly string[];
  /** How long a certificate is valid, milliseconds. */
  readonly lifetimeMs: number;
}

const dnsLabel = /^[a-z0-9_]([a-z0-9-]{0,61}[a-z0-9])?$/i;

/** What is wrong with a request, one sentence each; empty when it can be issued. */
export function checkCertificateRequest(request: CertificateRequest): string[] {
  const problems: string[] = [];
  if (!/^[A-Za-z0-9._-]+$/.test(request.name) || request.name.startsWith('.')) {
    problems.push(`name '${request.name}' must be letters, digits, '.', '_' and '-'`);
  }
  if (request.dns.length === 0 && request.ip.length === 0)
    problems.push(`'${request.name}' has no DNS name and no address`);
  for (const name of request.dns) {
    const labels = (name.startsWith('*.') ? name.slice(2) : name).split('.');
    if (name.length > 253 || !labels.every((label) => dnsLabel.test(label)))
      problems.push(`'${name}' is not a DNS name`);
  }
  for (const address of request.ip) if (isIP(address) === 0) problems.push(`'${address}' is not an IP address`);
  if (!(request.lifetimeMs >= 60_000)) problems.push(`the lifetime of '${request.name}' must be at least a minute`);
  return problems;
}
