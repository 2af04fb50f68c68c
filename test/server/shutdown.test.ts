import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { allTo, httpListener, staticCluster, staticResources } from '#test/support/bootstrap.ts';
import { type GatewayProcess, startGateway } from '#test/support/gateway-process.ts';

/** An upstream that answers when it is told to. */
async function heldUpstream(): Promise<{
  port: number;
  arrived: Promise<void>;
  release: () => void;
  close: () => void;
}> {
  let release = (): void => {};
  let onArrival = (): void => {};
  const arrived = new Promise<void>((resolve) => {
    onArrival = resolve;
  });
  const server = http.createServer((_request, response) => {
    release = () => response.end('late');
    onArrival();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    arrived,
    release: () => release(),
    close: () => server.close(),
  };
}

function start(port: number, args: readonly string[] = []): Promise<GatewayProcess> {
  const listener = httpListener({ name: 'main', virtualHosts: allTo('up'), manager: ['drain_timeout: 0.1s'] });
  return startGateway(staticResources([listener], [staticCluster('up', [port])]), { args });
}

async function exitOf(gateway: GatewayProcess): Promise<number | null> {
  if (gateway.child.exitCode !== null) return gateway.child.exitCode;
  return new Promise((resolve) => gateway.child.once('exit', (code) => resolve(code)));
}

describe('the end of a gateway', () => {
  it('SIGTERM lets the request under way finish, says connection: close, and exits with 0', async () => {
    const upstream = await heldUpstream();
    const gateway = await start(upstream.port);
    const answer = new Promise<http.IncomingMessage>((resolve, reject) => {
      const agent = new http.Agent({ keepAlive: true });
      http.get({ host: '127.0.0.1', port: gateway.port('main'), agent }, resolve).on('error', reject);
    });
    await upstream.arrived;
    const ended = gateway.terminate();
    // The listener is gone before the stream is.
    for (let refused = false; !refused; ) {
      refused = await new Promise<boolean>((resolve) => {
        const socket = net.connect(gateway.port('main'), '127.0.0.1');
        socket.once('error', () => resolve(true));
        socket.once('connect', () => {
          socket.destroy();
          resolve(false);
        });
      });
      await delay(5);
    }
    assert.equal((await gateway.admin('/ready')).text, 'DRAINING\n');
    upstream.release();
    const response = await answer;
    let body = '';
    for await (const chunk of response) body += String(chunk);
    assert.deepEqual([response.statusCode, body, response.headers.connection], [200, 'late', 'close']);
    assert.equal(await ended, 0);
    upstream.close();
    await gateway.stop();
  });

  it('SIGTERM ends an idle HTTP/2 connection with GOAWAY', async () => {
    const upstream = await heldUpstream();
    const gateway = await start(upstream.port);
    const session = http2.connect(`http://127.0.0.1:${gateway.port('main')}`);
    await new Promise<void>((resolve, reject) => {
      session.once('error', reject);
      session.once('remoteSettings', () => resolve());
    });
    const goneAway = new Promise<number>((resolve) => session.once('goaway', resolve));
    const ended = gateway.terminate();
    assert.equal(await goneAway, 0);
    assert.equal(await ended, 0);
    session.destroy();
    upstream.close();
    await gateway.stop();
  });

  it('what does not finish within the drain time is cut off', async () => {
    const upstream = await heldUpstream();
    const gateway = await start(upstream.port, ['--drain-time-s', '1']);
    const failed = new Promise<boolean>((resolve) => {
      http
        .get({ host: '127.0.0.1', port: gateway.port('main') }, () => resolve(false))
        .on('error', () => resolve(true));
    });
    await upstream.arrived;
    assert.equal(await gateway.terminate(), 0);
    assert.equal(await failed, true);
    upstream.close();
    await gateway.stop();
  });

  it('POST /quitquitquit ends it at once with 0', async () => {
    const gateway = await start(1);
    assert.equal((await gateway.admin('/quitquitquit', 'POST')).text, 'OK\n');
    assert.equal(await exitOf(gateway), 0);
    await gateway.stop();
  });

  it('SIGUSR1 reopens the access logs', async () => {
    const upstream = http.createServer((_request, response) => response.end('x'));
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const log =
      'access_log: [ { name: file, typed_config: { "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: "{dir}/a.log" } } ]';
    const listener = httpListener({ name: 'main', virtualHosts: allTo('up'), manager: [log] });
    const { port } = upstream.address() as AddressInfo;
    const gateway = await startGateway(staticResources([listener], [staticCluster('up', [port])]));
    const file = join(gateway.dir, 'a.log');
    renameSync(file, `${file}.1`);
    gateway.signal('SIGUSR1');
    for (let i = 0; i < 200 && !existsSync(file); i++) await delay(20);
    assert.equal(readFileSync(file, 'utf8'), '');
    upstream.close();
    await gateway.stop();
  });
});
