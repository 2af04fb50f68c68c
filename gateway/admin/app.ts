import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { InProcessInstance } from '#gateway/api/in-process.ts';
import type { AdminAccessLog } from './access-logging.ts';
import type { AdminServices } from './admin-services.ts';
import { crossSiteProblem } from './cross-site.ts';
import type { AdminEndpoint, AdminReply } from './endpoint.ts';
import { textReply } from './endpoint.ts';
import { adminEndpoints, unknownPathText } from './endpoints.ts';

const contentTypes: { readonly [type in AdminReply['type']]: string } = {
  text: 'text/plain; charset=UTF-8',
  json: 'application/json',
  html: 'text/html; charset=UTF-8',
  prometheus: 'text/plain; version=0.0.4; charset=UTF-8',
};

/** Octets of a request's body; the home page's forms are far smaller. */
const maxBodyOctets = 64 * 1024;

const securityHeaders: Readonly<Record<string, string>> = {
  'cache-control': 'no-cache, max-age=0',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
  server: 'sluice',
};

function render(reply: AdminReply): Response {
  return new Response(reply.body, {
    status: reply.status,
    headers: { 'content-type': contentTypes[reply.type], ...securityHeaders },
  });
}

/** The query of a request; that of a form that was posted counts too. */
async function queryOf(request: Request): Promise<URLSearchParams> {
  const query = new URL(request.url).searchParams;
  const isForm = request.headers.get('content-type')?.startsWith('application/x-www-form-urlencoded') === true;
  if (request.method !== 'POST' || !isForm) return query;
  for (const [name, value] of new URLSearchParams(await request.text())) if (value !== '') query.append(name, value);
  return query;
}

function answer(
  endpoint: AdminEndpoint,
  services: AdminServices,
  request: Request,
  query: URLSearchParams,
): AdminReply {
  if (endpoint.mutates && request.method !== 'POST') {
    services.logs
      .get('admin')
      .error(`admin path "${endpoint.path}" mutates state, method=${request.method} rather than POST`);
    return textReply(`Method ${request.method} not allowed, POST required.`, 405);
  }
  return endpoint.handle(services, query);
}

/** Asks a service in this process for one of its pages, under a path of its own. */
async function servicePage(
  service: Pick<InProcessInstance, 'page'>,
  begin: string,
  request: Request,
  env: object,
): Promise<Response> {
  const { status, headers, body } = await service.page(
    request,
    new URL(request.url).pathname.slice(begin.length) || '/',
    env,
  );
  const answer = new Response(body, { status, headers });
  for (const [name, value] of Object.entries(securityHeaders)) answer.headers.set(name, value);
  return answer;
}

/** What admin.* of the bootstrap asks of the interface. */
export interface AdminAppOptions {
  /** Which paths may be asked for (`allow_paths`); null for all. */
  readonly allowed: ((path: string) => boolean) | null;
  readonly accessLog: AdminAccessLog;
}

/** The admin interface as a fetch handler. */
export function createAdminApp(services: AdminServices, { allowed, accessLog }: AdminAppOptions): Hono {
  const app = new Hono();
  app.use(async (context, next) => {
    const started = accessLog.begin();
    await next();
    if (started !== null) accessLog.log(context, started);
  });
  app.use(async (context, next) => {
    const problem = crossSiteProblem((name) => context.req.header(name));
    if (problem !== null) return render(textReply(`cross-site request refused: ${problem}\n`, 403));
    if (allowed !== null && !allowed(context.req.path)) {
      return render(textReply(`request to path ${context.req.path} not allowed\n`, 403));
    }
    await next();
    return undefined;
  });
  app.use(bodyLimit({ maxSize: maxBodyOctets, onError: () => render(textReply('request body too large\n', 413)) }));
  for (const endpoint of adminEndpoints) {
    app.on(['GET', 'POST', 'HEAD', 'PUT', 'DELETE'], endpoint.path, async (context) => {
      const request = context.req.raw;
      return render(answer(endpoint, services, request, await queryOf(request)));
    });
  }
  for (const [name, service] of services.inProcess) {
    const begin = `/${name}`;
    for (const path of [begin, `${begin}/*`]) {
      app.all(path, async (context) => servicePage(service, begin, context.req.raw, context.env as object));
    }
  }
  app.notFound(() => render(textReply(unknownPathText(services), 404)));
  app.onError((error) => {
    services.logs.get('admin').error(`admin request failed: ${error.stack ?? error.message}`);
    return render(textReply('internal error\n', 500));
  });
  return app;
}
