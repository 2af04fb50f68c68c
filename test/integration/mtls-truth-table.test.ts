import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type GatewayProcess, ownRuntime, startGateway } from '../support/gateway-process.ts';
import { attempt, canAttempt } from '../support/mtls-attempts.ts';
import type { MtlsAttempt, MtlsResult } from '../support/mtls-client.ts';
import { peerTest } from '../support/peers.ts';
import { mtlsCases } from './mtls-truth-table-cases.ts';
import { differences, otherWords } from './mtls-truth-table-differences.ts';
import { lone, type MtlsCase, root, serverCertificate } from './mtls-truth-table-world.ts';

const versions = ['TLSv1.2', 'TLSv1.3'] as const;
const typed = (name: string): string => `type.googleapis.com/envoy.extensions.${name}`;
const counters = [
  'fail_verify_error',
  'fail_verify_san',
  'fail_verify_cert_hash',
  'fail_verify_no_cert',
  'no_certificate',
  'connection_error',
  'handshake',
] as const;

/** One listener for each policy that the cases name: its name by the policy's text. */
function policies(cases: readonly MtlsCase[]): Map<string, string> {
  const listeners = new Map<string, string>();
  for (const entry of cases) {
    const key = policyKey(entry);
    if (!listeners.has(key)) listeners.set(key, `policy${listeners.size}`);
  }
  return listeners;
}

function policyKey({ policy, required }: MtlsCase): string {
  return JSON.stringify([policy, required === true]);
}

function listener(name: string, key: string): unknown {
  const [policy, required] = JSON.parse(key) as [unknown, boolean];
  const route = { match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: 'in' } } };
  return {
    name,
    stat_prefix: name,
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    listener_filters: [
      {
        name: 'envoy.filters.listener.tls_inspector',
        typed_config: { '@type': typed('filters.listener.tls_inspector.v3.TlsInspector') },
      },
    ],
    access_log: [
      {
        name: 'envoy.access_loggers.file',
        typed_config: {
          '@type': typed('access_loggers.file.v3.FileAccessLog'),
          path: '{dir}/reasons.log',
          log_format: {
            text_format_source: {
              inline_string: '%REQUESTED_SERVER_NAME% %DOWNSTREAM_TRANSPORT_FAILURE_REASON%\n',
            },
          },
        },
      },
    ],
    filter_chains: [
      {
        transport_socket: {
          name: 'envoy.transport_sockets.tls',
          typed_config: {
            '@type': typed('transport_sockets.tls.v3.DownstreamTlsContext'),
            common_tls_context: {
              tls_certificates: [
                {
                  certificate_chain: { inline_string: serverCertificate.pem },
                  private_key: { inline_string: serverCertificate.key },
                },
              ],
              ...(policy === null ? {} : { validation_context: policy }),
            },
            require_client_certificate: required,
          },
        },
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              '@type': typed('filters.network.http_connection_manager.v3.HttpConnectionManager'),
              stat_prefix: 'in',
              route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route] }] },
              http_filters: [
                {
                  name: 'envoy.filters.http.router',
                  typed_config: { '@type': typed('filters.http.router.v3.Router') },
                },
              ],
            },
          },
        ],
      },
    ],
  };
}

/** Sends every client of the table, with both versions of TLS. */
async function attempts(
  server: GatewayProcess,
  cases: readonly MtlsCase[],
  listeners: ReadonlyMap<string, string>,
): Promise<MtlsResult[]> {
  let client = 0;
  const jobs = cases.flatMap((entry): MtlsAttempt[] =>
    versions.map((version) => ({
      serverName: `${version.toLowerCase()}.${++client}.test`,
      port: server.port(listeners.get(policyKey(entry))!),
      version,
      certificate: entry.chain.map((certificate) => certificate.pem).join(''),
      key: entry.chain[0]?.key ?? '',
    })),
  );
  return await attempt(server.dir, jobs);
}

async function counts(server: GatewayProcess): Promise<Map<string, number>> {
  const { text } = await server.admin('/stats?filter=ssl');
  const found = new Map<string, number>();
  for (const [, name, value] of text.matchAll(/^listener\.(\w+\.ssl\.\w+): (\d+)$/gm)) found.set(name!, Number(value));
  return found;
}

/** What was logged of each connection that was turned away; waits until all of `results` are there. */
async function reasons(server: GatewayProcess, results: readonly MtlsResult[]): Promise<Map<string, string>> {
  const refused = results.filter((result) => !result.full && !result.error.startsWith('local'));
  for (let i = 0; i < 100; i++) {
    const found = readReasons(server);
    if (refused.every((result) => found.has(result.serverName))) return found;
    await delay(50);
  }
  return readReasons(server);
}

/** By server name, which is another for each client; the full handshake's line comes first. */
function readReasons(server: GatewayProcess): Map<string, string> {
  const found = new Map<string, string>();
  const log = readFileSync(join(server.dir, 'reasons.log'), 'utf8');
  for (const [, name, reason] of log.matchAll(/^(\S+) (.*)$/gm)) if (!found.has(name!)) found.set(name!, reason!);
  return found;
}

