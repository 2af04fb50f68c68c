import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gatewayCommand } from '../support/gateway-command.ts';

/** A server to scan: sluice on a runtime, or Envoy by its path. */
export interface ScanTarget {
  readonly name: string;
  readonly runtime: string | null;
  readonly envoy: string | null;
}

/** One line of testssl.sh's JSON. */
export interface ScanFinding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

const harmless: ReadonlySet<string> = new Set(['OK', 'INFO', 'DEBUG']);

/** Neither OK nor INFO. */
export function isBad({ severity }: ScanFinding): boolean {
  return !harmless.has(severity);
}

/** MEDIUM, HIGH, CRITICAL, a warning, or that the scan itself went wrong. */
export function isAboveLow(finding: ScanFinding): boolean {
  return isBad(finding) && finding.severity !== 'LOW';
}

function configuration(certificates: string): string {
  return `admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } } }
static_resources:
  listeners:
  - name: tls
    address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
    listener_filters:
    - name: envoy.filters.listener.tls_inspector
      typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          route_config:
            virtual_hosts: [ { name: all, domains: ["*"], routes: [ { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: hello } } } ] } ]
          http_filters:
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_certificates: [ { certificate_chain: { filename: ${join(certificates, 'edge.crt')} }, private_key: { filename: ${join(certificates, 'edge.key')} } } ]
`;
}

/**
 * Starts the server with the certificate `edge` of the directory and scans it. What testssl.sh wrote (JSON and text) goes to
 * `outDir`. The answer is by identifier.
 */
export async function scan(
  testssl: string,
  target: ScanTarget,
  certificates: string,
  outDir: string,
): Promise<Map<string, ScanFinding>> {
  mkdirSync(outDir, { recursive: true });
  const base = join(outDir, target.name.replaceAll(/\W+/g, '-'));
  writeFileSync(`${base}.yaml`, configuration(certificates));
  const command =
    target.envoy === null ? [...gatewayCommand(target.runtime!), 'run'] : [target.envoy, '--disable-hot-restart'];
  const flags = ['-c', `${base}.yaml`, '--concurrency', '1', '-l', 'error', '--admin-address-path', `${base}.admin`];
  const [program, ...args] = [...command, ...flags];
  const server = spawn(program!, args, { stdio: 'ignore' });
  try {
    const port = await listenerPort(`${base}.admin`);
    for (const ending of ['json', 'txt']) rmSync(`${base}.${ending}`, { force: true });
    const sections = ['--protocols', '--std', '--fs', '--server-defaults', '--vulnerable'];
    const more = ['--add-ca', join(certificates, 'ca.crt'), '--jsonfile', `${base}.json`, '--logfile', `${base}.txt`];
    try {
      const quiet = ['--quiet', '--color', '0', '--warnings', 'off'];
      execFileSync(testssl, [...quiet, ...sections, ...more, `localhost:${port}`], { stdio: 'ignore' });
    } catch {
      // Its exit code tells of findings too; those are in the file.
    }
    const findings = JSON.parse(readFileSync(`${base}.json`, 'utf8')) as ScanFinding[];
    return new Map(findings.map((finding) => [finding.id, finding]));
  } finally {
    server.kill('SIGKILL');
  }
}

async function listenerPort(addressFile: string): Promise<number> {
  for (let i = 0; i < 200; i++) {
    try {
      const admin = readFileSync(addressFile, 'utf8').trim();
      const answer = await fetch(`http://${admin}/listeners?format=json`);
      const {
        listener_statuses: [status],
      } = (await answer.json()) as {
        listener_statuses: { local_address: { socket_address: { port_value: number } } }[];
      };
      if (status !== undefined) return status.local_address.socket_address.port_value;
    } catch {
      // not yet
    }
    await delay(100);
  }
  throw new Error('the server does not start');
}
