import { isIP } from 'node:net';

/** Kinds of keys that certificates can have. */
export type AcmeKeyType = 'p256' | 'p384' | 'rsa2048' | 'rsa3072' | 'rsa4096';
/** @see AcmeKeyType */
export const acmeKeyTypes: readonly AcmeKeyType[] = ['p256', 'p384', 'rsa2048', 'rsa3072', 'rsa4096'];

/** How names are proven. RFC 8555 section 8, RFC 8737. */
export type ChallengeType = 'http-01' | 'tls-alpn-01' | 'dns-01';
/** @see ChallengeType */
export const challengeTypes: readonly ChallengeType[] = ['http-01', 'tls-alpn-01', 'dns-01'];

/** One certificate to keep. */
export interface AcmeCertificateSettings {
  /** Name of the SDS secret, and of what is stored. */
  readonly name: string;
  /** DNS names, wildcards included; the first is the one that people see. */
  readonly dns: readonly string[];
  readonly challenge: ChallengeType;
  readonly keyType: AcmeKeyType;
  /** Common name of the issuer at the top of the chain to take where several are offered; null for the first. */
  readonly preferredChain: string | null;
  /** Certificate profile to ask for, where the authority has some; null for its default. */
  readonly profile: string | null;
}

const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** What is wrong with a certificate's settings, one sentence each. Names have to be in lower case and in ASCII. */
export function checkAcmeCertificate(settings: AcmeCertificateSettings): string[] {
  const { name, dns, challenge } = settings;
  const problems: string[] = [];
  if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(name))
    problems.push(`name '${name}' must be letters, digits, '.', '_' and '-'`);
  if (dns.length === 0) problems.push(`'${name}' has no DNS name`);
  if (dns.length > 100) problems.push(`'${name}' has ${dns.length} DNS names; authorities take 100 at most`);
  if (new Set(dns).size !== dns.length) problems.push(`'${name}' names something twice`);
  for (const domain of dns) {
    const wildcard = domain.startsWith('*.');
    const labels = (wildcard ? domain.slice(2) : domain).split('.');
    if (isIP(domain) !== 0) problems.push(`'${domain}' is an address: only DNS names are ordered`);
    else if (domain.length > 253 || labels.length < 2 || !labels.every((part) => label.test(part)))
      problems.push(
        `'${domain}' is not a DNS name that can be ordered (lower case, ASCII or xn--, at least two labels)`,
      );
    else if (wildcard && challenge !== 'dns-01')
      problems.push(`'${domain}': wildcards need --challenge dns-01, ${challenge} cannot prove them`);
  }
  return problems;
}

/** Whether two settings ask for the same certificate, so that a stored one still fits. */
export function sameCertificate(a: AcmeCertificateSettings, b: AcmeCertificateSettings): boolean {
  return (
    a.keyType === b.keyType &&
    a.profile === b.profile &&
    a.preferredChain === b.preferredChain &&
    a.dns.length === b.dns.length &&
    a.dns.every((domain) => b.dns.includes(domain))
  );
}
