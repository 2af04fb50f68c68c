import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { fromJson } from '@bufbuild/protobuf';
import type { GrpcAsyncClient, GrpcStreamCallbacks } from '#gateway/api/async-client.ts';
import type { SecretSource, TlsCertificateSecret } from '#gateway/api/secrets.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import {
  createMessage,
  decodeMessage,
  encodeMessage,
  messageSchema,
  packAny,
  protoRegistry,
} from '#gateway/proto/registry.ts';
import { Secrets } from '#gateway/transport/secrets/secrets.ts';
import type { SdsSecretConfig, Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type { DiscoveryRequest, DiscoveryResponse } from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import { createCertificate } from '#test/support/certificates.ts';
import { startGrpcStreamServer } from '#test/support/grpc-stream-server.ts';
import { createTestServerContext, type TestServerContext } from '#test/support/server-context.ts';
import { until } from '#test/support/until.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

const one = await createCertificate({ name: 'one', sans: ['dns:one.test'] });
const two = await createCertificate({ name: 'two', sans: ['dns:two.test'] });

// Watches and timers of the gateway do not keep a process alive: something must, while a test waits for them.
let alive: ReturnType<typeof setInterval>;
before(() => {
  alive = setInterval(() => {}, 60_000);
});
after(() => clearInterval(alive));

function config(json: JsonObject): SdsSecretConfig {
  const schema = messageSchema<SdsSecretConfig>('envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig');
  return fromJson(schema, json, { registry: protoRegistry() });
}

function secretOf(name: string, certificate: string, privateKey: string): Secret {
  const schema = messageSchema<Secret>('envoy.extensions.transport_sockets.tls.v3.Secret');
  const json = {
    name,
    tls_certificate: {
      certificate_chain: { inline_string: certificate },
      private_key: { inline_string: privateKey },
    },
  };
  return fromJson(schema, json, { registry: protoRegistry() });
}

function response(version: string, secret: Secret): Uint8Array {
  return encodeMessage(
    createMessage<DiscoveryResponse>('envoy.service.discovery.v3.DiscoveryResponse', {
      versionInfo: version,
      nonce: `n${version}`,
      typeUrl: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
      resources: [packAny(secret)],
    }),
  );
}

const parseRequest = (bytes: Uint8Array): DiscoveryRequest =>
  decodeMessage<DiscoveryRequest>('envoy.service.discovery.v3.DiscoveryRequest', bytes);

function changes(source: SecretSource<unknown>, version: number): Promise<void> {
  return new Promise((done) => {
    const listener = {
      onSecret(): void {
        if (source.version < version) return;
        source.unsubscribe(listener);
        done();
      },
    };
    source.subscribe(listener);
    listener.onSecret();
  });
}

async function startTargets(server: TestServerContext): Promise<void> {
  await Promise.all(server.initTargets.map((target) => new Promise<void>((done) => target.start(done))));
}

function certificate(json: JsonObject, server: TestServerContext): SecretSource<TlsCertificateSecret> {
  const diagnostics = new Diagnostics();
  const source = new Secrets(server, []).tlsCertificate(config(json), diagnostics);
  diagnostics.throwIfFailed();
  return source;
}

describe('gRPC SDS', () => {
  it('envoy_grpc: first value, ACK, NACK with the reason, a new stream after a failure', async () => {
    const sent: DiscoveryRequest[] = [];
    const streams: GrpcStreamCallbacks[] = [];
    const methods: string[] = [];
    const client = {
      stream(method: string, _metadata: unknown, callbacks: GrpcStreamCallbacks) {
        methods.push(method);
        streams.push(callbacks);
        return {
          send: (bytes: Uint8Array) => void sent.push(parseRequest(bytes)),
          endWrite: () => {},
          reset: () => {},
        };
      },
    } as unknown as GrpcAsyncClient;
    const server = createTestServerContext({ grpcClient: () => client });
    const api = { api_type: 'GRPC', grpc_services: [{ envoy_grpc: { cluster_name: 'sds' } }] };
    const source = certificate({ name: 'c', sds_config: { api_config_source: api } }, server);
    let ready = false;
    server.initTargets[0]!.start(() => {
      ready = true;
    });
    assert.equal(methods[0], '/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets');
    assert.deepEqual(sent[0]!.resourceNames, ['c']);
    assert.equal(sent[0]!.node!.id, 'test');
    assert.equal(ready, false);
    streams[0]!.onMessage(response('1', secretOf('c', one.certificate, one.privateKey)));
    await until(() => ready);
    assert.equal(source.current!.certificateChain, one.certificate);
    await until(() => sent.length === 2);
    assert.equal(sent[1]!.versionInfo, '1');
    assert.equal(sent[1]!.responseNonce, 'n1');
    assert.equal(sent[1]!.errorDetail, undefined);

    streams[0]!.onMessage(response('2', secretOf('c', two.certificate, one.privateKey)));
    await until(() => sent.length === 3);
    assert.equal(sent[2]!.versionInfo, '1');
    assert.equal(sent[2]!.responseNonce, 'n2');
    assert.match(sent[2]!.errorDetail!.message, /does not belong to the certificate/);
    assert.equal(source.current!.certificateChain, one.certificate);

    streams[0]!.onClose(14, 'gone');
    while (streams.length < 2) await new Promise((done) => setTimeout(done, 5));
    assert.equal(sent[3]!.versionInfo, '1');
    assert.equal(sent[3]!.responseNonce, '');
    streams[1]!.onMessage(response('3', secretOf('c', two.certificate, two.privateKey)));
    await until(() => source.version === 2);
    assert.equal(source.current!.certificateChain, two.certificate);
    assert.equal(source.version, 2);
    (server.initTargets[0] as unknown as { close(): void }).close();
  });

  it('google_grpc: from a real server', async () => {
    const requests: DiscoveryRequest[] = [];
    const rpc = await startGrpcStreamServer((call, bytes) => {
      requests.push(parseRequest(bytes));
      if (requests.length === 1) call.send(response('1', secretOf('c', one.certificate, one.privateKey)));
    });
    const server = createTestServerContext();
    const google = { target_uri: `127.0.0.1:${rpc.port}`, stat_prefix: 'sds' };
    const api = { api_type: 'GRPC', grpc_services: [{ google_grpc: google }] };
    const source = certificate({ name: 'c', sds_config: { api_config_source: api } }, server);
    await startTargets(server);
    assert.equal(source.current!.certificateChain, one.certificate);
    assert.equal(rpc.calls[0]!.path, '/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets');
    rpc.calls[0]!.send(response('2', secretOf('c', two.certificate, two.privateKey)));
    await changes(source, 2);
    assert.equal(source.current!.certificateChain, two.certificate);
    (server.initTargets[0] as unknown as { close(): void }).close();
    rpc.close();
  });

  it('does not hold the server up for ever', async () => {
    const silent = { stream: () => ({ send() {}, endWrite() {}, reset() {} }) } as unknown as GrpcAsyncClient;
    const time = new VirtualTime();
    const server = createTestServerContext({ grpcClient: () => silent, clock: time, timers: time.timers });
    const api = { api_type: 'GRPC', grpc_services: [{ envoy_grpc: { cluster_name: 'sds' } }] };
    const sds = { api_config_source: api, initial_fetch_timeout: '0.03s' };
    const source = certificate({ name: 'c', sds_config: sds }, server);
    const started = startTargets(server);
    assert.equal(server.stat('sds.c.init_fetch_timeout'), 0);
    time.advance(100);
    await started;
    assert.equal(source.current, null);
    assert.equal(server.stat('sds.c.init_fetch_timeout'), 1);
  });
});
