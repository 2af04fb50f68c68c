import { join } from 'node:path';
import { z } from 'zod';
import { readLifetime } from '#gateway/base/command-line/lifetime.ts';
import {
  type CertificateTemplate,
  minLifetimeMs,
  type TemplateName,
  templateNames,
  templates,
} from '../ca/certificate-template.ts';
import { CertificateError } from '../ca/issued-certificate.ts';
import { readSmallFile } from './private-file.ts';
import { replaceFile } from './replace-file.ts';

/** Name of the file. */
const fileName = 'authority.json';

const lifetime = z.string().transform((text, context) => {
  const ms = readLifetime(text);
  if (ms !== null && ms >= minLifetimeMs) return ms;
  context.addIssue({ code: 'custom', message: `'${text}' is not a time of at least a minute, such as 45m, 24h or 7d` });
  return z.NEVER;
});

const limits = z.strictObject({ default_lifetime: lifetime.optional(), max_lifetime: lifetime.optional() });

const domain = z.string().regex(/^[a-z0-9._-]{1,255}$/, 'is not a trust domain');

const schema = z.strictObject({
  /** Where relying parties find the revocation list: goes into what is issued. */
  crl_url: z
    .url({ protocol: /^https?$/ })
    .nullable()
    .default(null),
  crl_lifetime: lifetime.default(7 * 86_400_000),
  trust_domain: domain.nullable().default(null),
  templates: z.partialRecord(z.enum(templateNames), limits).default({}),
});

/** How an authority issues; read from `authority.json` in its directory. Times are milliseconds. */
export interface AuthoritySettings {
  readonly crlUrl: string | null;
  readonly crlLifetimeMs: number;
  /** SPIFFE trust domain; null: any. */
  readonly trustDomain: string | null;
  readonly templates: Readonly<Record<TemplateName, CertificateTemplate>>;
}

/** Reads the settings; the usual ones when there is no file. Throws {@link CertificateError} naming what is wrong. */
export function readAuthoritySettings(directory: string): AuthoritySettings {
  const path = join(directory, fileName);
  const text = readSmallFile(path)?.toString('utf8') ?? '{}';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CertificateError(`${path} is not JSON`);
  }
  const read = schema.safeParse(value);
  if (!read.success) {
    const problems = read.error.issues.map(({ path: at, message }) => `${at.join('.') || 'it'}: ${message}`);
    throw new CertificateError(`${path}: ${problems.join('; ')}`);
  }
  const { data } = read;
  const merged = { ...templates };
  for (const name of templateNames) {
    const own = data.templates[name];
    const usual = templates[name].limits;
    const maxLifetimeMs = own?.max_lifetime ?? Math.max(usual.maxLifetimeMs, own?.default_lifetime ?? 0);
    const defaultLifetimeMs = own?.default_lifetime ?? Math.min(usual.defaultLifetimeMs, maxLifetimeMs);
    if (defaultLifetimeMs > maxLifetimeMs) {
      throw new CertificateError(`${path}: templates.${name}: default_lifetime is longer than max_lifetime`);
    }
    merged[name] = { ...templates[name], limits: { defaultLifetimeMs, maxLifetimeMs } };
  }
  const { crl_url: crlUrl, crl_lifetime: crlLifetimeMs, trust_domain: trustDomain } = data;
  return { crlUrl, crlLifetimeMs, trustDomain, templates: merged };
}

/** Writes the settings that `init` was given. */
export function writeAuthoritySettings(
  directory: string,
  settings: { readonly crlUrl: string | null; readonly trustDomain: string | null },
): void {
  const { crlUrl, trustDomain } = settings;
  const text = JSON.stringify(
    { crl_url: crlUrl, crl_lifetime: '7d', trust_domain: trustDomain, templates: {} },
    null,
    2,
  );
  replaceFile(join(directory, fileName), `${text}\n`, 0o600);
}
