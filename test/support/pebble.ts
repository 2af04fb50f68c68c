import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withFolder } from './acme-run.ts';
import { createCertificate } from './certificates.ts';
import { findPeer } from './peers.ts';
import { freePorts, portIsOpen, type RunningProgram, startProgram } from './running-program.ts';

/** What a test wants of Pebble. */
export interface PebbleOptions {
  /** Where Pebble looks for http-01 and tls-alpn-01, on the loopback address. */
  readonly httpPort?: number;
  readonly tlsPort?: number;
  /** `PEBBLE_…` variables: its faults. Without them: a twentieth of the nonces refused, no delays. */
  readonly faults?: Readonly<Record<string, string>>;
  /** HMAC keys by key id; external account binding is required when there are some. */
  readonly externalAccounts?: Readonly<Record<string, string>>;
}

/** A Pebble of one's own, with a DNS server in which every name is the loopback address. */
export interface TestPebble {
  readonly directoryUrl: string;
  /** Folder of the test, with `ca.pem`: what to trust for the directory. */
  readonly dir: string;
  readonly caFile: string;
  /** Management port of the DNS server, for `/set-txt` and `/clear-txt`. */
  readonly dnsManagementPort: number;
  /** `127.0.0.1:PORT` of the DNS server. */
  readonly dnsServer: string;
  /** Everything Pebble has printed. */
  output(): string;
  /** How often Pebble's output says `text`. */
  count(text: string): number;
  /** PEM of the root that issued certificates lead to; with alternate roots there are more. */
  root(index?: number): Promise<string>;
  stop(): Promise<void>;
}

/** Starts `pebble` and `pebble-challtestsrv` on free ports and waits until they listen. */
export async function startPebble(binary: string, options: PebbleOptions = {}): Promise<TestPebble> {
  const dnsBinary = findPeer('pebble-challtestsrv');
  if (dnsBinary === null) throw new Error('pebble-challtestsrv is not there, though pebble is');
  const dir = mkdtempSync(join(tmpdir(), 'sluice-pebble-'));
  const [port = 0, managementPort = 0, dnsPort = 0, dnsManagementPort = 0, nobody = 0] = await freePorts(5);
  const authority = await createCertificate({ name: 'pebble test', ca: true });
  const server = await createCertificate({
    name: 'pebble',
    sans: ['ip:127.0.0.1', 'dns:localhost'],
    issuer: authority,
  });
  const caFile = join(dir, 'ca.pem');
  writeFileSync(caFile, authority.certificate);
  writeFileSync(join(dir, 'pebble.crt'), server.certificate);
  writeFileSync(join(dir, 'pebble.key'), server.privateKey);
  const { externalAccounts } = options;
  writeFileSync(
    join(dir, 'pebble.json'),
    JSON.stringify({
      pebble: {
        listenAddress: `127.0.0.1:${port}`,
        managementListenAddress: `127.0.0.1:${managementPort}`,
        certificate: join(dir, 'pebble.crt'),
        privateKey: join(dir, 'pebble.key'),
        httpPort: options.httpPort ?? nobody,
        tlsPort: options.tlsPort ?? nobody,
        externalAccountBindingRequired: externalAccounts !== undefined,
        externalAccountMACKeys: externalAccounts ?? {},
      },
    }),
  );
  const dns = startProgram([
    dnsBinary,
    '-dns01',
    `127.0.0.1:${dnsPort}`,
    '-management',
    `127.0.0.1:${dnsManagementPort}`,
    '-http01',
    '',
    '-https01',
    '',
    '-tlsalpn01',
    '',
    '-defaultIPv4',
    '127.0.0.1',
    '-defaultIPv6',
    '',
  ]);
  const faults = options.faults ?? { PEBBLE_VA_NOSLEEP: '1' };
  const pebble = startProgram(
    [binary, '-config', join(dir, 'pebble.json'), '-dnsserver', `127.0.0.1:${dnsPort}`, '-strict'],
    faults,
  );
  try {
    await dns.until(() => portIsOpen(dnsManagementPort));
    // It makes RSA keys first.
    await pebble.until(() => portIsOpen(port), 60_000);
  } catch (error) {
    await stopAll(dir, [pebble, dns]);
    throw error;
  }
  return {
    directoryUrl: `https://127.0.0.1:${port}/dir`,
    dir,
    caFile,
    dnsManagementPort,
    dnsServer: `127.0.0.1:${dnsPort}`,
    output: () => pebble.output(),
    count: (text) => pebble.output().split(text).length - 1,
    root: (index = 0) => get(`https://127.0.0.1:${managementPort}/roots/${index}`),
    stop: () => stopAll(dir, [pebble, dns]),
  };
}

async function stopAll(dir: string, programs: readonly RunningProgram[]): Promise<void> {
  for (const program of programs) await program.stop('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
}

function get(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = https.get(url, { rejectUnauthorized: false, agent: false }, (answer) => {
      let text = '';
      answer.on('data', (chunk: Uint8Array) => {
        text += String(chunk);
      });
      answer.on('end', () => resolve(text));
    });
    request.on('error', reject);
  });
}

/** A Pebble and a folder for one test. `base` begins every command. */
export async function withPebble(
  binary: string,
  options: PebbleOptions,
  work: (pebble: TestPebble, dir: string, base: readonly string[]) => Promise<void>,
): Promise<void> {
  await withFolder(async (dir) => {
    const pebble = await startPebble(binary, options);
    const storage = join(dir, 'state');
    try {
      await work(pebble, dir, ['--directory', pebble.directoryUrl, '--ca', pebble.caFile, '--storage', storage]);
    } finally {
      await pebble.stop();
    }
  });
}
