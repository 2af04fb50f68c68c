import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { fromJson } from '@bufbuild/protobuf';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { messageSchema } from '#gateway/proto/registry.ts';
import { tlsCapabilities } from '#gateway/runtime/tls-capabilities.ts';
import type { TlsSettings } from '#gateway/runtime/tls-sockets.ts';
import { readTlsSettings } from '#gateway/transport/tls-parameters.ts';
import type { TlsParameters } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';

const schema = messageSchema<TlsParameters>('envoy.extensions.transport_sockets.tls.v3.TlsParameters');

function read(json: JsonObject, side: 'server' | 'client' = 'server'): TlsSettings | string {
  const diagnostics = new Diagnostics();
  const settings = readTlsSettings(fromJson(schema, json), side, diagnostics);
  const errors = diagnostics.errors.map(({ path, problem }) => `${path}: ${problem}`);
  return errors.length > 0 ? errors.join('\n') : settings;
}

function settingsOf(json: JsonObject, side: 'server' | 'client' = 'server'): TlsSettings {
  const settings = read(json, side);
  assert.ok(typeof settings !== 'string', String(settings));
  return settings;
}

describe('tls_params', () => {
  it('are TLS 1.2 to 1.3 when nothing is set; servers have forward secrecy and authenticated encryption', () => {
    const { minVersion, maxVersion, ciphers } = settingsOf({});
    assert.deepEqual([minVersion, maxVersion], ['TLSv1.2', 'TLSv1.3']);
    assert.doesNotMatch(ciphers, /CBC|SHA$|SHA:/);
    assert.equal(ciphers.includes('ECDHE-ECDSA-AES128-GCM-SHA256'), tlsCapabilities.cipherSuites);
    assert.equal(settingsOf({}, 'client').ciphers, '');
  });

  it('a lowest version above the highest is refused', () => {
    const params = { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_2' };
    assert.match(String(read(params)), /tls_minimum_protocol_version: TLSv1.3 is above the maximum, TLSv1.2/);
  });

  const restricted: readonly [keyof typeof tlsCapabilities, JsonObject][] = [
    ['cipherSuites', { cipher_suites: ['ECDHE-RSA-AES128-GCM-SHA256'] }],
    ['ecdhCurves', { ecdh_curves: ['P-256'] }],
    ['signatureAlgorithms', { signature_algorithms: ['rsa_pss_rsae_sha256'] }],
  ];
  for (const [capability, params] of restricted) {
    const [field = ''] = Object.keys(params);
    it(`${field} is taken where it is honoured, else refused by name`, () => {
      const answer = read(params);
      if (tlsCapabilities[capability]) assert.equal(typeof answer, 'object', String(answer));
      else assert.match(String(answer), new RegExp(`^${field}: Deno cannot restrict .*; remove the field or run on`));
    });
  }

  const suites: readonly [string, readonly string[], string | RegExp][] = [
    ['registered names', ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'], 'ECDHE-RSA-AES128-GCM-SHA256'],
    ['equals', ['[AES128-SHA|TLS_RSA_WITH_AES_256_CBC_SHA]', 'AES128-SHA'], '[AES128-SHA|AES256-SHA]:AES128-SHA'],
    ['rules', ['-ALL', 'AES128-SHA', '!aNULL'], '-ALL:AES128-SHA:!aNULL'],
    ['several in one', ['AES128-SHA:AES256-SHA'], 'AES128-SHA:AES256-SHA'],
    ['an unknown one', ['AES128-SHA', 'NOPE'], /^cipher_suites\[1\]: "NOPE" is not a cipher suite .*\(unknown\)$/],
    ['an unknown equal', ['[AES128-SHA|NOPE]'], /^cipher_suites\[0\]: "NOPE" is not/],
    ['one of TLS 1.3', ['TLS_AES_128_GCM_SHA256'], /TLS 1.3 cannot be chosen, with Envoy neither/],
  ];
  for (const [name, list, want] of suites) {
    it(`cipher_suites: ${name}`, { skip: !tlsCapabilities.cipherSuites }, () => {
      const answer = read({ cipher_suites: [...list] });
      if (typeof want === 'string') assert.equal(typeof answer === 'string' ? answer : answer.ciphers, want);
      else assert.match(String(answer), want);
    });
  }
});
