import type { Flag, GivenFlags } from '#gateway/base/command-line/flags.ts';
import type { CertificateNames } from '../ca/certificate-names.ts';
import { type TemplateName, templateNames } from '../ca/certificate-template.ts';
import { type KeyAlgorithm, keyAlgorithms } from '../ca/key-algorithm.ts';

/** Flags that say what a certificate is to name. */
export const nameFlags: readonly Flag[] = [
  { name: 'dns', value: 'NAME', help: 'DNS name; may be repeated, as the next three' },
  { name: 'ip', value: 'ADDRESS', help: 'IP address' },
  { name: 'uri', value: 'URI', help: 'URI; for the template spiffe its SPIFFE ID' },
  { name: 'email', value: 'ADDRESS', help: 'mail address' },
];

/** The template's flag. */
export const templateFlag: Flag = {
  name: 'template',
  value: 'NAME',
  help: `${templateNames.join(', ')}; else by the names`,
};

/** The key's flag. */
export const keyFlag: Flag = { name: 'key', value: 'KIND', help: `${keyAlgorithms.join(', ')} (P-256)` };

/** The names that were given. */
export function givenNames(given: GivenFlags): CertificateNames {
  return { dns: given.all('dns'), ip: given.all('ip'), uri: given.all('uri'), email: given.all('email') };
}

/** The template that was given, or the one that such names are for. */
export function givenTemplate(given: GivenFlags, names: CertificateNames): TemplateName {
  const usual = names.uri.some((uri) => uri.startsWith('spiffe://'))
    ? 'spiffe'
    : names.email.length > 0
      ? 'client'
      : 'server';
  return given.oneOf<TemplateName, TemplateName>('template', templateNames, usual);
}

/** The kind of key that was given. */
export function givenKey(given: GivenFlags): KeyAlgorithm {
  return given.oneOf<KeyAlgorithm, KeyAlgorithm>('key', keyAlgorithms, 'P-256');
}
