import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ConnectionInfo } from '#gateway/api/connection.ts';
import { StreamInfo } from '#gateway/api/stream-info.ts';
import { ipAddress, pipeAddress } from '#gateway/base/address.ts';
import { xxhash64 } from '#gateway/base/xxhash64.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { compileTcpProxy, type TcpProxyConfig } from '#gateway/extensions/network/tcp-proxy/tcp-proxy-config.ts';
import { createMessage } from '#gateway/proto/registry.ts';
import type { TcpProxy } from '#proto-types/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import { createTestServerContext } from '#test/support/server-context.ts';

function compiled(...hashPolicy: readonly object[]): TcpProxyConfig {
  const message = createMessage<TcpProxy>('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy', {
    statPrefix: 't',
    clusterSpecifier: { case: 'cluster', value: 'c' },
    hashPolicy,
  } as object);
  const server = createTestServerContext();
  return compileTcpProxy(message, { server, scope: server.stats, diagnostics: new Diagnostics() });
}

function connectionFrom(remote: ReturnType<typeof ipAddress>): StreamInfo {
  return new StreamInfo(new ConnectionInfo(1, ipAddress('127.0.0.1', 80), remote, 0), 0, 0);
}

it('tcp_proxy hashes the source address or filter state', () => {
  const bySource = compiled({ policySpecifier: { case: 'sourceIp', value: {} } }).hash!;
  assert.equal(bySource(connectionFrom(ipAddress('10.0.0.1', 5))), xxhash64('10.0.0.1'));
  assert.equal(bySource(connectionFrom(pipeAddress('/x'))), null);
  const byState = compiled({ policySpecifier: { case: 'filterState', value: { key: 'k' } } }).hash!;
  const info = connectionFrom(ipAddress('10.0.0.1', 5));
  assert.equal(byState(info), null);
  info.filterState = new Map([['k', 'v']]);
  assert.equal(byState(info), xxhash64('v'));
  assert.equal(compiled().hash, null);
});