/** Envoy tells also what its cryptography library said on the way. */
const withoutLibrary = (reason = ''): string => reason.replace(/^TLS_error:\|.*\|(?=268435581:)/, 'TLS_error:|');

const isHere = (entry: { readonly runtimes?: readonly string[] }): boolean =>
  entry.runtimes === undefined || entry.runtimes.includes(ownRuntime);

const libraryRefuses = ({ policy }: MtlsCase): boolean => policy === lone && ownRuntime !== 'node';

const told = (letIn: boolean): string => (letIn ? 'let in' : 'turned away');

const title = 'mTLS truth table: the same clients are let in as by Envoy, resumed or not';
if (canAttempt()) peerTest('envoy', title, run);
else test(title, { skip: 'its clients need a Node that runs TypeScript' }, () => {});

async function run(envoyPath: string): Promise<void> {
  const cases = mtlsCases();
  const listeners = policies(cases);
  const config = `static_resources: ${JSON.stringify({ listeners: [...listeners].map(([key, name]) => listener(name, key)) })}\n`;
  const envoy = await startGateway(config, { envoy: envoyPath, args: ['--file-flush-interval-msec', '20'] });
  // Node shows less of a peer that it trusts itself: it must not.
  const trusted = join(envoy.dir, 'root.pem');
  writeFileSync(trusted, root.pem);
  const ours = await startGateway(config, { env: { NODE_EXTRA_CA_CERTS: trusted } }).catch(async (error: unknown) => {
    await envoy.stop();
    throw error;
  });
  try {
    const theirs = await attempts(envoy, cases, listeners);
    const own = await attempts(ours, cases, listeners);
    await compare(cases, listeners, [theirs, own], [envoy, ours]);
  } finally {
    await envoy.stop();
    await ours.stop();
  }
}

async function compare(
  cases: readonly MtlsCase[],
  listeners: ReadonlyMap<string, string>,
  [theirs, own]: readonly [MtlsResult[], MtlsResult[]],
  [envoy, ours]: readonly [GatewayProcess, GatewayProcess],
): Promise<void> {
  const [theirReasons, ownReasons] = [await reasons(envoy, theirs), await reasons(ours, own)];
  const problems: string[] = [];
  const unused = new Set(differences.filter(isHere));
  const reused = new Set<string>();
  cases.forEach((entry, i) => {
    versions.forEach((version, j) => {
      const at = i * versions.length + j;
      const [a, b] = [theirs[at]!, own[at]!];
      if (b.reused) reused.add(version);
      const difference = differences.find(
        (known) =>
          known.name === entry.name && isHere(known) && (known.version === undefined || known.version === version),
      );
      if (difference !== undefined) unused.delete(difference);
      const wanted = difference?.letIn ?? a.full;
      const title = `${entry.name} (${version})`;
      if (b.full !== wanted) {
        problems.push(
          `${title}: Envoy: ${told(a.full)}, ours: ${told(b.full)} [${theirReasons.get(a.serverName)} | ${ownReasons.get(b.serverName)}] ${b.error}`,
        );
      }
      if (difference !== undefined && a.full === difference.letIn) problems.push(`${title}: no difference any more`);
      if (b.resumed !== b.full) problems.push(`${title}: resumed: ${told(b.resumed)}, before: ${told(b.full)}`);
      if (a.resumed !== a.full) problems.push(`${title}: Envoy resumed: ${told(a.resumed)}, before: ${told(a.full)}`);
      const texts = [theirReasons.get(a.serverName), ownReasons.get(b.serverName)];
      const words = libraryRefuses(entry) || otherWords.some((known) => known.name === entry.name && isHere(known));
      if (!a.full && !b.full && !words && withoutLibrary(texts[0]) !== texts[1])
        problems.push(`${title}: told ${texts[0]} | ${texts[1]}`);
    });
  });
  for (const entry of unused) problems.push(`difference of no case: ${entry.name}`);
  const apart = new Set([...differences, ...otherWords].filter(isHere).map((entry) => entry.name));
  const [theirCounts, ownCounts] = [await counts(envoy), await counts(ours)];
  for (const [key, name] of listeners) {
    const members = cases.filter((entry) => policyKey(entry) === key);
    const titles = members.map((entry) => entry.name);
    if (members.some(libraryRefuses) || titles.some((title) => apart.has(title))) continue;
    for (const counter of counters) {
      const stat = `${name}.ssl.${counter}`;
      const [a, b] = [theirCounts.get(stat) ?? 0, ownCounts.get(stat) ?? 0];
      if (a !== b) {
        problems.push(`${counter} of [${titles.join('; ')}]: Envoy ${a}, ours ${b}`);
      }
    }
  }
  assert.deepEqual(problems, []);
  assert.deepEqual([...reused].sort(), [...versions]);
}
