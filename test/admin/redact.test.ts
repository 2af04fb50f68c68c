import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import type { Message } from '@bufbuild/protobuf';
import { redactedJson } from '#gateway/admin/redact.ts';
import { createMessage, packAny } from '#gateway/proto/registry.ts';

const tls = 'envoy.extensions.transport_sockets.tls.v3';
const filters = 'envoy.extensions.filters.http';
const secret = (): object => ({ specifier: { case: 'inlineString', value: 'very private' } });

/** Messages with something secret in them; each must say that something was there. */
const cases: readonly (readonly [typeName: string, init: object])[] = [
  [`${tls}.TlsCertificate`, { privateKey: secret() }],
  [`${tls}.TlsCertificate`, { password: secret() }],
  [`${filters}.basic_auth.v3.BasicAuth`, { users: secret() }],
  [`${filters}.basic_auth.v3.BasicAuthPerRoute`, { users: secret() }],
  [`${filters}.api_key_auth.v3.ApiKeyAuth`, { credentials: [{ key: 'very private', client: 'shown' }] }],
  ['envoy.config.core.v3.GrpcService.GoogleGrpc.SslCredentials', { privateKey: secret() }],
  ['sluice.clusters.in_process.v1.InProcess', { service: 'shown', settings: { REDIS_AUTH: 'very private' } }],
];

for (const [typeName, init] of cases) {
  test(`what is secret in ${typeName} (${Object.keys(init).join()}) is not shown, inside an Any either`, () => {
    const message = createMessage<Message>(typeName, init);
    const wrapped = createMessage<Message>('envoy.config.core.v3.TypedExtensionConfig', {
      name: 'x',
      typedConfig: packAny(message),
    } as object);
    for (const one of [message, wrapped]) {
      const text = JSON.stringify(redactedJson(one));
      assert.ok(!text.includes('very private'), text);
      assert.ok(!text.includes(Buffer.from('very private').toString('base64')), text);
      assert.ok(text.includes('[redacted]'), text);
    }
  });
}
