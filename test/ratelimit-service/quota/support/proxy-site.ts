import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';

/** A cluster of one address; `options` is more of it. */
export function cluster(name: string, port: number, options: string): string {
  return `
  - name: ${name}
    type: STATIC${options}
    load_assignment: { cluster_name: ${name}, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }] }] }`;
}

/** The service behind a port. */
export function quotaCluster(port: number): string {
  return cluster(
    'quota',
    port,
    `
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }`,
  );
}

/** A proxy whose requests fall into the bucket { name: api, user: X-USER }; `quota` is the text of the service's cluster. */
export function bootstrap(listenPort: number, quota: string, appPort: number): string {
  return `
static_resources:
  listeners:
  - address: { socket_address: { address: 127.0.0.1, port_value: ${listenPort} } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          route_config:
            virtual_hosts:
            - { name: all, domains: ["*"], routes: [{ match: { prefix: / }, route: { cluster: app } }] }
          http_filters:
          - name: envoy.filters.http.rate_limit_quota
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.rate_limit_quota.v3.RateLimitQuotaFilterConfig
              domain: edge
              rlqs_server: { envoy_grpc: { cluster_name: quota } }
              bucket_matchers:
                on_no_match:
                  action:
                    name: bucket
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.rate_limit_quota.v3.RateLimitQuotaBucketSettings
                      bucket_id_builder:
                        bucket_id_builder:
                          name: { string_value: api }
                          user:
                            custom_value:
                              name: user
                              typed_config:
                                "@type": type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput
                                header_name: x-user
                      reporting_interval: 1s
                      no_assignment_behavior: { fallback_rate_limit: { blanket_rule: DENY_ALL } }
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:${cluster('app', appPort, '')}${quota}
`;
}

/** Requests through several proxies in turn, and what came of them. */
export class Load {
  readonly passed: number[];
  refused = 0;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #ports: readonly number[];
  readonly #user: string;

  constructor(ports: readonly number[], user: string) {
    this.#ports = ports;
    this.#user = user;
    this.passed = ports.map(() => 0);
  }

  get allPassed(): number {
    return this.passed.reduce((sum, count) => sum + count, 0);
  }

  /** One request through each. */
  async round(): Promise<void> {
    await Promise.all(
      this.#ports.map(async (port, i) => {
        const status = await this.#get(port);
        if (status === 200) this.passed[i]!++;
        else if (status === 429) this.refused++;
        else assert.fail(`status ${status}`);
      }),
    );
  }

  close(): void {
    this.#agent.destroy();
  }

  async #get(port: number): Promise<number> {
    return await new Promise((resolve, reject) => {
      const headers = { 'x-user': this.#user };
      request({ host: '127.0.0.1', port, agent: this.#agent, headers }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
      })
        .on('error', reject)
        .end();
    });
  }
}
