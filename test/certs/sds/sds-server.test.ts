import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { SdsServer } from '#certs/sds/sds-server.ts';
import { SecretResources, validationContextSecret } from '#certs/sds/secret-resources.ts';
import { Logger } from '#gateway/base/log.ts';
import { createMessage, decodeMessage, encodeMessage, unpackAny } from '#gateway/proto/registry.ts';
import type { Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type { DiscoveryRequest, DiscoveryResponse } from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import { createCertificate, type TestCertificate } from '#test/support/certificates.ts';
import { until } from '#test/support/until.ts';

const service = '/envoy.service.secret.v3.SecretDiscoveryService';
const pass = (bytes: Uint8Array): Buffer => Buffer.from(bytes);

function request(names: string[], nonce = '', error = ''): Uint8Array {
  return encodeMessage(
    createMessage<DiscoveryRequest>('envoy.service.discovery.v3.DiscoveryRequest', {
      node: { id: 'test-node' },
      resourceNames: names,
      responseNonce: nonce,
      ...(error === '' ? {} : { errorDetail: { message: error } }),
    }),
  );
}

const parse = (octets: Uint8Array): DiscoveryResponse =>
  decodeMessage<DiscoveryResponse>('envoy.service.discovery.v3.DiscoveryResponse', octets);
const names = ({ resources }: DiscoveryResponse): string[] => resources.map((any) => unpackAny<Secret>(any).name);

class Client {
  readonly #client: grpc.Client;

  constructor(target: string, credentials = grpc.credentials.createInsecure()) {
    this.#client = new grpc.Client(target, credentials, { 'grpc.use_local_subchannel_pool': 1 });
  }

  fetch(wanted: string[]): Promise<string[] | number> {
    return new Promise((resolve) => {
      const sent = pass(request(wanted));
      this.#client.makeUnaryRequest(`${service}/FetchSecrets`, pass, parse, sent, (error, response) => {
        resolve(error === null ? names(response!) : error.code);
      });
    });
  }

  stream(wanted: string[]): TestStream {
    return new TestStream(this.#client, wanted);
  }

  close(): void {
    this.#client.close();
  }
}

class TestStream {
  readonly responses: DiscoveryResponse[] = [];
  code = -1;
  readonly #call: grpc.ClientDuplexStream<Uint8Array, DiscoveryResponse>;

  constructor(client: grpc.Client, wanted: string[]) {
    this.#call = client.makeBidiStreamRequest(`${service}/StreamSecrets`, pass, parse);
    this.#call.on('data', (response: DiscoveryResponse) => this.responses.push(response));
    this.#call.on('error', () => {}); // told with the status
    this.#call.on('status', ({ code }: grpc.StatusObject) => {
      this.code = code;
    });
    this.#call.write(request(wanted));
  }

  send(octets: Uint8Array): void {
    this.#call.write(octets);
  }

  end(): void {
    this.#call.end();
  }
}

interface World {
  readonly resources: SecretResources;
  readonly server: SdsServer;
  readonly lines: string[];
  close(): void;
}

function world(...offered: string[]): World {
  const resources = new SecretResources();
  for (const name of offered) resources.set(validationContextSecret(name, `pem of ${name}`));
  const lines: string[] = [];
  const log = new Logger('sds', { write: (_level, _component, message) => lines.push(message) }, 'info');
  const server = new SdsServer(resources, log);
  return { resources, server, lines, close: () => server.close() };
}

test('status: what clients want, what they acknowledged and what they refused, with their words', async () => {
  const { server, resources, close } = world('a');
  const port = await server.listen('127.0.0.1:0');
  const client = new Client(`127.0.0.1:${port}`);
  const stream = client.stream(['a', 'b']);
  await until(() => stream.responses.length === 1);
  const [first] = stream.responses;
  stream.send(request(['a', 'b'], first!.nonce));
  await until(() => server.status().clients[0]?.acknowledged === first!.versionInfo);
  resources.set(validationContextSecret('a', 'new'));
  await until(() => stream.responses.length === 2);
  stream.send(request(['a', 'b'], stream.responses[1]!.nonce, `no good ${'x'.repeat(5000)}`));
  await until(() => server.status().refusals.length === 1);
  const [shown] = server.status().clients;
  assert.equal(shown!.node, 'test-node');
  assert.deepEqual(shown!.wants, ['a', 'b']);
  assert.equal(shown!.acknowledged, first!.versionInfo);
  assert.match(shown!.refused!.message, /^no good x+$/);
  assert.equal(shown!.refused!.message.length, 1000);
  assert.equal(shown!.refused!.version, stream.responses[1]!.versionInfo);
  stream.end();
  await until(() => server.status().streams === 0);
  assert.equal(server.status().refusals.length, 1);
  client.close();
  close();
});

