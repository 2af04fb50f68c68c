import { getConnInfo } from '@hono/node-server/conninfo';
import type { Context, Hono, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Logger } from '#gateway/base/log.ts';
import { printable } from '#gateway/base/printable.ts';
import { readDescriptorBody, readExemptBody, readTopQuery } from './admin-bodies.ts';
import { AdminFailure } from './admin-failure.ts';
import type { AdminTokens } from './admin-tokens.ts';
import type { Actor, AuditLog } from './audit-log.ts';
import type { LimitAdmin } from './limit-admin.ts';

/** What the pages under `/admin` need. */
export interface AdminApiOptions {
  readonly admin: LimitAdmin;
  /** Null: ADMIN_TOKEN_FILE is not set, and nothing is answered. */
  readonly tokens: AdminTokens | null;
  readonly audit: AuditLog;
  readonly log: Logger;
}

/** Pages that are added, with a line about each. */
export const adminPages: Readonly<Record<string, string>> = {
  '/admin/top': 'hottest keys of each domain (token needed)',
  '/admin/peek': 'POST: limits of a descriptor as they are now (token needed)',
  '/admin/reset': 'POST: delete the counters of a descriptor (token needed)',
  '/admin/exempt': 'exemptions; POST makes one, DELETE /admin/exempt/ID ends one (token needed)',
};

const maxBodyOctets = 65_536;

/**
 * Adds `/admin` to the debug interface, and asks for a token for everything there and for every method but GET elsewhere. A
 * web page of another site cannot send that header without being allowed to, and nothing here allows it.
 */
export function addAdminApi(app: Hono, { admin, tokens, audit, log }: AdminApiOptions): void {
  const actorOf = (c: Context): Actor => authenticate(c, tokens, log);
  const onlyWithToken: MiddlewareHandler = async (c, next) => {
    actorOf(c);
    await next();
  };
  app.use('*', async (c, next) => {
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD') actorOf(c);
    await next();
  });
  app.use('/admin/*', onlyWithToken);
  app.use('/admin/*', bodyLimit({ maxSize: maxBodyOctets, onError: () => fail(413, 'the body is too long') }));
  app.get('/admin/top', (c) => {
    const { domain, by, count } = readTopQuery(c.req.query());
    return c.json(admin.top(domain ?? null, by, count));
  });
  app.post('/admin/peek', async (c) => {
    const { domain, descriptor } = readDescriptorBody(await body(c));
    return c.json(await admin.peek(domain, descriptor));
  });
  app.post('/admin/reset', async (c) => {
    const { domain, descriptor } = readDescriptorBody(await body(c));
    const work = async () => await admin.reset(domain, descriptor);
    return c.json(await audit.write(actorOf(c), 'reset', { domain, descriptor }, work));
  });
  app.get('/admin/exempt', (c) => c.json({ exemptions: admin.exemptions() }));
  app.post('/admin/exempt', async (c) => {
    const { for: forMs, ...wish } = readExemptBody(await body(c));
    const actor = actorOf(c);
    const work = async () => await admin.exempt({ ...wish, by: actor.holder.name }, forMs);
    return c.json(await audit.write(actor, 'exempt', { ...wish, for_ms: forMs }, work), 201);
  });
  app.delete('/admin/exempt/:id', async (c) => {
    const id = c.req.param('id');
    const work = async () => await admin.endExemption(id);
    return c.json(await audit.write(actorOf(c), 'end-exemption', { id }, work));
  });
  app.notFound((c) => c.text('404 page not found\n', 404));
  app.onError((error, c) => {
    if (!(error instanceof AdminFailure)) {
      log.error(`debug interface: ${error.stack ?? error.message}`);
      return c.json({ error: 'an error of this service, which is in its log' }, 500);
    }
    if (error.status === 401) c.header('www-authenticate', 'Bearer realm="sluice ratelimit"');
    return c.json({ error: error.message }, error.status);
  });
}

function authenticate(c: Context, tokens: AdminTokens | null, log: Logger): Actor {
  if (tokens === null) {
    fail(
      403,
      'this is switched off: set ADMIN_TOKEN_FILE to a file that has a token, and send it as Authorization: Bearer TOKEN',
    );
  }
  const header = c.req.header('authorization');
  if (header === undefined)
    fail(401, 'a token is needed: Authorization: Bearer TOKEN, one of those in ADMIN_TOKEN_FILE');
  const token = /^Bearer +([^ ]+) *$/i.exec(header)?.[1];
  const peer = peerOf(c);
  let holder: ReturnType<AdminTokens['holderOf']>;
  try {
    holder = token === undefined ? null : tokens.holderOf(token);
  } catch (error) {
    log.error(`ADMIN_TOKEN_FILE: ${(error as Error).message}`);
    fail(503, 'ADMIN_TOKEN_FILE cannot be read; the log says why');
  }
  if (holder === null) {
    log.warning(
      `admin: ${c.req.method} ${printable(c.req.path)} from ${peer}: the token is none of those in ADMIN_TOKEN_FILE`,
    );
    fail(401, 'the token is none of those in ADMIN_TOKEN_FILE');
  }
  return { holder, peer };
}

function peerOf(c: Context): string {
  try {
    return getConnInfo(c).remote.address ?? '';
  } catch {
    return ''; // no connection: asked in a test
  }
}

async function body(c: Context): Promise<unknown> {
  const type = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') fail(415, 'the body must be of the type application/json');
  try {
    return await c.req.json();
  } catch {
    return fail(400, 'the body is not JSON');
  }
}

function fail(status: AdminFailure['status'], message: string): never {
  throw new AdminFailure(status, message);
}
