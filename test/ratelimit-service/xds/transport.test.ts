import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { IssuedCertificate } from '#certs/ca/issued-certificate.ts';
import { createAuthority, issueLeaf } from '#certs/ca/x509-toolkit.ts';
import { createMessage, decodeMessage, encodeMessage, packAny } from '#gateway/proto/registry.ts';
import type { DiscoveryRequest, DiscoveryResponse } from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import { goControlPlaneTest, startGoControlPlane } from '#test/support/go-control-plane.ts';
import { startGrpcStreamServer } from '#test/support/grpc-stream-server.ts';
import { until } from '#test/support/until.ts';
import { startService } from '../support/start-service.ts';
import { madeConfig } from '../support/xds-configs.ts';

const hour = 3_600_000;

/** PEM files of a made-up authority, a server and two clients. */
async function makeFiles(directory: string): Promise<Readonly<Record<string, string>>> {
  const now = Date.now();
  const authority = await createAuthority('right', hour, now);
  const other = await createAuthority('wrong', hour, now);
  const leaf = async (of: IssuedCertificate, dns: string): Promise<IssuedCertificate> =>
    await issueLeaf(of, { name: 'x', dns: [dns], ip: [], lifetimeMs: hour }, now);
  const server = await leaf(authority, 'xds.test');
  const client = await leaf(authority, 'limits.test');
  const stranger = await leaf(other, 'limits.test');
  const files: Record<string, string> = {};
  const write = (name: string, text: string): void => {
    files[name] = join(directory, name);
    writeFileSync(files[name], text);
  };
  write('ca', authority.chainPem);
  write('otherCa', other.chainPem);
  write('serverCert', server.chainPem);
  write('serverKey', server.privateKey.reveal());
  write('clientCert', client.chainPem);
  write('clientKey', client.privateKey.reveal());
  write('strangerCert', stranger.chainPem);
  write('strangerKey', stranger.privateKey.reveal());
  write('rubbish', 'no PEM');
  return files;
}

goControlPlaneTest('TLS: the server is named and trusted, the client shows a certificate', async (program) => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-rl-xds-'));
  const files = await makeFiles(directory);
  const server = await startGoControlPlane(program, [
    ...['-cert', files['serverCert']!, '-key', files['serverKey']!],
    ...['-client-ca', files['ca']!],
  ]);
  server.setConfigs('v1', [madeConfig('one', 'd', [{ key: 'a', limit: 2 }])]);
  const env = {
    CONFIG_TYPE: 'GRPC_XDS_SOTW',
    CONFIG_GRPC_XDS_SERVER_URL: `localhost:${server.port}`,
    CONFIG_GRPC_XDS_SERVER_USE_TLS: 'true',
    CONFIG_GRPC_XDS_SERVER_TLS_CACERT: files['ca']!,
    CONFIG_GRPC_XDS_SERVER_TLS_SAN: 'xds.test',
    CONFIG_GRPC_XDS_CLIENT_TLS_CERT: files['clientCert']!,
    CONFIG_GRPC_XDS_CLIENT_TLS_KEY: files['clientKey']!,
    CONFIG_GRPC_XDS_SERVER_CONNECT_RETRY_INTERVAL: '100ms',
    XDS_CLIENT_BACKOFF_INITIAL_INTERVAL: '50ms',
  };
  try {
    const { service } = await startService(env);
    assert.deepEqual([...service.limits.config!.domains.keys()], ['d']);
    await service.close();
    await server.event(({ event }) => event === 'close');
    for (const [what, change] of [
      ['another name', { CONFIG_GRPC_XDS_SERVER_TLS_SAN: 'other.test' }],
      ['the name of the URL', { CONFIG_GRPC_XDS_SERVER_TLS_SAN: '' }],
      ['another authority', { CONFIG_GRPC_XDS_SERVER_TLS_CACERT: files['otherCa']! }],
      ['no certificate', { CONFIG_GRPC_XDS_CLIENT_TLS_CERT: '', CONFIG_GRPC_XDS_CLIENT_TLS_KEY: '' }],
      [
        'a stranger',
        {
          CONFIG_GRPC_XDS_CLIENT_TLS_CERT: files['strangerCert']!,
          CONFIG_GRPC_XDS_CLIENT_TLS_KEY: files['strangerKey']!,
        },
      ],
      ['no TLS', { CONFIG_GRPC_XDS_SERVER_USE_TLS: 'false' }],
    ] as const) {
      const started = await startService({ ...env, ...change, FORCE_START_WITHOUT_INITIAL_CONFIG: 'true' });
      // Long enough for several attempts, none of which may open a stream.
      for (let i = 0; i < 25; i++) await new Promise((done) => setTimeout(done, 20));
      assert.equal(started.service.limits.config, null, what);
      assert.equal(server.events.filter(({ event }) => event === 'open').length, 1, what);
      await started.service.close();
    }
    for (const [message, change] of [
      [
        /failed to load TLS key pair \(.*clientCert,.*strangerKey\)/,
        { CONFIG_GRPC_XDS_CLIENT_TLS_KEY: files['strangerKey']! },
      ],
      [
        /failed to load the provided TLS CA certificate: .*rubbish/,
        { CONFIG_GRPC_XDS_SERVER_TLS_CACERT: files['rubbish']! },
      ],
      [/failed to read file: .*none/, { CONFIG_GRPC_XDS_SERVER_TLS_CACERT: join(directory, 'none') }],
      [/go together/, { CONFIG_GRPC_XDS_CLIENT_TLS_KEY: '' }],
      [/CLIENT_ADDITIONAL_HEADERS: .*not a name/, { CONFIG_GRPC_XDS_CLIENT_ADDITIONAL_HEADERS: 'not a name:x' }],
    ] as const) {
      await assert.rejects(startService({ ...env, ...change }), message);
    }
  } finally {
    await server.kill();
    rmSync(directory, { recursive: true, force: true });
  }
});

