import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import { fromJson, type JsonObject } from '@bufbuild/protobuf';
import type { GrpcAsyncClient, GrpcStreamCallbacks } from '#gateway/api/async-client.ts';
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
import { createTestServerContext, type TestServerContext } from '#test/support/server-context.ts';

const secretTypeName = 'envoy.extensions.transport_sockets.tls.v3.Secret';
const read = <T>(type: string, json: JsonObject): T =>
  fromJson(messageSchema(type as never), json, { registry: protoRegistry() }) as T;
const config = (json: JsonObject): SdsSecretConfig =>
  read('envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig', json);
const secretOf = (json: JsonObject): Secret => read(secretTypeName, json);
const text = (octets: Uint8Array): string => Buffer.from(octets).toString();

class Plane {
  readonly requests: DiscoveryRequest[] = [];
  readonly streams: GrpcStreamCallbacks[] = [];
  resets = 0;
  readonly server: TestServerContext;

  constructor() {
    const client = {
      stream: (_method: string, _metadata: unknown, callbacks: GrpcStreamCallbacks) => {
        this.streams.push(callbacks);
        return {
          send: (octets: Uint8Array) =>
            void this.requests.push(decodeMessage('envoy.service.discovery.v3.DiscoveryRequest', octets)),
          endWrite: () => {},
          reset: () => {
            this.resets++;
          },
        };
      },
    } as unknown as GrpcAsyncClient;
    this.server = createTestServerContext({ grpcClient: () => client });
  }

  /** `secret` as its message or, so that what no rule lets pass can be sent, as it is. */
  respond(version: string, secret: Secret): void {
    const message = createMessage<DiscoveryResponse>('envoy.service.discovery.v3.DiscoveryResponse', {
      versionInfo: version,
      nonce: version,
      typeUrl: `type.googleapis.com/${secretTypeName}`,
      resources: [packAny(secret)],
    });
    this.streams.at(-1)!.onMessage(encodeMessage(message));
  }
}

const api = { api_type: 'GRPC', grpc_services: [{ envoy_grpc: { cluster_name: 'sds' } }] };

test('generic secrets of the configuration: one, or several by name', () => {
  const statics = [
    secretOf({ name: 'token', generic_secret: { secret: { inline_string: 'sesame' } } }),
    secretOf({ name: 'many', generic_secret: { secrets: { a: { inline_string: '1' }, b: { inline_string: '2' } } } }),
    secretOf({ name: 'none', generic_secret: {} }),
  ];
  const secrets = new Secrets(createTestServerContext(), statics);
  const found = new Diagnostics();
  assert.equal(text(secrets.genericSecret(config({ name: 'token' }), found).current!.value), 'sesame');
  const many = secrets.genericSecret(config({ name: 'many' }), found).current!;
  assert.deepEqual(
    [...many.named].map(([name, octets]) => [name, text(octets)]),
    [
      ['a', '1'],
      ['b', '2'],
    ],
  );
  assert.equal(found.failed, false);
  assert.equal(secrets.genericSecret(config({ name: 'none' }), found).current, null);
  assert.match(found.errors[0]!.problem, /holds no secret/);
});

test('a generic secret from SDS rotates; one that is empty or of another kind is refused', () => {
  const plane = new Plane();
  const secrets = new Secrets(plane.server, []);
  const sds = config({ name: 'token', sds_config: { api_config_source: api } });
  const source = secrets.genericSecret(sds, new Diagnostics());
  plane.server.initTargets[0]!.start(() => {});
  const generic = (value: string): Secret =>
    secretOf({ name: 'token', generic_secret: { secret: { inline_string: value } } });
  plane.respond('1', generic('first'));
  assert.equal(text(source.current!.value), 'first');
  const before = source.current!.digest;
  plane.respond('2', generic('second'));
  assert.equal(text(source.current!.value), 'second');
  assert.notEqual(source.current!.digest, before);
  plane.respond('3', generic(''));
  assert.match(plane.requests.at(-1)!.errorDetail!.message, /./);
  plane.respond('4', secretOf({ name: 'token', validation_context: { max_verify_depth: 1 } }));
  assert.match(plane.requests.at(-1)!.errorDetail!.message, /is not a generic_secret/);
  assert.equal(text(source.current!.value), 'second');
  assert.equal(plane.server.stat('sds.token.update_rejected'), 2);
  assert.ok(!plane.server.lines.join().includes('second'));
});

test('a secret that nobody uses any more is not followed, and its statistics go', () => {
  const plane = new Plane();
  const secrets = new Secrets(plane.server, []);
  const sds = config({ name: 'token', sds_config: { api_config_source: api } });
  const source = secrets.genericSecret(sds, new Diagnostics());
  assert.equal(secrets.genericSecret(sds, new Diagnostics()), source);
  plane.server.initTargets[0]!.start(() => {});
  const [one, two] = [{ onSecret() {} }, { onSecret() {} }];
  source.subscribe(one);
  source.subscribe(two);
  source.unsubscribe(one);
  assert.equal(plane.resets, 0);
  source.unsubscribe(two);
  assert.equal(plane.resets, 1);
  assert.deepEqual(secrets.dynamic, []);
  assert.ok(!plane.server.store.counters().some(({ name }) => name === 'sds.token.update_attempt'));
  assert.notEqual(secrets.genericSecret(sds, new Diagnostics()), source);
});

test('keys of session tickets from SDS: the right length only', () => {
  const plane = new Plane();
  const sds = config({ name: 'keys', sds_config: { api_config_source: api } });
  const source = new Secrets(plane.server, []).sessionTicketKeys(sds, new Diagnostics());
  plane.server.initTargets[0]!.start(() => {});
  const keys = (length: number): Secret =>
    secretOf({
      name: 'keys',
      session_ticket_keys: { keys: [{ inline_bytes: Buffer.alloc(length, 7).toString('base64') }] },
    });
  plane.respond('1', keys(80));
  assert.equal(source.current!.octets.length, 48);
  plane.respond('2', keys(79));
  assert.match(plane.requests.at(-1)!.errorDetail!.message, /Length 79, expected length 80/);
  assert.equal(source.version, 1);
});
