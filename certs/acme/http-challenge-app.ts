import { Hono } from 'hono';
import type { Logger } from '#gateway/base/log.ts';
import type { AcmeStorage } from './acme-storage.ts';
import { findToken } from './stored-challenges.ts';

/** Where authorities look. RFC 8555 section 8.3. */
const challengePrefix = '/.well-known/acme-challenge/';

/**
 * Answers http-01: `GET /.well-known/acme-challenge/TOKEN` with the token's key authorization, 404 for any other, 503
 * when the storage cannot be asked (the authority then looks again). `GET /healthcheck` is for the gateway's health checks.
 */
export function createHttpChallengeApp(storage: AcmeStorage, log: Logger): Hono {
  const app = new Hono();
  app.get('/healthcheck', (c) => c.text('OK'));
  app.get(`${challengePrefix}:token`, async (c) => {
    let answer: string | null;
    try {
      answer = await findToken(storage, c.req.param('token'));
    } catch (error) {
      log.error(`http-01: cannot look for a token: ${(error as Error).message}`);
      return c.text('the storage cannot be asked\n', 503);
    }
    if (answer === null) return c.text('no such token\n', 404);
    return c.body(answer, 200, { 'content-type': 'application/octet-stream', 'cache-control': 'no-store' });
  });
  return app;
}
