import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, describe, it } from 'node:test';
import { tlsCapabilities } from '#gateway/runtime/tls-capabilities.ts';
import {
  createCertificate,
  keyUsageExtension,
  type TestCertificate,
  unknownCriticalExtension,
} from '#test/support/certificates.ts';
import { startGateway } from '#test/support/gateway-process.ts';
import { findPeer, isRequired } from '#test/support/peers.ts';
import { sayHello } from '#test/support/raw-tls-client.ts';
import { answeringChain } from '#test/support/tls-listeners.ts';

const day = 86_400_000;
const at = (days: number): Date => new Date(Date.now() + days * day);
const ca = await createCertificate({ name: 'ca', ca: true });
const make = (name: string, more: Partial<Parameters<typeof createCertificate>[0]> = {}): Promise<TestCertificate> =>
  createCertificate({ name, sans: ['dns:x.test'], issuer: ca, ...more });
const good = await make('good');
const other = await make('other');
const rsa = await make('rsa', { key: 'rsa' });
const derOf = (pem: string): Buffer => Buffer.from(pem.replaceAll(/-----.*-----|\s/g, ''), 'base64');

/** A pair of files and what becomes of a listener that has them: `null`: it serves; else what the error says, after the path. */
interface Case {
  readonly chain?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  readonly error: RegExp | null;
  readonly envoy: 'accepts' | 'refuses';
  /** Changes the files once they are written. */
  readonly prepare?: (chainPath: string, keyPath: string) => void;
  readonly needs?: 'an ordinary user';
}

const pair = ({ certificate, privateKey }: TestCertificate, error: RegExp | null, envoy: Case['envoy']): Case => ({
  chain: certificate,
  key: privateKey,
  error,
  envoy,
});
const served = (identity: TestCertificate): Case => pair(identity, null, 'accepts');

