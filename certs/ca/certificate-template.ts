import { lifetimeText } from '#gateway/base/command-line/lifetime.ts';
import {
  type CertificateNames,
  dnsNameProblem,
  emailProblem,
  ipProblem,
  maxNames,
  nameTexts,
  spiffeIdProblem,
  uriProblem,
} from './certificate-names.ts';

/** Kinds of certificate that can be had: for servers, for clients, for both, and for SPIFFE workloads (X.509-SVID). */
export const templateNames = ['server', 'client', 'peer', 'spiffe'] as const;
/** @see templateNames */
export type TemplateName = (typeof templateNames)[number];

/** How long certificates of a template may live, milliseconds. */
export interface TemplateLimits {
  readonly defaultLifetimeMs: number;
  readonly maxLifetimeMs: number;
}

/** What a template puts into a certificate, and which names it takes. */
export interface CertificateTemplate {
  readonly name: TemplateName;
  /** Extended key usages. RFC 5280 section 4.2.1.12. */
  readonly usages: readonly ('serverAuth' | 'clientAuth')[];
  readonly nameKinds: readonly (keyof CertificateNames)[];
  readonly limits: TemplateLimits;
}

const hour = 3_600_000;
const day = 24 * hour;

/** A shorter life is over before clocks agree on its beginning. */
export const minLifetimeMs: number = 60_000;

/** The templates with their usual limits; `authority.json` can set others. */
export const templates: Readonly<Record<TemplateName, CertificateTemplate>> = {
  server: {
    name: 'server',
    usages: ['serverAuth'],
    nameKinds: ['dns', 'ip'],
    limits: { defaultLifetimeMs: day, maxLifetimeMs: 397 * day },
  },
  client: {
    name: 'client',
    usages: ['clientAuth'],
    nameKinds: ['dns', 'ip', 'uri', 'email'],
    limits: { defaultLifetimeMs: day, maxLifetimeMs: 90 * day },
  },
  peer: {
    name: 'peer',
    usages: ['serverAuth', 'clientAuth'],
    nameKinds: ['dns', 'ip'],
    limits: { defaultLifetimeMs: day, maxLifetimeMs: 397 * day },
  },
  spiffe: {
    name: 'spiffe',
    usages: ['serverAuth', 'clientAuth'],
    nameKinds: ['dns', 'uri'],
    limits: { defaultLifetimeMs: hour, maxLifetimeMs: 7 * day },
  },
};

const kindWords: Readonly<Record<keyof CertificateNames, string>> = {
  dns: 'a DNS name',
  ip: 'an IP address',
  uri: 'a URI',
  email: 'a mail address',
};

/** What is wrong with names for a template, one sentence each; empty when they can be issued. */
export function checkNames(
  template: CertificateTemplate,
  names: CertificateNames,
  trustDomain: string | null,
): string[] {
  const problems: string[] = [];
  const add = (problem: string | null): void => {
    if (problem !== null) problems.push(problem);
  };
  for (const kind of ['dns', 'ip', 'uri', 'email'] as const) {
    if (names[kind].length > 0 && !template.nameKinds.includes(kind)) {
      problems.push(
        `the template '${template.name}' does not take ${kindWords[kind]} (${names[kind][0]!.slice(0, 80)})`,
      );
    }
  }
  const texts = nameTexts(names);
  if (texts.length === 0) problems.push('no name is given: at least one subject alternative name is needed');
  if (texts.length > maxNames) problems.push(`${texts.length} names are given: at most ${maxNames} are accepted`);
  if (problems.length > 0) return problems;
  if (new Set(texts).size !== texts.length) problems.push('a name is given twice');
  for (const name of names.dns) add(dnsNameProblem(name));
  for (const address of names.ip) add(ipProblem(address));
  for (const address of names.email) add(emailProblem(address));
  if (template.name === 'spiffe') {
    if (names.uri.length !== 1) problems.push(`an X.509-SVID has exactly one URI, not ${names.uri.length}`);
    for (const id of names.uri) add(spiffeIdProblem(id) ?? foreignDomain(id, trustDomain));
  } else {
    // A SPIFFE ID elsewhere would be taken for an SVID by its readers.
    for (const uri of names.uri) add(uri.startsWith('spiffe:') ? `${uri}: use the template 'spiffe'` : uriProblem(uri));
  }
  return problems;
}

function foreignDomain(id: string, trustDomain: string | null): string | null {
  if (trustDomain === null || id.startsWith(`spiffe://${trustDomain}/`)) return null;
  return `${id} is not in the trust domain ${trustDomain}`;
}

/** What is wrong with a lifetime for a template, or null. */
export function lifetimeProblem(template: CertificateTemplate, lifetimeMs: number): string | null {
  if (!(lifetimeMs >= minLifetimeMs)) return 'the lifetime must be at least a minute';
  const { maxLifetimeMs } = template.limits;
  if (lifetimeMs <= maxLifetimeMs) return null;
  return `a lifetime of ${lifetimeText(lifetimeMs)} is too long: the template '${template.name}' allows ${lifetimeText(maxLifetimeMs)}`;
}
