import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromJson, type JsonObject } from '@bufbuild/protobuf';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import { GoogleGrpcClients } from '#gateway/transport/google-grpc/google-grpc-clients.ts';
import { readGoogleGrpc } from '#gateway/transport/google-grpc/read-google-grpc.ts';
import type { GrpcService } from '#proto-types/envoy/config/core/v3/grpc_service_pb.ts';
import { createCertificate } from '#test/support/certificates.ts';
import { createTestServerContext } from '#test/support/server-context.ts';

const one = await createCertificate({ name: 'one' });
const two = await createCertificate({ name: 'two' });
const inline = (text: string): JsonObject => ({ inline_string: text });

function service(google: JsonObject, more: JsonObject = {}): GrpcService {
  const json = { google_grpc: { target_uri: 'plane:1', stat_prefix: 'plane', ...google }, ...more };
  return fromJson(messageSchema<GrpcService>('envoy.config.core.v3.GrpcService'), json, { registry: protoRegistry() });
}

function problems(google: JsonObject): string[] {
  const found = new Diagnostics();
  const target = readGoogleGrpc(service(google), createTestServerContext(), found);
  assert.equal(target === null, found.failed);
  return found.errors.map(({ path, problem }) => `${path}: ${problem}`);
}

const ssl = (fields: JsonObject): JsonObject => ({ channel_credentials: { ssl_credentials: fields } });

test('what cannot work is refused by name, and keys are not shown', () => {
  assert.match(problems({ channel_credentials: { google_default: {} } })[0]!, /google_default: is not supported/);
  assert.match(problems(ssl({ private_key: inline(one.privateKey) }))[0]!, /need each other/);
  const mixed = problems(ssl({ private_key: inline(one.privateKey), cert_chain: inline(two.certificate) }));
  assert.match(mixed[0]!, /ssl_credentials\.private_key: .*does not belong to cert_chain/);
  assert.ok(!mixed.join().includes('PRIVATE'));
  assert.match(problems({ call_credentials: [{ access_token: 't' }] })[0]!, /over TLS only/);
  assert.match(
    problems({ ...ssl({}), call_credentials: [{ google_refresh_token: 't' }] })[0]!,
    /call_credentials\[0\]\.googleRefreshToken: is not supported/,
  );
  assert.match(
    problems({ channel_args: { args: { 'grpc.nonsense': { int_value: '1' } } } })[0]!,
    /args\["grpc\.nonsense"\]: this channel argument is not supported/,
  );
});

test('what is read: credentials, token, metadata, timeout, arguments', () => {
  const google = {
    ...ssl({
      root_certs: inline(one.certificate),
      private_key: inline(one.privateKey),
      cert_chain: inline(one.certificate),
    }),
    call_credentials: [{ access_token: 'secret' }],
    channel_args: { args: { 'grpc.keepalive_time_ms': { int_value: '5000' } } },
  };
  const config = service(google, { timeout: '0.25s', initial_metadata: [{ key: 'X-A', value: 'b' }] });
  const target = readGoogleGrpc(config, createTestServerContext(), new Diagnostics())!;
  assert.deepEqual(target.initialMetadata, ['x-a', 'b', 'authorization', 'Bearer secret']);
  assert.equal(target.timeoutMs, 250);
  assert.deepEqual(target.channelArgs, { 'grpc.keepalive_time_ms': 5000 });
  assert.equal(new TextDecoder().decode(target.tls!.roots!), one.certificate);
});

test('equal configurations share a client', () => {
  const clients = new GoogleGrpcClients(createTestServerContext());
  const first = clients.get(service({}), new Diagnostics());
  assert.ok(first !== null);
  assert.equal(clients.get(service({}), new Diagnostics()), first);
  assert.notEqual(clients.get(service({ target_uri: 'other:1' }), new Diagnostics()), first);
  clients.close();
});
