import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type GatewayProcess, ownRuntime, startGateway } from '../support/gateway-process.ts';
import { crlPem, type MadeCertificate } from '../support/made-certificates.ts';
import { attempt, canAttempt } from '../support/mtls-attempts.ts';
import type { MtlsResult } from '../support/mtls-client.ts';
import { peerTest } from '../support/peers.ts';
import { leafOf, low, mid, other, root, serverCertificate } from './mtls-truth-table-world.ts';

const typed = (name: string): string => `type.googleapis.com/envoy.extensions.${name}`;
const versions = ['TLSv1.2', 'TLSv1.3'] as const;

function secret(context: object): string {
  const resource = { '@type': typed('transport_sockets.tls.v3.Secret'), name: 'rules', validation_context: context };
  return JSON.stringify({ resources: [resource] });
}

const trust = (...list: readonly MadeCertificate[]): object => ({
  trusted_ca: { inline_string: list.map((certificate) => certificate.pem).join('') },
});

const router = { '@type': typed('filters.http.router.v3.Router') };
const manager = {
  '@type': typed('filters.network.http_connection_manager.v3.HttpConnectionManager'),
  stat_prefix: 'in',
  route_config: {
    virtual_hosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [{ match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: 'in' } } }],
      },
    ],
  },
  http_filters: [{ name: 'envoy.filters.http.router', typed_config: router }],
};
/** Keys that seal tickets alike before and after a rotation: old sessions are resumed, not refused as unknown. */
const ticketKeys = { keys: [{ inline_bytes: Buffer.alloc(80, 7).toString('base64') }] };
const context = {
  '@type': typed('transport_sockets.tls.v3.DownstreamTlsContext'),
  require_client_certificate: true,
  common_tls_context: {
    tls_certificates: [
      {
        certificate_chain: { inline_string: serverCertificate.pem },
        private_key: { inline_string: serverCertificate.key },
      },
    ],
    combined_validation_context: {
      default_validation_context: {},
      validation_context_sds_secret_config: {
        name: 'rules',
        sds_config: { path_config_source: { path: '{dir}/rules.json' }, resource_api_version: 'V3' },
      },
    },
  },
};
const bootstrap = (shared: boolean): string => `node: { id: test, cluster: test }
static_resources: ${JSON.stringify({
  listeners: [
    {
      name: 'in',
      address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
      filter_chains: [
        {
          transport_socket: {
            name: 'tls',
            typed_config: shared ? { ...context, session_ticket_keys: ticketKeys } : context,
          },
          filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }],
        },
      ],
    },
  ],
})}\n`;

const known = leafOf(low);
const revoked = leafOf(mid);
const stranger = leafOf(other);
const chains: readonly (readonly MadeCertificate[])[] = [[known, low, mid], [revoked, mid], [stranger]];

/** Lets the three clients knock with both versions: who is let in, `known revoked stranger` by version. */
async function knock(gateway: GatewayProcess, sessions: readonly MtlsResult[] = []): Promise<MtlsResult[]> {
  const jobs = versions.flatMap((version) =>
    chains.map((chain) => ({
      port: gateway.port('in'),
      serverName: 'server.test',
      version,
      certificate: chain.map((certificate) => certificate.pem).join(''),
      key: chain[0]!.key,
    })),
  );
  return await attempt(
    gateway.dir,
    jobs.map((job, i) => ({ ...job, ...(sessions[i]?.session ? { session: sessions[i].session } : {}) })),
  );
}

const letIn = (results: readonly MtlsResult[]): string =>
  results.map((result) => `${result.full ? 'in' : 'out'}${result.resumed === result.full ? '' : '?'}`).join(' ');

function rotate(gateway: GatewayProcess, rules: object): void {
  writeFileSync(join(gateway.dir, 'new.json'), secret(rules));
  renameSync(join(gateway.dir, 'new.json'), join(gateway.dir, 'rules.json'));
}

/** Waits for the rotated rules: the sessions of before are offered all the time. */
async function becomes(gateway: GatewayProcess, sessions: readonly MtlsResult[], wanted: string): Promise<void> {
  let found = '';
  for (let i = 0; i < 40 && found !== wanted; i++) {
    found = letIn(await knock(gateway, sessions));
    if (found !== wanted) await delay(100);
  }
  assert.equal(found, wanted);
}

async function rotations(envoy: string | null, shared = false): Promise<void> {
  const files = { 'rules.json': secret(trust(root)) };
  const gateway = await startGateway(bootstrap(shared), { files, ...(envoy === null ? {} : { envoy }) });
  try {
    const first = await knock(gateway);
    assert.equal(letIn(first), 'in in out in in out');
    assert.ok(first.every((result) => !result.full || result.reused));
    rotate(gateway, trust(other));
    await becomes(gateway, first, 'out out in out out in');
    rotate(gateway, {
      ...trust(root),
      crl: { inline_string: [root, mid, low].map((issuer) => crlPem({ issuer, revoked: [revoked] })).join('') },
    });
    await becomes(gateway, first, 'in out out in out out');
    rotate(gateway, trust(root, other));
    await becomes(gateway, first, 'in in in in in in');
  } finally {
    await gateway.stop();
  }
}

const title = 'sessions of before a rotation are judged by the new rules';
const unable = canAttempt() ? false : 'its clients need a Node that runs TypeScript';
const noKeys = ownRuntime === 'node' ? unable : 'this runtime chooses its own ticket keys';
test(title, { skip: unable }, () => rotations(null));
test(`${title}, with ticket keys that outlive it`, { skip: noKeys }, () => rotations(null, true));
if (unable === false) peerTest('envoy', `${title}: the same at Envoy`, (envoy) => rotations(envoy));
else test(`${title}: the same at Envoy`, { skip: unable }, () => {});
