import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import type { GenericSecretValue } from '#gateway/api/secrets.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { credentialInjectorExtension } from '#gateway/extensions/http/credential-injector/credential-injector-extension.ts';
import { routerExtension } from '#gateway/extensions/http/router/router-extension.ts';
import { httpConnectionManagerExtension } from '#gateway/extensions/network/http-connection-manager/http-connection-manager-extension.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { ChangingSecret } from '#gateway/transport/secrets/changing-secret.ts';
import { Secrets } from '#gateway/transport/secrets/secrets.ts';
import type { Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { FilterHarness, messageOf } from '#test/support/filter-harness.ts';
import { listenerMessage, loopback, startListeners, stopListeners } from '#test/support/listeners.ts';
import { type FilterStream, requestHead } from '#test/support/router-stream.ts';
import { createTestServerContext } from '#test/support/server-context.ts';
import { until } from '#test/support/until.ts';

const type = 'type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic';
const injectorType = 'type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector';

class Token extends ChangingSecret<GenericSecretValue> {
  put(text: string): void {
    this.set({ value: Buffer.from(text, 'latin1'), named: new Map(), digest: '' });
    this.settle();
  }
  stopped = false;
  protected override unused(): void {
    this.stopped = true;
  }
}

interface Options {
  readonly secret?: string | null;
  readonly generic?: object;
  readonly filter?: object;
}

function typed(generic: object, filter: object): object {
  return {
    credential: { name: 'c', typed_config: { '@type': type, credential: { name: 't' }, ...generic } },
    ...filter,
  };
}

function harnessOf({ secret = 'tok', generic = {}, filter = {} }: Options): { harness: FilterHarness; token: Token } {
  const token = new Token('t');
  if (secret !== null) token.put(secret);
  const { secrets } = createTestServerContext();
  const own = { ...secrets, genericSecret: () => token };
  return { token, harness: new FilterHarness(credentialInjectorExtension, typed(generic, filter), { secrets: own }) };
}

function ask(options: Options, ...headers: string[]): { head: RequestHead; stream: FilterStream; stats: number[] } {
  const { harness } = harnessOf(options);
  assert.deepEqual(harness.problems, []);
  const head = requestHead('GET', '/', ...headers);
  const stream = harness.stream();
  stream.request(head);
  const stats = ['injected', 'failed', 'already_exists'].map((name) => harness.stat(`credential_injector.${name}`));
  return { head, stream, stats };
}

describe('credential_injector, as Envoy 1.40 answers', () => {
  const values: readonly (readonly [string, string])[] = [
    ['tok', 'P tok'],
    ['tok\n', 'P tok'],
    ['tok\r', 'P tok'],
    ['tok\r\r\n\r', 'P tok'],
    ['tok \r\n\n', 'P tok '],
    ['tok\t\n', 'P tok\t'],
    [' tok', 'P  tok'],
    ['a\u00e9', 'P a\u00e9'],
  ];
  for (const [secret, value] of values) {
    it(`sends the secret ${JSON.stringify(secret)}`, () => {
      const { head, stats } = ask({ secret, generic: { header: 'X-Key', header_value_prefix: 'P ' } }, 'x-a', 'b');
      assert.deepEqual([head.get('x-key'), head.get('authorization'), stats], [value, null, [1, 0, 0]]);
    });
  }

  for (const secret of ['a\nb', '\ntok', 'tok\n \n', 'tok\v']) {
    it(`never sends the secret ${JSON.stringify(secret)}`, () => {
      const { head, stream, stats } = ask({ secret });
      const details = 'filter_removed_required_request_headers{invalid_header_value_for:_authorization}';
      assert.deepEqual(stream.events, [`reply 503 ${details}`, 'end']);
      assert.equal(stream.body, 'invalid header value for: authorization');
      assert.deepEqual([head.get('authorization'), stats], [null, [1, 0, 0]]);
    });
  }

  for (const secret of [null, '', '\n']) {
    it(`refuses a request without a credential (${JSON.stringify(secret)}), or lets it pass`, () => {
      const refused = ask({ secret, generic: { header_value_prefix: 'Bearer ' } });
      assert.deepEqual(refused.stream.events, ['reply 401 failed_to_inject_credential', 'end']);
      assert.equal(refused.stream.body, 'Failed to inject credential.');
      assert.deepEqual(refused.stats, [0, 1, 0]);
      const passed = ask({ secret, filter: { allow_request_without_credential: true } });
      assert.deepEqual([passed.head.get('authorization'), passed.stats], [null, [0, 1, 0]]);
    });
  }

  it('leaves a header that is there, with or without a credential, unless it is to be overwritten', () => {
    for (const secret of ['tok', null]) {
      const left = ask({ secret }, 'authorization', 'old');
      assert.deepEqual([left.head.get('authorization'), left.stats], ['old', [0, 0, 1]]);
    }
    const over = ask({ filter: { overwrite: true } }, 'authorization', 'old', 'authorization', 'older');
    assert.deepEqual([over.head.get('authorization'), over.stats], ['tok', [1, 0, 0]]);
  });

  it('knows pseudo-headers and host', () => {
    const left = ask({ generic: { header: ':authority' } });
    assert.deepEqual([left.head.authority, left.stats], ['example.com', [0, 0, 1]]);
    for (const header of [':authority', 'host']) {
      const over = ask({ generic: { header }, filter: { overwrite: true } });
      assert.deepEqual([over.head.authority, over.head.headers.size], ['tok', 0]);
    }
  });

  it('uses a rotated secret for the next request', () => {
    const { harness, token } = harnessOf({ secret: 'first' });
    const send = (): string | null => {
      const head = requestHead('GET', '/');
      assert.equal(harness.stream().request(head), FilterHeadersStatus.Continue);
      return head.get('authorization');
    };
    assert.equal(send(), 'first');
    token.put('second\n');
    assert.equal(send(), 'second');
  });
});

describe('configuration of credential_injector', () => {
  const load = (credential: object, ...secrets: object[]): FilterHarness => {
    const server = createTestServerContext();
    const messages = secrets.map(
      (json) => messageOf('envoy.extensions.transport_sockets.tls.v3.Secret', json) as Secret,
    );
    return new FilterHarness(credentialInjectorExtension, { credential }, { secrets: new Secrets(server, messages) });
  };
  const generic = (more: object = {}): object => ({
    name: 'c',
    typed_config: { '@type': type, credential: { name: 't' }, ...more },
  });

  it('takes a secret of the bootstrap', () => {
    const harness = load(generic(), { name: 't', generic_secret: { secret: { inline_string: 'x' } } });
    assert.deepEqual(harness.problems, []);
    const head = requestHead('GET', '/');
    harness.stream().request(head);
    assert.equal(head.get('authorization'), 'x');
  });

  it('refuses what it cannot use', () => {
    const oauth = { name: 'c', typed_config: { '@type': type.replace('generic.v3.Generic', 'oauth2.v3.OAuth2') } };
    const at = 'credential.typed_config';
    assert.deepEqual(load(oauth).problems, [
      `${at}: the credential envoy.extensions.http.injected_credentials.oauth2.v3.OAuth2 is not supported yet`,
    ]);
    assert.deepEqual(load(generic()).problems, [
      `${at}.credential.name: there is no static secret 't', and no sds_config to get it from`,
    ]);
    assert.deepEqual(load(generic({ header: ':status' })).problems, [
      `${at}.header: there is no pseudo-header :status in requests`,
    ]);
    assert.deepEqual(load(generic({ header_value_prefix: 'a\n' })).problems, [
      `${at}.header_value_prefix: has characters that no header value may have`,
    ]);
  });
});

it('a listener waits for the secret, and lets go of it when it is removed', async () => {
  const extensions = {
    http: new Map([credentialInjectorExtension, routerExtension].map((one) => [one.configType, one])),
    network: new Map([[httpConnectionManagerExtension.configType, httpConnectionManagerExtension]]),
    listener: new Map(),
  };
  const server = createTestServerContext({ extensions });
  const token = new Token('t');
  server.secretSources.set('t', token);
  const manager = await startListeners(server);
  const router = 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router';
  const manage = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'p',
    route_config: { virtual_hosts: [] },
    http_filters: [
      { name: 'ci', typed_config: { '@type': injectorType, ...typed({}, {}) } },
      { name: 'router', typed_config: { '@type': router } },
    ],
  };
  const filters = [{ name: 'hcm', typed_config: manage }];
  const message = listenerMessage({ name: 'l', address: loopback, filter_chains: [{ filters }] } as never);
  const diagnostics = new Diagnostics();
  const added = manager.addOrUpdate(message, diagnostics);
  assert.deepEqual(diagnostics.errors, []);
  assert.equal(server.stat('listener_manager.total_listeners_warming'), 1);
  token.put('tok');
  assert.equal(await added, 'added');
  assert.equal(token.stopped, false);
  manager.remove('l');
  await until(() => token.stopped);
  stopListeners(manager);
});
