import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeltaSubscription } from '#certs/sds/delta-subscription.ts';
import { EncodedResponses } from '#certs/sds/encoded-responses.ts';
import { OfferedSecrets } from '#certs/sds/offered-secrets.ts';
import { SecretResources, secretTypeName, validationContextSecret } from '#certs/sds/secret-resources.ts';
import { SotwSubscription } from '#certs/sds/sotw-subscription.ts';
import type { Subscription } from '#certs/sds/subscription.ts';
import { createMessage, decodeMessage, unpackAny } from '#gateway/proto/registry.ts';
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

function offered(resources: SecretResources, allows?: (name: string) => boolean): OfferedSecrets {
  return new OfferedSecrets(resources, new EncodedResponses(), allows);
}

function sotw(names: string[], nonce = '', error = ''): DiscoveryRequest {
  return createMessage<DiscoveryRequest>('envoy.service.discovery.v3.DiscoveryRequest', {
    resourceNames: names,
    responseNonce: nonce,
    ...(error === '' ? {} : { errorDetail: { message: error } }),
  });
}

/** What is sent after a request or a change; null: nothing. */
function sent(subscription: Subscription<never>): DiscoveryResponse | null {
  const response = subscription.next();
  return response === null ? null : decodeMessage('envoy.service.discovery.v3.DiscoveryResponse', response.octets);
}

function ask(subscription: Subscription<DiscoveryRequest>, request: DiscoveryRequest): DiscoveryResponse | null {
  subscription.onRequest(request);
  return sent(subscription as Subscription<never>);
}

function names(response: DiscoveryResponse | null): string[] | null {
  return response === null ? null : response.resources.map((any) => unpackAny<Secret>(any).name);
}

test('state of the world: first request, ACK, push, NACK', () => {
  const resources = offer('a', 'b');
  const subscription = new SotwSubscription(offered(resources));
  const first = ask(subscription, sotw(['a']));
  assert.deepEqual(names(first), ['a']);
  assert.equal(first!.typeUrl, `type.googleapis.com/${secretTypeName}`);
  assert.equal(ask(subscription, sotw(['a'], first!.nonce)), null);
  assert.equal(subscription.verdict, 'ack');
  assert.equal(subscription.onSecretChanged('b'), false);
  resources.set(validationContextSecret('a', 'new pem'));
  assert.equal(subscription.onSecretChanged('a'), true);
  const push = sent(subscription as Subscription<never>);
  assert.notEqual(push!.versionInfo, first!.versionInfo);
  assert.notEqual(push!.nonce, first!.nonce);
  assert.equal(ask(subscription, sotw(['a'], push!.nonce, 'bad pem')), null);
  assert.equal(subscription.verdict, 'nack');
  assert.equal(subscription.nackMessage, 'bad pem');
  assert.equal(ask(subscription, sotw(['b'], first!.nonce)), null);
  assert.equal(subscription.verdict, 'stale');
});

test('state of the world: a name that comes later is sent when it is there', () => {
  const resources = offer();
  const subscription = new SotwSubscription(offered(resources));
  assert.equal(ask(subscription, sotw(['late'])), null);
  resources.set(validationContextSecret('late', 'pem'));
  subscription.onSecretChanged('late');
  assert.deepEqual(names(sent(subscription as Subscription<never>)), ['late']);
});

test('state of the world: more names are answered with all of them, none any more with nothing', () => {
  const subscription = new SotwSubscription(offered(offer('a', 'b')));
  const first = ask(subscription, sotw(['a']));
  const both = ask(subscription, sotw(['b', 'a'], first!.nonce));
  assert.deepEqual(names(both), ['a', 'b']);
  assert.equal(ask(subscription, sotw([], both!.nonce)), null);
  assert.equal(subscription.onSecretChanged('a'), false);
});

