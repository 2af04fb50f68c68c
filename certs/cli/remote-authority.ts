import { Buffer } from 'node:buffer';
import { request } from 'node:https';
import { z } from 'zod';
import type { Flag, GivenFlags } from '#gateway/base/command-line/flags.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { type TemplateName, templateNames } from '../ca/certificate-template.ts';
import { CertificateError, type IssuedCertificate } from '../ca/issued-certificate.ts';
import { readSmallFile, requirePrivate } from '../store/private-file.ts';
import type { CommandContext } from './command.ts';

/** Flags of the commands that ask a service for signatures. */
export const remoteFlags: readonly Flag[] = [
  { name: 'url', value: 'URL', help: 'ask the service there: https://HOST:PORT' },
  { name: 'ca', value: 'FILE', help: 'the root that the service is known by, PEM' },
];

/** A service that says nothing for so long is not there, milliseconds. */
const answerMs = 30_000;
/** Octets of an answer. */
const maxAnswerOctets = 1024 * 1024;

const signedAnswer = z.object({
  serial: z.string(),
  template: z.enum(templateNames),
  names: z.array(z.string()),
  certificate: z.string(),
});

/** What a service signed. */
export interface RemotelySigned {
  readonly serial: string;
  readonly template: TemplateName;
  readonly names: readonly string[];
  /** PEM, leaf first. */
  readonly certificate: string;
}

/** The one-time token, from a file for its owner only or the environment. Throws UsageError without one. */
export function tokenOf(given: GivenFlags, context: CommandContext): string {
  const path = given.text('token-file');
  if (path === null) {
    const token = context.variable('SLUICE_CERTS_TOKEN');
    if (token === null || token === '') throw new UsageError('--token-file is missing');
    return token.trim();
  }
  const text = readSmallFile(path)?.toString('utf8');
  if (text === undefined) throw new CertificateError(`${path} does not exist`);
  requirePrivate(path, 0o600);
  return text.trim();
}

/** Posts to the service that the flags name, and reads what it signed. Throws {@link CertificateError} with its reason. */
export async function signRemotely(
  given: GivenFlags,
  path: '/v1/sign' | '/v1/renew',
  body: object,
  identity: IssuedCertificate | null,
): Promise<RemotelySigned> {
  const url = given.required('url');
  if (!/^https:\/\/[^/]+\/?$/.test(url)) throw new UsageError(`--url ${url}: it must be https://HOST:PORT`);
  const caPath = given.required('ca');
  const ca = readSmallFile(caPath)?.toString('utf8');
  if (ca === undefined) throw new CertificateError(`${caPath} does not exist`);
  const { status, text } = await post(new URL(path, url), ca, JSON.stringify(body), identity);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CertificateError(`${url} answered ${status} and no JSON`);
  }
  const signed = signedAnswer.safeParse(value);
  if (status === 201 && signed.success) return signed.data;
  const detail = (value as { detail?: unknown } | null)?.detail;
  throw new CertificateError(
    `${url} answered ${status}: ${typeof detail === 'string' ? detail : 'it is not a signing service'}`,
  );
}

async function post(
  url: URL,
  ca: string,
  body: string,
  identity: IssuedCertificate | null,
): Promise<{ status: number; text: string }> {
  const own = identity === null ? {} : { cert: identity.chainPem, key: identity.privateKey.reveal() };
  return await new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(new CertificateError(`${url.origin}: ${error.message}`));
    const call = request(
      url,
      {
        method: 'POST',
        ca,
        ...own,
        agent: false,
        timeout: answerMs,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
          if (text.length > maxAnswerOctets) call.destroy(new Error('the answer is too long'));
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', fail);
      },
    );
    call.on('timeout', () => call.destroy(new Error(`no answer for ${answerMs / 1000} seconds`)));
    call.on('error', fail);
    call.end(body);
  });
}