test('a thousand clients that come at once are served from one encoded response, and told of a change by another', async () => {
  const { server, resources, close } = world('edge', 'ca');
  const port = await server.listen('127.0.0.1:0');
  const clients = Array.from({ length: 20 }, () => new Client(`127.0.0.1:${port}`));
  const streams = clients.flatMap((client) => Array.from({ length: 50 }, () => client.stream(['edge'])));
  await until(() => streams.every(({ responses }) => responses.length === 1));
  assert.equal(server.encodedResponses, 1);
  assert.equal(server.status().streams, 1000);
  resources.set(validationContextSecret('edge', 'new'));
  await until(() => streams.every(({ responses }) => responses.length === 2));
  assert.equal(server.encodedResponses, 2);
  const versions = new Set(streams.map(({ responses }) => responses[1]!.versionInfo));
  assert.equal(versions.size, 1);
  for (const stream of streams) stream.end();
  await until(() => server.status().streams === 0);
  for (const client of clients) client.close();
  close();
});

function credentials(ca: TestCertificate, own: TestCertificate | null): grpc.ChannelCredentials {
  const key = own === null ? null : Buffer.from(own.privateKey);
  const chain = own === null ? null : Buffer.from(own.certificate);
  return grpc.credentials.createSsl(Buffer.from(ca.certificate), key, chain);
}

test('mutual TLS: a name in the certificate says who may fetch what; the server changes its certificate meanwhile', async () => {
  const ca = await createCertificate({ name: 'ca', ca: true });
  const other = await createCertificate({ name: 'other', ca: true });
  const issue = (sans: string[], issuer = ca): Promise<TestCertificate> =>
    createCertificate({ name: 'client', sans, issuer });
  const host = ['dns:localhost', 'ip:127.0.0.1'];
  let served = await createCertificate({ name: 'server', sans: host, issuer: ca });
  const { server, lines, close } = world('web-1', 'web-2', 'db');
  const current = () => ({
    certificate: served.certificate,
    key: served.privateKey,
    clientAuthorities: ca.certificate,
  });
  const port = await server.listen('127.0.0.1:0', {
    tls: { current },
    judge: (certificate) => (Buffer.from(certificate).includes('revoked') ? 'it was revoked' : ''),
    access: [
      { identities: ['uri:spiffe://prod/web/*'], secrets: ['web-*'] },
      { identities: ['dns:*.db.test'], secrets: ['db'] },
    ],
  });
  const ask = async (own: TestCertificate | null, wanted: string[]): Promise<string[] | number> => {
    const client = new Client(`localhost:${port}`, credentials(ca, own));
    const answer = await client.fetch(wanted);
    client.close();
    return answer;
  };
  const web = await issue(['uri:spiffe://prod/web/1']);
  assert.deepEqual(await ask(web, ['web-2', 'web-1']), ['web-1', 'web-2']);
  assert.equal(await ask(web, ['web-1', 'db']), grpc.status.PERMISSION_DENIED);
  assert.deepEqual(await ask(web, []), ['web-1', 'web-2']);
  assert.deepEqual(await ask(await issue(['dns:one.DB.test']), ['db']), ['db']);
  assert.equal(await ask(await issue(['uri:spiffe://prod/other']), ['db']), grpc.status.PERMISSION_DENIED);
  assert.equal(await ask(await issue(['uri:spiffe://prod/web/revoked']), ['web-1']), grpc.status.PERMISSION_DENIED);
  assert.equal(await ask(null, ['web-1']), grpc.status.UNAVAILABLE);
  assert.equal(await ask(await issue(['uri:spiffe://prod/web/1'], other), ['web-1']), grpc.status.UNAVAILABLE);

  const client = new Client(`localhost:${port}`, credentials(ca, web));
  const stream = client.stream(['web-1', 'db']);
  await until(() => stream.responses.length === 1);
  assert.deepEqual(names(stream.responses[0]!), ['web-1']);
  const [shown] = server.status().clients;
  assert.deepEqual(shown!.identity, ['uri:spiffe://prod/web/1']);
  assert.deepEqual(shown!.denied, ['db']);
  assert.ok(lines.some((line) => line.includes('not allowed: db')));
  const refused = new Client(`localhost:${port}`, credentials(ca, await issue(['dns:nobody.test'])));
  const nothing = refused.stream(['db']);
  await until(() => nothing.code !== -1);
  assert.equal(nothing.code, grpc.status.PERMISSION_DENIED);

  served = await createCertificate({ name: 'server', sans: host, issuer: ca });
  assert.deepEqual(await ask(web, ['web-1']), ['web-1']);
  assert.equal(stream.code, -1);
  client.close();
  refused.close();
  close();
});

