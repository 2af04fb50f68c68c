import type { Connection } from '#gateway/api/connection.ts';
import { ipAddress } from '#gateway/base/address.ts';
import type { UpstreamHost } from '../host.ts';
import type { PoolSettings } from '../pool/pool-settings.ts';
import type { HealthCheckConfig } from './health-check-config.ts';
import { type CheckedCluster, HealthChecker } from './health-checker.ts';
import type { HealthEvents } from './health-events.ts';
import { HttpProbe } from './http-probe.ts';
import type { Probe, ProbeListener } from './probe.ts';
import { grpcExchange, httpExchange } from './probe-exchange.ts';
import { TcpProbe } from './tcp-probe.ts';

/** A checker whose probes go through the hosts' own transport sockets. */
export function createHealthChecker(
  config: HealthCheckConfig,
  cluster: CheckedCluster,
  clusterName: string,
  pools: PoolSettings,
  events: HealthEvents,
): HealthChecker {
  const makeProbe = ({ check, timing }: HealthCheckConfig, host: UpstreamHost, listener: ProbeListener): Probe => {
    const connect = (): Connection => openConnection(host, config, pools);
    if (check.kind === 'tcp') return new TcpProbe(check, connect, listener);
    const authority = host.checkHostname || check.host || clusterName;
    const { codecs, http } = pools;
    return new HttpProbe(
      check.kind === 'grpc' ? grpcExchange(check, authority) : httpExchange(check, authority),
      timing.reuseConnection,
      {
        connect,
        codec: (connection, callbacks) =>
          check.http2
            ? codecs.http2(connection, callbacks, http.http2)
            : codecs.http1(connection, callbacks, http.http1),
      },
      listener,
    );
  };
  return new HealthChecker(config, cluster, makeProbe, pools, pools.stats.scope, events);
}

function openConnection(host: UpstreamHost, { check, timing }: HealthCheckConfig, pools: PoolSettings): Connection {
  const alpn = check.kind === 'tcp' ? null : [check.http2 ? 'h2' : 'http/1.1'];
  const address =
    host.checkPort === 0 || host.address.kind !== 'ip' ? host.address : ipAddress(host.address.host, host.checkPort);
  return host.transport.connect(address, {
    connectTimeoutMs: timing.timeoutMs,
    alpn,
    serverName: '',
    verifyServerName: false,
    hostname: host.hostname,
    bufferLimitOctets: pools.bufferLimitOctets,
    bindAddress: pools.bindAddress,
  });
}
