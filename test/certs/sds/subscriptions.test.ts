import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeltaSubscription } from '#certs/sds/delta-subscription.ts';
import { SecretResources, secretTypeName, validationContextSecret } from '#certs/sds/secret-resources.ts';
import { SotwSubscription } from '#certs/sds/sotw-subscription.ts';
import { createMessage, unpackAny } from '#gateway/proto/registry.ts';
import type { Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';

function offer(...names: string[]): SecretResources {
  const resources = new SecretResources();
  for (const name of names) resources.set(validationContextSecret(name, `pem of ${name}`));
  return resources;
}

function sotw(names: string[], nonce = '', error = ''): DiscoveryRequest {
  return createMessage<DiscoveryRequest>('envoy.service.discovery.v3.DiscoveryRequest', {
    resourceNames: names,
    responseNonce: nonce,
    ...(error === '' ? {} : { errorDetail: { message: error } }),
  });
}

function names(response: DiscoveryResponse | null): string[] | null {
  return response === null ? null : response.resources.map((any) => unpackAny<Secret>(any).name);
}

test('state of the world: first request, ACK, push, NACK', () => {
  const resources = offer('a', 'b');
  const subscription = new SotwSubscription(resources);
  const first = subscription.onRequest(sotw(['a']));
  assert.deepEqual(names(first), ['a']);
  assert.equal(first!.typeUrl, `type.googleapis.com/${secretTypeName}`);
  assert.equal(subscription.onRequest(sotw(['a'], first!.nonce)), null);
  assert.equal(subscription.verdict, 'ack');
  assert.equal(subscription.onSecretChanged('b'), null);
  resources.set(validationContextSecret('a', 'new pem'));
  const push = subscription.onSecretChanged('a');
  assert.notEqual(push!.versionInfo, first!.versionInfo);
  assert.notEqual(push!.nonce, first!.nonce);
  assert.equal(subscription.onRequest(sotw(['a'], push!.nonce, 'bad pem')), null);
  assert.equal(subscription.verdict, 'nack');
  assert.equal(subscription.nackMessage, 'bad pem');
  assert.equal(subscription.onRequest(sotw(['b'], first!.nonce)), null);
  assert.equal(subscription.verdict, 'stale');
});

test('state of the world: a name that comes later is sent when it is there', () => {
  const resources = offer();
  const subscription = new SotwSubscription(resources);
  assert.equal(subscription.onRequest(sotw(['late'])), null);
  resources.set(validationContextSecret('late', 'pem'));
  assert.deepEqual(names(subscription.onSecretChanged('late')), ['late']);
});

test('state of the world: more names are answered with all of them', () => {
  const subscription = new SotwSubscription(offer('a', 'b'));
  const first = subscription.onRequest(sotw(['a']));
  assert.deepEqual(names(subscription.onRequest(sotw(['a', 'b'], first!.nonce))), ['a', 'b']);
});

function delta(init: Partial<DeltaDiscoveryRequest>): DeltaDiscoveryRequest {
  return createMessage<DeltaDiscoveryRequest>('envoy.service.discovery.v3.DeltaDiscoveryRequest', init as object);
}

function deltaNames(response: DeltaDiscoveryResponse | null): string[] | null {
  return response === null ? null : response.resources.map(({ name }) => name);
}

test('delta: only what is new is sent', () => {
  const resources = offer('a', 'b');
  const subscription = new DeltaSubscription(resources);
  const first = subscription.onRequest(delta({ resourceNamesSubscribe: ['a'] }));
  assert.deepEqual(deltaNames(first), ['a']);
  assert.equal(subscription.onRequest(delta({ responseNonce: first!.nonce })), null);
  const second = subscription.onRequest(delta({ resourceNamesSubscribe: ['b'], responseNonce: first!.nonce }));
  assert.deepEqual(deltaNames(second), ['b']);
  resources.set(validationContextSecret('a', 'new'));
  assert.deepEqual(deltaNames(subscription.onSecretChanged('a')), ['a']);
  subscription.onRequest(delta({ resourceNamesUnsubscribe: ['a'] }));
  assert.equal(subscription.onSecretChanged('a'), null);
});

test('delta: what a reconnecting client holds is not sent again', () => {
  const resources = offer('a');
  const version = resources.get('a')!.version;
  const same = new DeltaSubscription(resources);
  assert.equal(same.onRequest(delta({ resourceNamesSubscribe: ['a'], initialResourceVersions: { a: version } })), null);
  const old = new DeltaSubscription(resources);
  const answer = old.onRequest(delta({ resourceNamesSubscribe: ['a'], initialResourceVersions: { a: 'old' } }));
  assert.deepEqual(deltaNames(answer), ['a']);
});