test('a client whose certificate is revoked or ends gets nothing more on a stream that is open', async () => {
  const ca = await createCertificate({ name: 'ca', ca: true });
  const own = await createCertificate({ name: 'server', sans: ['dns:localhost'], issuer: ca });
  const client = await createCertificate({ name: 'client', sans: ['dns:c.test'], issuer: ca });
  const { resources } = world('a');
  let [nowMs, revoked] = [Date.now(), false];
  const clock = { nowMs: () => nowMs, wallMs: () => nowMs };
  const server = new SdsServer(resources, new Logger('sds', { write() {} }, 'error'), clock);
  const identity = { certificate: own.certificate, key: own.privateKey, clientAuthorities: ca.certificate };
  const port = await server.listen('127.0.0.1:0', {
    tls: { current: () => identity },
    judge: () => (revoked ? 'it was revoked' : ''),
    access: [{ identities: ['dns:c.test'], secrets: ['*'] }],
  });
  const rpc = new Client(`localhost:${port}`, credentials(ca, client));
  const [one, two] = [rpc.stream(['a']), rpc.stream(['a'])];
  await until(() => one.responses.length === 1 && two.responses.length === 1);
  revoked = true;
  resources.set(validationContextSecret('a', 'new'));
  await until(() => one.code !== -1 && two.code !== -1);
  assert.deepEqual([one.code, two.code], [grpc.status.UNAUTHENTICATED, grpc.status.UNAUTHENTICATED]);
  assert.deepEqual([one.responses.length, two.responses.length], [1, 1]);
  await until(() => server.status().streams === 0);
  revoked = false;
  const three = rpc.stream(['a']);
  await until(() => three.responses.length === 1);
  nowMs += 100 * 365 * 86_400_000;
  resources.set(validationContextSecret('a', 'newer'));
  await until(() => three.code === grpc.status.UNAUTHENTICATED);
  rpc.close();
  server.close();
});

test('unix sockets: one for each group of secrets, guarded by folder and mode', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-sds-'));
  const { server, close } = world('web', 'db');
  const web = join(dir, 'web.sock');
  const db = join(dir, 'db.sock');
  assert.equal(await server.listen(`unix:${web}`, { access: [{ secrets: ['web'] }] }), 0);
  assert.equal(await server.listen(`unix:${db}`, { access: [{ secrets: ['db'] }], socketMode: 0o660 }), 0);
  assert.equal(statSync(web).mode & 0o777, 0o600);
  assert.equal(statSync(db).mode & 0o777, 0o660);
  const client = new Client(`unix:${web}`);
  assert.deepEqual(await client.fetch(['web']), ['web']);
  assert.equal(await client.fetch(['db']), grpc.status.PERMISSION_DENIED);
  client.close();
  const open = join(dir, 'open');
  mkdirSync(open);
  chmodSync(open, 0o777);
  await assert.rejects(server.listen(`unix:${join(open, 's.sock')}`), /can be written by others \(mode 777\)/);
  await assert.rejects(server.listen(`unix:${join(dir, 'missing', 's.sock')}`), /there is no folder/);
  await assert.rejects(server.listen('unix:@abstract'), /no mode that could guard it/);
  close();
  rmSync(dir, { recursive: true, force: true });
});
