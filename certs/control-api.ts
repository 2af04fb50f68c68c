import { Hono } from 'hono';
import { CertificateError } from './ca/issued-certificate.ts';
import type { CertificateService } from './certificate-service.ts';

/**
 * The service's local HTTP interface, for loopback only: `GET /healthcheck`, `GET /certificates` (nothing secret),
 * `GET /status` (that, what the sources say of each, and who fetches secrets, what they have and what they refused, with their words),
 * `POST /rotate?name=NAME`. A request that a web page could have caused (it has an Origin) is refused.
 */
export function createControlApi(service: CertificateService): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    if (c.req.header('origin') !== undefined) return c.text('requests from web pages are refused\n', 403);
    return await next();
  });
  app.get('/healthcheck', (c) => c.text('OK'));
  app.get('/certificates', (c) => c.json({ authority: service.authorityPath, certificates: service.status() }));
  app.get('/status', (c) => {
    const { sdsPorts: ports } = service;
    const sources = service.sources.flatMap((source) => source.status());
    return c.json({ certificates: service.status(), sources, sds: { ports, ...service.sdsStatus() } });
  });
  app.post('/rotate', async (c) => {
    try {
      await service.rotate(c.req.query('name') ?? null);
    } catch (error) {
      if (error instanceof CertificateError) return c.text(`${error.message}\n`, 404);
      throw error;
    }
    return c.json({ certificates: service.status() });
  });
  return app;
}
