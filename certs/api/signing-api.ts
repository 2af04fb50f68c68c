import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { z } from 'zod';
import { readLifetime } from '#gateway/base/command-line/lifetime.ts';
import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { CertificateAuthority, SignedCertificate } from '../ca/certificate-authority.ts';
import { type CertificateNames, nameTexts } from '../ca/certificate-names.ts';
import type { CertificateRequest } from '../ca/certificate-request.ts';
import type { TemplateName } from '../ca/certificate-template.ts';
import { CertificateError } from '../ca/issued-certificate.ts';
import { keyProblem } from '../ca/key-algorithm.ts';
import { defaultRenewalFraction } from '../ca/renewal-time.ts';
import { type RevocationReason, revocationReasons } from '../ca/revocation-reason.ts';
import type { SigningRequest } from '../ca/x509-toolkit.ts';
import type { TokenStore } from '../store/token-store.ts';
import { identifyPeer } from './peer-identity.ts';
import { type ProblemCode, problem } from './problem.ts';
import { createPublicApi } from './public-api.ts';
import type { RequestRate } from './request-rate.ts';

/** Who is at the other end of a request's connection. */
export interface ApiPeer {
  readonly address: string;
  /** The certificate it showed, DER, whose key it proved to hold; null without one. */
  readonly certificate: Uint8Array | null;
}

/** What the signing API works with. */
export interface SigningApiOptions {
  readonly authority: CertificateAuthority;
  readonly tokens: TokenStore;
  readonly rate: RequestRate;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called after a revocation: the list is to be published. */
  readonly onRevoked: () => Promise<void>;
  readonly peerOf: (c: Context) => ApiPeer;
}

/** A certificate request with a 4096-bit RSA key and a hundred names has less. */
const maxRequestOctets = 16 * 1024;
/** The body around it. */
const maxBodyOctets: number = maxRequestOctets * 2;

const csr = z.string().max(maxRequestOctets);
const lifetime = z.string().max(20).optional();
const signBody = z.strictObject({ csr, token: z.string().max(200), lifetime });
const renewBody = z.strictObject({ csr, lifetime });
const reasons = Object.keys(revocationReasons) as [RevocationReason, ...RevocationReason[]];
const revokeBody = z.strictObject({ reason: z.enum(reasons).default('unspecified') });

/** An answer other than the one asked for. */
class Refusal extends Error {
  readonly code: ProblemCode;
  constructor(code: ProblemCode, detail: string) {
    super(detail);
    this.code = code;
  }
}

/**
 * Signing over HTTP. `POST /v1/sign` for the holder of a one-time token; `POST /v1/renew` and `POST /v1/revoke` for the holder
 * of a certificate of this authority, shown on the TLS connection; and all that {@link createPublicApi} has. Errors are
 * application/problem+json.
 */
