import { Hono } from 'hono';
import type { CertificateAuthority } from '../ca/certificate-authority.ts';
import { loadRevocationList, revocationBundle } from '../ca/revocation-lists.ts';
import { problem } from './problem.ts';

/** Seconds that others may keep a revocation list before they look again. */
const listMaxAgeSeconds = 300;

/**
 * What everybody may know, over plain HTTP: `GET /crl/intermediate.crl`, `/crl/root.crl` (DER, RFC 5280 section 4.2.1.13), the
 * same as `.pem`, `/crl/all.pem` (both, as Envoy wants them), `GET /v1/roots` (PEM).
 */
export function createPublicApi(authority: CertificateAuthority): Hono {
  const app = new Hono();
  const cache = { 'cache-control': `public, max-age=${listMaxAgeSeconds}` };
  app.get('/crl/all.pem', (c) => {
    const bundle = revocationBundle(authority.store.directory);
    return bundle === null
      ? problem(c, 'not_found', 'no revocation list is published yet')
      : c.body(bundle, 200, { 'content-type': 'application/x-pem-file', ...cache });
  });
  app.get('/crl/:file{(intermediate|root)\\.(crl|pem)}', (c) => {
    const [name, form] = c.req.param('file').split('.') as ['intermediate' | 'root', 'crl' | 'pem'];
    const list = loadRevocationList(authority.store.directory, name, form);
    if (list === null) return problem(c, 'not_found', `no revocation list '${name}' is published`);
    const type = form === 'crl' ? 'application/pkix-crl' : 'application/x-pem-file';
    return c.body(new Uint8Array(list), 200, { 'content-type': type, ...cache });
  });
  app.get('/v1/roots', (c) => c.body(authority.rootPem, 200, { 'content-type': 'application/x-pem-file' }));
  app.get('/healthcheck', (c) => c.text('OK'));
  app.notFound((c) => problem(c, 'not_found', 'GET /crl/intermediate.crl, /crl/root.crl, /crl/all.pem or /v1/roots'));
  return app;
}