test('state of the world: a first request without names asks for all that the client may have', () => {
  const subscription = new SotwSubscription(offered(offer('a', 'b', 'c'), (name) => name !== 'b'));
  assert.deepEqual(names(ask(subscription, sotw([]))), ['a', 'c']);
});

test('equal subscriptions share one encoded response, nonce included', () => {
  const responses = new EncodedResponses();
  const resources = offer('a', 'b');
  const nonces = new Set<string>();
  for (let i = 0; i < 100; i++) {
    const subscription = new SotwSubscription(new OfferedSecrets(resources, responses));
    nonces.add(ask(subscription, sotw(i % 2 === 0 ? ['a', 'b'] : ['b', 'a']))!.nonce);
  }
  assert.equal(responses.encoded, 1);
  assert.equal(nonces.size, 1);
});

function delta(init: Partial<DeltaDiscoveryRequest>): DeltaDiscoveryRequest {
  return createMessage<DeltaDiscoveryRequest>('envoy.service.discovery.v3.DeltaDiscoveryRequest', init as object);
}

function deltaSent(subscription: DeltaSubscription): DeltaDiscoveryResponse | null {
  const response = subscription.next();
  return response === null ? null : decodeMessage('envoy.service.discovery.v3.DeltaDiscoveryResponse', response.octets);
}

function deltaAsk(
  subscription: DeltaSubscription,
  init: Partial<DeltaDiscoveryRequest>,
): DeltaDiscoveryResponse | null {
  subscription.onRequest(delta(init));
  return deltaSent(subscription);
}

function deltaNames(response: DeltaDiscoveryResponse | null): string[] | null {
  return response === null ? null : response.resources.map(({ name }) => name);
}

test('delta: only what is new is sent, and what is gone', () => {
  const resources = offer('a', 'b');
  const subscription = new DeltaSubscription(offered(resources));
  const first = deltaAsk(subscription, { resourceNamesSubscribe: ['a'] });
  assert.deepEqual(deltaNames(first), ['a']);
  assert.equal(deltaAsk(subscription, { responseNonce: first!.nonce }), null);
  assert.equal(subscription.verdict, 'ack');
  const second = deltaAsk(subscription, { resourceNamesSubscribe: ['b'], responseNonce: first!.nonce });
  assert.deepEqual(deltaNames(second), ['b']);
  resources.set(validationContextSecret('a', 'new'));
  assert.equal(subscription.onSecretChanged('a'), true);
  assert.deepEqual(deltaNames(deltaSent(subscription)), ['a']);
  resources.delete('b');
  assert.equal(subscription.onSecretChanged('b'), true);
  assert.deepEqual(deltaSent(subscription)!.removedResources, ['b']);
  deltaAsk(subscription, { resourceNamesUnsubscribe: ['a'] });
  assert.equal(subscription.onSecretChanged('a'), false);
});

test('delta: what a reconnecting client holds is not sent again', () => {
  const resources = offer('a');
  const version = resources.get('a')!.version;
  const same = new DeltaSubscription(offered(resources));
  assert.equal(deltaAsk(same, { resourceNamesSubscribe: ['a'], initialResourceVersions: { a: version } }), null);
  const old = new DeltaSubscription(offered(resources));
  const answer = deltaAsk(old, { resourceNamesSubscribe: ['a'], initialResourceVersions: { a: 'old' } });
  assert.deepEqual(deltaNames(answer), ['a']);
});

test('names that a client asks for are bounded', () => {
  const many = Array.from({ length: 5000 }, (_, i) => `name-${i}`);
  const stateOfTheWorld = new SotwSubscription(offered(offer('a')));
  stateOfTheWorld.onRequest(sotw(many));
  assert.equal(stateOfTheWorld.wanted!.length, 1000);
  const incremental = new DeltaSubscription(offered(offer('a')));
  incremental.onRequest(delta({ resourceNamesSubscribe: many }));
  assert.equal(incremental.wanted!.length, 1000);
});