const cases: Readonly<Record<string, Case>> = {
  expired: served(await make('expired', { notBefore: at(-20), notAfter: at(-10) })),
  'not yet valid': served(await make('future', { notBefore: at(10), notAfter: at(20) })),
  'self-signed': served(await createCertificate({ name: 'self-signed', sans: ['dns:x.test'] })),
  'another name': served(await make('name', { sans: ['dns:y.test'] })),
  'for clients only': served(await make('usage', { usages: ['clientAuth'] })),
  // Deno's TLS library could not show it to anybody.
  'a critical extension that nobody knows': pair(
    await make('strange', { extensions: [unknownCriticalExtension] }),
    tlsCapabilities.unknownCriticalExtensions ? null : /critical extension 1\.2\.3\.4\.5 is unknown here: Deno cannot/,
    'accepts',
  ),
  'broken chain': { ...served(good), chain: good.certificate + rsa.certificate },
  'text after the certificate': { ...served(good), chain: `${good.certificate}hello\n` },
  'a key that may not sign': pair(
    await make('sealing', { extensions: [keyUsageExtension('keyEncipherment')] }),
    /certificate_chain: the certificate's key usage does not allow signatures/,
    'refuses',
  ),
  'short RSA key': pair(await make('short', { key: 'short rsa' }), /certificate_chain: .*RSA.* 2048/, 'refuses'),
  "another certificate's key": {
    ...pair(good, /private_key: the private key does not belong to the certificate/, 'refuses'),
    key: other.privateKey,
  },
  'another kind of key': {
    ...pair(good, /private_key: the private key does not belong to the certificate/, 'refuses'),
    key: rsa.privateKey,
  },
  'the authority first': {
    ...pair(good, /private_key: the private key does not belong to the certificate/, 'refuses'),
    chain: ca.certificate + good.certificate,
  },
  'garbage after the certificate': {
    ...pair(good, /certificate_chain: the certificate chain cannot be parsed/, 'refuses'),
    chain: `${good.certificate}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
  },
  'empty certificate': { ...pair(good, /certificate_chain: the certificate chain is empty/, 'refuses'), chain: '' },
  'empty key': { ...pair(good, /private_key: the private key is empty/, 'refuses'), key: '' },
  'DER certificate': {
    ...pair(good, /certificate_chain: the certificate chain is .*DER/, 'refuses'),
    chain: derOf(good.certificate),
  },
  'DER key': {
    ...pair(good, /private_key: the private key .*(?:DER|cannot be parsed)/, 'refuses'),
    key: derOf(good.privateKey),
  },
  'encrypted key': {
    ...pair(good, /private_key: the private key .*is encrypted/, 'refuses'),
    key: createPrivateKey(good.privateKey).export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'x',
    }),
  },
  'no file': {
    ...pair(good, /certificate_chain\.filename: the file \S+ does not exist/, 'refuses'),
    prepare: (chain) => rmSync(chain),
  },
  'a folder': {
    ...pair(good, /certificate_chain\.filename: cannot read '\S+': it is a directory/, 'refuses'),
    prepare(chain) {
      rmSync(chain);
      mkdirSync(chain);
    },
  },
  'not readable': {
    ...pair(good, /private_key\.filename: cannot read '\S+': .*(?:EACCES|ermission)/, 'refuses'),
    prepare: (_, key) => chmodSync(key, 0),
    needs: 'an ordinary user',
  },
  // Envoy reads it all, however much that is.
  'huge file': {
    ...pair(good, /certificate_chain\.filename: cannot read '\S+': it is larger than 67108864 octets/, 'accepts'),
    prepare: (chain) => truncateSync(chain, 65 * 1024 * 1024),
  },
};

const dir = mkdtempSync(join(tmpdir(), 'sluice-bad-'));
const pathOf = (name: string, ending: string): string => join(dir, `${name.replaceAll(/\W/g, '-')}.${ending}`);
for (const [name, { chain, key, prepare }] of Object.entries(cases)) {
  writeFileSync(pathOf(name, 'pem'), chain!);
  writeFileSync(pathOf(name, 'key'), key!);
  prepare?.(pathOf(name, 'pem'), pathOf(name, 'key'));
}

const isRoot = process.getuid?.() === 0;
const missing = ({ needs }: Case): boolean => needs === 'an ordinary user' && isRoot;
const bootstrap = (names: readonly string[]): string =>
  `static_resources:\n  listeners:${names
    .map((name) => {
      const files = `certificate_chain: { filename: "${pathOf(name, 'pem')}" }, private_key: { filename: "${pathOf(name, 'key')}" }`;
      return answeringChain(name, { common: `{ tls_certificates: [{ ${files} }] }` });
    })
    .join('')}\n`;

const refused = Object.entries(cases).filter(([, found]) => found.error !== null);
const accepted = Object.entries(cases).filter(([, found]) => found.error === null);

async function outputOf(names: readonly string[]): Promise<string> {
  try {
    await (await startGateway(bootstrap(names))).stop();
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('certificates that are wrong in a configuration', () => {
  after(() => {
    if (!isRoot) chmodSync(pathOf('not readable', 'key'), 0o600);
    rmSync(dir, { recursive: true, force: true });
  });

  // Files that are not there are told before anything is read.
  for (const alone of [true, false]) {
    const names = refused
      .filter(([name, found]) => !missing(found) && (name === 'no file') === alone)
      .map(([name]) => name);
    it(`what no handshake could use is refused at load, ${names.length} at once`, async () => {
      const output = await outputOf(names);
      for (const [i, name] of names.entries()) {
        const line = output.split('\n').find((text) => text.includes(`static_resources.listeners[${i}].`)) ?? '';
        assert.match(line, cases[name]!.error!, `${name}: ${line}\n${output}`);
        assert.doesNotMatch(line, /PRIVATE KEY-----/);
      }
    });
  }

  for (const [name, found] of Object.entries(cases)) {
    if (missing(found)) it(`${name}: needs ${found.needs}`, { skip: 'root reads everything' }, () => {});
  }

  it('what only clients can object to is served, as in Envoy', async () => {
    const gateway = await startGateway(bootstrap(accepted.map(([name]) => name)));
    try {
      for (const [name] of accepted) {
        const suites = { suites: [0xc02b, 0xc02f], groups: [29, 23], signatureAlgorithms: [0x0403, 0x0804] };
        const { subject } = await sayHello(gateway.port(name), { ...suites, serverName: 'x.test' });
        assert.notEqual(subject, '', name);
      }
    } finally {
      await gateway.stop();
    }
  });

  const envoy = findPeer('envoy');
  const skip = envoy === null && !isRequired('envoy') ? { skip: 'envoy is not installed' } : {};
  for (const [name, found] of Object.entries(cases)) {
    if (missing(found)) continue;
    it(`Envoy ${found.envoy}: ${name}`, skip, () => {
      const config = join(dir, 'envoy.yaml');
      writeFileSync(config, bootstrap([name]));
      const { status } = spawnSync(envoy!, ['--mode', 'validate', '-c', config, '-l', 'off'], { stdio: 'ignore' });
      assert.equal(status === 0 ? 'accepts' : 'refuses', found.envoy);
    });
  }

  it('little is refused here alone', () => {
    const own = Object.entries(cases).filter(([, found]) => (found.error === null) !== (found.envoy === 'accepts'));
    const strange = tlsCapabilities.unknownCriticalExtensions ? [] : ['a critical extension that nobody knows'];
    assert.deepEqual(
      own.map(([name]) => name),
      [...strange, 'huge file'],
    );
  });
});