export function createSigningApi(options: SigningApiOptions): Hono {
  const { authority, tokens, rate, clock, log, peerOf } = options;
  const app = new Hono();

  app.use('/v1/*', async (c, next) => {
    if (c.req.method !== 'POST') return await next();
    const seconds = rate.take(peerOf(c).address);
    if (seconds > 0) {
      c.header('retry-after', String(seconds));
      return problem(c, 'too_many_requests', `try again in ${seconds} seconds`);
    }
    if (c.req.header('origin') !== undefined) return problem(c, 'forbidden', 'requests from web pages are refused');
    const type = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase();
    return type === 'application/json' ? await next() : problem(c, 'wrong_media_type', `it is ${type ?? 'not named'}`);
  });
  const onError = (c: Context): Response => problem(c, 'too_large', `at most ${maxBodyOctets} octets are read`);
  app.use('/v1/*', bodyLimit({ maxSize: maxBodyOctets, onError }));

  app.post('/v1/sign', async (c) => {
    const body = await readBody(c, signBody);
    const nowMs = clock.wallMs();
    const grant = tokens.check(body.token, nowMs);
    if (typeof grant === 'string') throw new Refusal('unauthorized', grant);
    const asked = await readRequest(body.csr);
    const strange = nameTexts(asked.names).filter((name) => !grant.names.includes(name));
    if (strange.length > 0) throw new Refusal('forbidden', `the token is not for ${strange.join(', ')}`);
    const lifetimeMs = lifetimeOf(body.lifetime, grant.template, grant.maxLifetimeMs);
    const request = toRequest(asked.names, grant.template, lifetimeMs);
    refuseProblems(request);
    // Everything is known to be right now; the token is spent, and only one of two that come at once gets further.
    const redeemed = tokens.redeem(body.token, nowMs);
    if (typeof redeemed === 'string') throw new Refusal('unauthorized', redeemed);
    return await answer(c, await authority.sign(request, asked.publicKey, `token:${grant.id}`), `token ${grant.id}`);
  });

  app.post('/v1/renew', async (c) => {
    const body = await readBody(c, renewBody);
    const record = identify(c);
    const asked = await readRequest(body.csr);
    const held = authority.requestOf(record, record.serial);
    const names = nameTexts(asked.names);
    // No name at all asks for the same names.
    if (
      names.length > 0 &&
      !(names.length === record.names.length && names.every((name) => record.names.includes(name)))
    ) {
      throw new Refusal(
        'forbidden',
        `only the names of the certificate itself can be renewed: ${record.names.join(', ')}`,
      );
    }
    const lifetimeMs = lifetimeOf(body.lifetime, held.template ?? 'peer', held.lifetimeMs);
    const request = { ...held, lifetimeMs };
    refuseProblems(request);
    return await answer(
      c,
      await authority.sign(request, asked.publicKey, `mtls:${record.serial}`),
      `serial ${record.serial}`,
    );
  });

  app.post('/v1/revoke', async (c) => {
    const body = await readBody(c, revokeBody);
    const record = identify(c);
    authority.revoke(record.serial, body.reason, `mtls:${record.serial}`);
    await options.onRevoked();
    log.info(`revoked serial ${record.serial} for ${peerOf(c).address}, ${body.reason}`);
    return c.json({ serial: record.serial, revoked: true });
  });

  function identify(c: Context): Exclude<ReturnType<typeof identifyPeer>, string> {
    const record = identifyPeer(authority, peerOf(c).certificate, clock.wallMs());
    if (typeof record === 'string') throw new Refusal('unauthorized', record);
    return record;
  }

  function lifetimeOf(text: string | undefined, template: TemplateName, maxMs: number): number {
    if (text === undefined) return Math.min(authority.settings.templates[template].limits.defaultLifetimeMs, maxMs);
    const ms = readLifetime(text);
    if (ms === null) throw new Refusal('bad_request', `lifetime: '${text}' is not a time such as 45m, 24h or 7d`);
    if (ms > maxMs) throw new Refusal('forbidden', `lifetime: ${text} is more than is allowed here`);
    return ms;
  }

  function refuseProblems(request: CertificateRequest): void {
    const problems = authority.check(request);
    if (problems.length > 0) throw new Refusal('bad_request', problems.join('; '));
  }

  async function answer(c: Context, signed: SignedCertificate, who: string): Promise<Response> {
    const { serial, names, template, notBeforeMs, notAfterMs, chainPem } = signed;
    log.info(`signed serial ${serial} for ${names.join(', ')}; ${who}, ${peerOf(c).address}`);
    const renewMs = notBeforeMs + (notAfterMs - notBeforeMs) * defaultRenewalFraction;
    return c.json(
      {
        serial,
        template,
        names,
        not_before: new Date(notBeforeMs).toISOString(),
        not_after: new Date(notAfterMs).toISOString(),
        renew_at: new Date(renewMs).toISOString(),
        certificate: chainPem,
        root: authority.rootPem,
      },
      201,
    );
  }

  app.onError((error, c) => {
    if (error instanceof Refusal) {
      if (error.code === 'unauthorized') log.warning(`refused ${peerOf(c).address}: ${error.message}`);
      return problem(c, error.code, error.message);
    }
    if (error instanceof CertificateError) return problem(c, 'unavailable', error.message);
    log.error(`signing failed: ${error.stack ?? error.message}`);
    return problem(c, 'unavailable', 'an internal error');
  });
  app.route('/', createPublicApi(authority));
  app.notFound((c) =>
    problem(c, 'not_found', 'POST /v1/sign, /v1/renew, /v1/revoke; GET /v1/roots, /crl/intermediate.crl'),
  );
  return app;
}

async function readBody<Schema extends z.ZodType>(c: Context, schema: Schema): Promise<z.infer<Schema>> {
  let value: unknown;
  try {
    value = JSON.parse(await c.req.text());
  } catch {
    throw new Refusal('bad_request', 'the body is not JSON');
  }
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  // The messages of unknown members name them; values, which may be secret, are in none.
  const problems = read.error.issues.map(({ path, message }) => `${path.join('.') || 'the body'}: ${message}`);
  throw new Refusal('bad_request', problems.join('; ').slice(0, 1000));
}

/** Reads a certificate request: the signature shows that the sender holds the key. */
async function readRequest(text: string): Promise<SigningRequest> {
  const { readSigningRequest } = await import('../ca/x509-toolkit.ts');
  let asked: SigningRequest;
  try {
    asked = await readSigningRequest(text);
  } catch (error) {
    if (error instanceof CertificateError) throw new Refusal('bad_request', `csr: ${error.message}`);
    throw error;
  }
  if (asked.asksForAuthority) throw new Refusal('forbidden', 'csr: it asks for the rights of an authority');
  const problem = keyProblem(asked.publicKey);
  if (problem !== null) throw new Refusal('bad_request', `csr: ${problem}`);
  const texts = nameTexts(asked.names).map((name) => name.slice(name.indexOf(':') + 1));
  const stray = asked.commonNames.find((name) => !texts.includes(name.toLowerCase()) && !texts.includes(name));
  if (stray !== undefined && texts.length > 0) {
    throw new Refusal(
      'bad_request',
      `csr: the common name ${JSON.stringify(stray.slice(0, 80))} is not among the alternative names`,
    );
  }
  return asked;
}

function toRequest(names: CertificateNames, template: TemplateName, lifetimeMs: number): CertificateRequest {
  return { name: 'signed', ...names, template, lifetimeMs };
}
