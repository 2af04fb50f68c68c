import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { tlsCapabilities } from '#gateway/runtime/tls-capabilities.ts';
import { type RunningAcme, runAcme, startAcme, withFolder } from '#test/support/acme-run.ts';
import { type GatewayProcess, startGateway } from '#test/support/gateway-process.ts';
import { startPebble, type TestPebble } from '#test/support/pebble.ts';
import { findPeer, firstMissing, peerTest } from '#test/support/peers.ts';
import { freePorts } from '#test/support/running-program.ts';

const snippet = fileURLToPath(new URL('../../../deploy/acme/front.yaml', import.meta.url));

/** Ports of the documented configuration, and the free ones that a test uses instead. */
interface Ports {
  readonly http: number;
  readonly https: number;
  readonly acmeHttp: number;
  readonly acmeTls: number;
  readonly sds: number;
  readonly app: number;
}

async function choosePorts(): Promise<Ports> {
  const [http = 0, https = 0, acmeHttp = 0, acmeTls = 0, sds = 0, app = 0] = await freePorts(6);
  return { http, https, acmeHttp, acmeTls, sds, app };
}

/** The documented configuration with other ports, and the admin interface of the test. */
function documented(ports: Ports): string {
  const numbers: Readonly<Record<string, number>> = {
    8080: ports.http,
    8443: ports.https,
    8402: ports.acmeHttp,
    8403: ports.acmeTls,
    8404: ports.sds,
    8000: ports.app,
  };
  const text = readFileSync(snippet, 'utf8').replace(/^admin:\n {2}address:.*\n/m, '');
  return text.replace(/port_value: (\d+)/g, (_all, port: string) => `port_value: ${numbers[port]}`);
}

/** The application behind the gateway. */
async function startApp(port: number): Promise<http.Server> {
  const server = http.createServer((_request, response) => response.end('hello from the application'));
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
  return server;
}

/** Serial number and body that the gateway's TLS port answers with; null while it does not answer. */
function visit(port: number, ca: string, name: string): Promise<{ serial: string; text: string } | null> {
  return new Promise((resolve) => {
    const socket = tls.connect({ port, host: '127.0.0.1', servername: name, ca, ALPNProtocols: ['http/1.1'] }, () => {
      const serial = socket.getPeerCertificate().serialNumber;
      let text = '';
      socket.on('data', (chunk: Uint8Array) => {
        text += String(chunk);
        if (text.includes('application')) {
          socket.destroy();
          resolve({ serial, text });
        }
      });
      socket.write(`GET / HTTP/1.1\r\nhost: ${name}\r\nconnection: close\r\n\r\n`);
    });
    socket.on('error', () => resolve(null));
    socket.on('close', () => resolve(null));
  });
}

interface World {
  readonly pebble: TestPebble;
  readonly gateway: GatewayProcess;
  readonly acme: RunningAcme;
  readonly base: readonly string[];
  readonly ports: Ports;
}

/** Pebble, the documented gateway, an application, and certs/ that keeps `edge` with one type of challenge. */
async function withWorld(
  binary: string,
  envoy: string | undefined,
  challenge: string,
  work: (world: World) => Promise<void>,
): Promise<void> {
  await withFolder(async (dir) => {
    const ports = await choosePorts();
    const faults = { PEBBLE_VA_SLEEPTIME: '2', PEBBLE_WFE_NONCEREJECT: '20' };
    const pebble = await startPebble(binary, { httpPort: ports.http, tlsPort: ports.https, faults });
    const app = await startApp(ports.app);
    const closers: (() => Promise<unknown>)[] = [
      () => pebble.stop(),
      () => new Promise((done) => app.close(done).closeAllConnections()),
    ];
    const base = ['--directory', pebble.directoryUrl, '--ca', pebble.caFile, '--storage', join(dir, 'state')];
    const listens =
      challenge === 'http-01'
        ? ['--http-listen', `127.0.0.1:${ports.acmeHttp}`]
        : ['--tls-listen', `127.0.0.1:${ports.acmeTls}`];
    const options = envoy === undefined ? {} : { envoy };
    const sds = ['--listen', `127.0.0.1:${ports.sds}`];
    const names = ['--challenge', challenge, '--name', 'edge', '--dns', 'www.edge.test', '--dns', 'edge.test'];
    try {
      const gateway = await startGateway(documented(ports), options);
      closers.push(() => gateway.stop());
      const acme = startAcme('serve', ...base, '--agree-tos', ...sds, ...listens, ...names);
      closers.push(() => acme.stop());
      await work({ pebble, gateway, acme, base, ports });
    } finally {
      for (const close of closers.reverse()) await close();
    }
  });
}

async function visitUntil(world: World, ca: string, ready: (serial: string) => boolean): Promise<string> {
  const end = performance.now() + 45_000;
  while (performance.now() < end) {
    const seen = await visit(world.ports.https, ca, 'www.edge.test');
    if (seen !== null && ready(seen.serial)) return seen.serial;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(
    `no such certificate is served\n${world.acme.log()}\n${world.gateway.output}\n${world.pebble.output()}`,
  );
}

/** From no certificate to an application that is reached with one, then a renewal without a restart. */
async function comesAndIsRenewed(binary: string, envoy: string | undefined, challenge: string): Promise<void> {
  await withWorld(binary, envoy, challenge, async (world) => {
    const ca = await world.pebble.root();
    const first = await visitUntil(world, ca, () => true);
    assert.match(world.acme.log(), new RegExp(`${challenge}: edge\\.test is proven`));
    const renewed = await runAcme('renew', ...world.base, '--force');
    assert.equal(renewed.code, 0, renewed.log);
    await visitUntil(world, ca, (serial) => serial !== first);
  });
}

for (const challenge of ['http-01', 'tls-alpn-01']) {
  // Deno cannot show the certificate: refused by name, see challenges.test.ts.
  if (challenge === 'tls-alpn-01' && !tlsCapabilities.unknownCriticalExtensions) continue;
  peerTest('pebble', `${challenge} through sluice, by the documented configuration`, (binary) =>
    comesAndIsRenewed(binary, undefined, challenge),
  );
  peerTest(firstMissing('pebble', 'envoy'), `${challenge} through a stock Envoy, by the same configuration`, (binary) =>
    comesAndIsRenewed(binary, findPeer('envoy')!, challenge),
  );
}