goControlPlaneTest('a response longer than XDS_CLIENT_MAX_MSG_SIZE_IN_BYTES is not taken', async (program) => {
  const server = await startGoControlPlane(program);
  const keys = Array.from({ length: 200 }, (_, i) => ({ key: `a-rather-long-key-${i}`, limit: 1 }));
  server.setConfigs('v1', [madeConfig('one', 'd', keys)]);
  const env = {
    CONFIG_TYPE: 'GRPC_XDS_SOTW',
    CONFIG_GRPC_XDS_SERVER_URL: `127.0.0.1:${server.port}`,
    XDS_CLIENT_BACKOFF_INITIAL_INTERVAL: '20ms',
    FORCE_START_WITHOUT_INITIAL_CONFIG: 'true',
  };
  const small = await startService({ ...env, XDS_CLIENT_MAX_MSG_SIZE_IN_BYTES: '1000' });
  const large = await startService({ ...env, XDS_CLIENT_MAX_MSG_SIZE_IN_BYTES: '100000' });
  try {
    await until(() => large.service.limits.config !== null);
    await until(() => small.lines.filter((line) => /RESOURCE_EXHAUSTED/.test(line)).length > 1);
    assert.equal(small.service.limits.config, null);
  } finally {
    await small.service.close();
    await large.service.close();
    await server.kill();
  }
});

goControlPlaneTest('a start that waits for rules can be stopped', async (program) => {
  const server = await startGoControlPlane(program);
  try {
    let stopped = false;
    const starting = startService(
      { CONFIG_TYPE: 'GRPC_XDS_SOTW', CONFIG_GRPC_XDS_SERVER_URL: `127.0.0.1:${server.port}` },
      () => stopped,
    );
    await server.event(({ event }) => event === 'request');
    stopped = true;
    await assert.rejects(starting, /the start was stopped/);
    await server.event(({ event }) => event === 'close');
  } finally {
    await server.kill();
  }
});

test('a set that is accepted makes the refusal of the one before it needless', async () => {
  const requests: DiscoveryRequest[] = [];
  const server = await startGrpcStreamServer((_call, message) => {
    requests.push(decodeMessage<DiscoveryRequest>('envoy.service.discovery.v3.DiscoveryRequest', message));
  });
  const { service } = await startService({
    CONFIG_TYPE: 'GRPC_XDS_SOTW',
    CONFIG_GRPC_XDS_SERVER_URL: `127.0.0.1:${server.port}`,
    FORCE_START_WITHOUT_INITIAL_CONFIG: 'true',
  });
  const send = (nonce: string, domain: string): void => {
    const config = {
      ...packAny(createMessage('ratelimit.config.ratelimit.v3.RateLimitConfig')),
      value: madeConfig('x', domain, []),
    };
    const response = { versionInfo: `v${nonce}`, nonce, resources: [config] };
    server.calls[0]!.send(
      encodeMessage(createMessage<DiscoveryResponse>('envoy.service.discovery.v3.DiscoveryResponse', response)),
    );
  };
  const answers = (): string[] =>
    requests.slice(1).map(({ responseNonce, errorDetail }) => `${responseNonce} ${errorDetail === undefined}`);
  try {
    await until(() => requests.length === 1);
    // The seventh refusal in a row would wait for 100 ms; a server that does not wait sends a good set meanwhile.
    for (let nonce = 1; nonce <= 6; nonce++) {
      send(`${nonce}`, '');
      await until(() => answers().length === nonce);
    }
    send('7', '');
    send('8', 'd');
    await until(() => answers().length === 7);
    for (let i = 0; i < 20; i++) await new Promise((done) => setTimeout(done, 20));
    assert.deepEqual(answers().slice(-2), ['6 false', '8 true']);
  } finally {
    await service.close();
    server.close();
  }
});
