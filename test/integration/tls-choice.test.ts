import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createCertificate } from '#test/support/certificates.ts';
import { type GatewayProcess, ownRuntime, startGateway } from '#test/support/gateway-process.ts';
import { opensslClient } from '#test/support/openssl-client.ts';
import { findPeer, isRequired } from '#test/support/peers.ts';
import { type RawHello, sayHello } from '#test/support/raw-tls-client.ts';
import { answeringChain } from '#test/support/tls-listeners.ts';

const make = (name: string, key: 'ecdsa' | 'rsa', ...names: string[]) =>
  createCertificate({ name, key, sans: names.map((dns) => `dns:${dns}`) });
const certificates = [
  await make('rsa0', 'rsa', 'rsa.test', 'both.test'),
  await make('ec1', 'ecdsa', 'ec.test', 'both.test', '*.wild.test'),
  await make('rsa2', 'rsa', '*.wild.test', 'x.wild.test'),
];
const files: Record<string, string> = {};
for (const [i, { certificate, privateKey }] of certificates.entries()) {
  files[`c${i}.pem`] = certificate;
  files[`c${i}.key`] = privateKey;
}
const listeners: Readonly<Record<string, { readonly order: readonly number[]; readonly more?: string }>> = {
  all: { order: [0, 1, 2] },
  'ecdsa first': { order: [1, 0] },
  'full scan': { order: [0, 1, 2], more: 'full_scan_certs_on_sni_mismatch: true' },
  'ecdsa only': { order: [1] },
};
const config = `static_resources:
  listeners:${Object.entries(listeners)
    .map(([name, { order, more }]) =>
      answeringChain(name, {
        common: `{ alpn_protocols: [h2, http/1.1], tls_certificates: [${order
          .map(
            (i) =>
              `{ certificate_chain: { filename: "{dir}/c${i}.pem" }, private_key: { filename: "{dir}/c${i}.key" } }`,
          )
          .join(', ')}] }`,
        ...(more === undefined ? {} : { more }),
      }),
    )
    .join('')}
`;

const suites = { all: [0xc02b, 0xc02f], rsa: [0xc02f], ecdsa: [0xc02b] } as const;
const names = [
  'rsa.test',
  'ec.test',
  'both.test',
  'y.wild.test',
  'x.wild.test',
  'deep.y.wild.test',
  'other.test',
  'both.test.',
  '127.0.0.1',
  undefined,
];
const usual: RawHello = { suites: suites.all, groups: [29, 23], signatureAlgorithms: [0x0403, 0x0804, 0x0401] };
const hellos: (readonly [string, RawHello])[] = [];
for (const name of names) {
  for (const [kind, offered] of Object.entries(suites)) {
    const hello = { ...usual, suites: offered, ...(name === undefined ? {} : { serverName: name }) };
    hellos.push([`${name ?? 'no name'}, ${kind} suites`, hello]);
  }
}
const both: RawHello = { ...usual, serverName: 'both.test' };
// What old clients get depends on the TLS library; Bun's is Envoy's.
if (ownRuntime === 'bun') {
  hellos.push(['no signature_algorithms', withoutSignatures(both)], ['another curve only', { ...both, groups: [29] }]);
}
hellos.push(
  ['no shared protocol', { ...both, alpn: ['foo'] }],
  ["the server's first protocol", { ...both, alpn: ['http/1.1', 'h2'] }],
);

/** Where a client gets more than from Envoy, which fails the handshake or looks at case. */
const better: (readonly [string, RawHello, string])[] = [
  ['names in another case', { ...usual, serverName: 'BOTH.test' }, 'ec1'],
  ['TLS 1.2 with ECDSA suites but RSA signatures', { ...both, signatureAlgorithms: [0x0401, 0x0804] }, 'rsa0'],
  ['TLS 1.2 by supported_versions with RSA suites', { ...both, versions: [0x0303], suites: suites.rsa }, 'rsa0'],
];

/** TLS 1.3 hides the certificate from who only listens: OpenSSL's client is asked. */
const modern: readonly (readonly [string, readonly string[]])[] = [
  ['any signature', ['-servername', 'both.test']],
  ['RSA signatures', ['-servername', 'both.test', '-sigalgs', 'RSA-PSS+SHA256']],
  ['ECDSA signatures', ['-servername', 'both.test', '-sigalgs', 'ECDSA+SHA256']],
  ['a wildcard', ['-servername', 'q.wild.test']],
  ['a wildcard, RSA signatures', ['-servername', 'q.wild.test', '-sigalgs', 'RSA-PSS+SHA256']],
  ['no name', ['-noservername']],
  ['no shared protocol', ['-servername', 'both.test', '-alpn', 'foo']],
  ['protocols', ['-servername', 'both.test', '-alpn', 'http/1.1,h2']],
];

function withoutSignatures({ signatureAlgorithms: _, ...rest }: RawHello): RawHello {
  return rest;
}

async function outcome(gateway: GatewayProcess, listener: string, hello: RawHello): Promise<string> {
  const { subject, alpn, alert } = await sayHello(gateway.port(listener), hello);
  return subject === '' ? `alert ${alert}` : `${subject} ${alpn}`;
}

const envoyPath = findPeer('envoy');
const skip = envoyPath === null && !isRequired('envoy') ? { skip: 'envoy is not installed' } : {};

describe('the certificate and protocol that a client gets', () => {
  let ours: GatewayProcess;
  before(async () => {
    ours = await startGateway(config, { files });
  });
  after(() => ours.stop());

  describe('beside Envoy', skip, () => {
    let envoy: GatewayProcess;
    before(async () => {
      if (envoyPath === null) throw new Error('the peer envoy is required by SLUICE_REQUIRE but was not found');
      envoy = await startGateway(config, { files, envoy: envoyPath });
    });
    after(() => envoy?.stop());

    for (const listener of Object.keys(listeners)) {
      it(`${listener}: ${hellos.length} hellos of TLS 1.2 get the same`, async () => {
        const [want, got]: string[][] = [[], []];
        for (const [title, hello] of hellos) {
          want!.push(`${title}: ${await outcome(envoy, listener, hello)}`);
          got!.push(`${title}: ${await outcome(ours, listener, hello)}`);
        }
        assert.deepEqual(got, want);
      });
    }

    it('TLS 1.3 clients get the same', { skip: findPeer('openssl') === null }, async () => {
      const [want, got]: string[][] = [[], []];
      for (const [title, args] of modern) {
        for (const [gateway, list] of [
          [envoy, want!],
          [ours, got!],
        ] as const) {
          const { subject, alpn, version } = await opensslClient(gateway.port('all'), ['-tls1_3', ...args]);
          list.push(`${title}: ${version} ${subject} ${alpn}`);
        }
      }
      assert.deepEqual(got, want);
    });

    for (const [title, hello] of better) {
      it(`Envoy does less: ${title}`, async () => {
        assert.notEqual(await outcome(envoy, 'all', hello), await outcome(ours, 'all', hello));
      });
    }
  });

  for (const [title, hello, want] of better) {
    it(title, async () => assert.equal(await outcome(ours, 'all', hello), `${want} `));
  }
});
