import type { CertificateNames } from './certificate-names.ts';
import {
  type CertificateTemplate,
  checkNames,
  lifetimeProblem,
  type TemplateName,
  templates,
} from './certificate-template.ts';
import type { KeyAlgorithm } from './key-algorithm.ts';

/** What a leaf certificate is to say. */
export interface CertificateRequest {
  /** Name of the SDS secret, and of the files. */
  readonly name: string;
  /** DNS names; a leading `*.` is allowed. */
  readonly dns: readonly string[];
  /** IP addresses. */
  readonly ip: readonly string[];
  readonly uri?: readonly string[];
  readonly email?: readonly string[];
  /** How long a certificate is valid, milliseconds. */
  readonly lifetimeMs: number;
  /** `peer` when absent: good for both ends of a connection. */
  readonly template?: TemplateName;
  /** P-256 when absent. */
  readonly key?: KeyAlgorithm;
}

/** The names a request asks for. */
export function requestedNames(request: CertificateRequest): CertificateNames {
  return { dns: request.dns, ip: request.ip, uri: request.uri ?? [], email: request.email ?? [] };
}

/** What is wrong with the name of a file or secret, or null. */
export function entryNameProblem(name: string): string | null {
  if (/^[A-Za-z0-9._-]{1,200}$/.test(name) && !name.startsWith('.')) return null;
  return `name '${name.slice(0, 80)}' must be letters, digits, '.', '_' and '-'`;
}

/** What is wrong with a request, one sentence each; empty when it can be issued. */
export function checkCertificateRequest(
  request: CertificateRequest,
  template: CertificateTemplate = templates[request.template ?? 'peer'],
  trustDomain: string | null = null,
): string[] {
  const problems = checkNames(template, requestedNames(request), trustDomain);
  const name = entryNameProblem(request.name);
  if (name !== null) problems.unshift(name);
  const lifetime = lifetimeProblem(template, request.lifetimeMs);
  if (lifetime !== null) problems.push(lifetime);
  return problems.map((problem) => (problem === name ? problem : `'${request.name.slice(0, 80)}': ${problem}`));
}
