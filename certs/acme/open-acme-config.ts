import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { readConfigFlags } from './acme-config.ts';
import { checkAcmeOptions, parseAcmeOptions } from './acme-options.ts';
import { type AcmeSurroundings, type OpenAcme, openAcme } from './open-acme.ts';

/** What would say how `sluice certs acme serve` delivers; here the service around it does. */
const elsewhere = ['listen', 'writeTo'] as const;

/**
 * Opens ACME from a configuration file, for a service that delivers the certificates itself. Throws `UsageError` or `AcmeError`.
 */
export async function openAcmeConfig(file: string, surroundings: AcmeSurroundings): Promise<OpenAcme> {
  const options = parseAcmeOptions(readConfigFlags(file));
  const given = elsewhere.filter((name) => options[name] !== null);
  const problems = given.map((name) => `${name === 'listen' ? 'listen' : 'write_to'} has no place here`);
  problems.push(...checkAcmeOptions('keep', options));
  if (problems.length > 0) throw new UsageError(`${file}: ${problems.join('; ')}`);
  return await openAcme(options, surroundings);
}
