import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import type { Command } from '#gateway/base/command-line/command-group.ts';
import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import type { GivenFlags } from '#gateway/base/command-line/flags.ts';
import { LogRegistry } from '#gateway/base/log.ts';
import { createPublicApi } from '../api/public-api.ts';
import { RequestRate } from '../api/request-rate.ts';
import { createSigningApi } from '../api/signing-api.ts';
import { peerOfRequest, TlsListener } from '../api/tls-listener.ts';
import { CertificateError } from '../ca/issued-certificate.ts';
import { defaultRenewalFraction } from '../ca/renewal-time.ts';
import { type CertificateService, createCertificateService } from '../certificate-service.ts';
import { createControlApi } from '../control-api.ts';
import { splitHostPort } from '../loopback.ts';
import { readSdsConfigFile } from '../sds/sds-config.ts';
import { AuthoritySource } from '../sources/authority-source.ts';
import { openSources } from '../sources/open-sources.ts';
import { TokenStore } from '../store/token-store.ts';
import type { CommandContext } from './command.ts';
import { type HostPort, readServeOptions, type ServeOptions, serveFlags } from './serve-options.ts';
import { directoryOf, secretOf } from './store-flags.ts';

/** Life of the signing API's own certificate. */
const apiLifetimeMs = 86_400_000;

/** `serve`: SDS, the signing API and the revocation lists, until a signal. */
export const serveCommand: Command<CommandContext> = {
  name: 'serve',
  words: '--dir DIR --listen ADDRESS [--api PORT] [--name NAME --dns NAME...]...',
  summary: 'run the service: SDS, signing API, revocation lists',
  flags: serveFlags,
  async run(given, context) {
    const options = readServeOptions(given);
    const logs = new LogRegistry({
      write: (level, component, message) =>
        context.output.error(
          `[${new Date(context.clock.wallMs()).toISOString()}][${level}][${component}] ${message}\n`,
        ),
    });
    const closers: (() => void)[] = [];
    try {
      await open(given, context, options, logs, closers);
      context.guard(logs.get('certs'));
      await context.stopped();
    } finally {
      for (const close of closers.reverse()) close();
    }
    return exitCodes.ok;
  },
};

async function open(
  given: GivenFlags,
  context: CommandContext,
  options: ServeOptions,
  logs: LogRegistry,
  closers: (() => void)[],
): Promise<void> {
  const { clock, timers, random } = context;
  const log = logs.get('certs');
  const sources = await openSources(options, { clock, timers, random, log });
  closers.push(() => void sources.close());
  const service = await createCertificateService({
    ...options,
    sdsListeners: options.sdsConfig === null ? [] : readSdsConfigFile(options.sdsConfig),
    sources: sources.sources,
    directory: directoryOf(given, context),
    secret: secretOf(given, context),
    clock,
    timers,
    random,
    log,
  });
  closers.push(() => service.close());
  const ports: Record<string, number> = {};
  if (options.listen !== null) ports['sds'] = service.port;
  service.sdsPorts.forEach((port, i) => {
    ports[`sds ${i}`] = port;
  });
  if (options.control !== null) {
    const [app, address] = [createControlApi(service), splitHostPort(options.control)];
    ports['control'] = await listenPlain('control', app, address, closers);
  }
  if (options.http !== null)
    ports['http'] = await listenPlain('http', createPublicApi(service.authority), options.http, closers);
  if (options.api !== null) ports['api'] = await listenApi(service, context, options, options.api, logs, closers);
  const shown = Object.entries(ports).map(([name, port]) => `${name} port ${port}`);
  log.info(`${shown.join(', ')}; authority ${service.authorityPath}`);
  if (given.has('json')) context.output.write(`${JSON.stringify({ ports, authority: service.authorityPath })}\n`);
}

async function listenApi(
  service: CertificateService,
  context: CommandContext,
  options: ServeOptions,
  { host, port }: HostPort,
  logs: LogRegistry,
  closers: (() => void)[],
): Promise<number> {
  const { authority } = service;
  const log = logs.get('api');
  const app = createSigningApi({
    authority,
    tokens: new TokenStore(authority.store.directory),
    rate: new RequestRate(options.ratePerMinute, context.clock),
    clock: context.clock,
    log,
    onRevoked: () => service.publishRevocations(),
    peerOf: peerOfRequest,
  });
  const listener = new TlsListener(app, context.timers);
  const request = {
    name: 'api',
    dns: options.apiDns,
    ip: options.apiIp,
    lifetimeMs: apiLifetimeMs,
    template: 'server',
  } as const;
  const problems = authority.check(request);
  if (problems.length > 0) throw new CertificateError(`--api-name: ${problems.join('; ')}`);
  // A source of its own: what is on SDS is for gateways.
  const source = new AuthoritySource({
    ...context,
    authority,
    requests: [request],
    renewalFraction: defaultRenewalFraction,
    log,
  });
  await source.start({
    onCertificate: (_name, certificate) => listener.setCertificate(certificate, authority.rootPem),
  });
  closers.push(
    () => void source.close(),
    () => listener.close(),
  );
  return await refused('api', host, port, listener.listen(host, port));
}

async function listenPlain(
  flag: string,
  app: Hono,
  { host, port }: HostPort,
  closers: (() => void)[],
): Promise<number> {
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const listening = new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      server.on('error', () => {}); // a connection that could not be accepted
      resolve((server.address() as AddressInfo).port);
    });
  });
  return await refused(flag, host, port, listening);
}

async function refused(flag: string, host: string, port: number, listening: Promise<number>): Promise<number> {
  try {
    return await listening;
  } catch (error) {
    throw new CertificateError(`--${flag} ${host}:${port}: ${(error as Error).message}`);
  }
}
