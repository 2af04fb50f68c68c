/** A dimension taken out of a statistic's name. */
export interface Tag {
  readonly name: string;
  readonly value: string;
}

/** A statistic's name without its dimensions. */
export interface TaggedName {
  readonly name: string;
  readonly tags: readonly Tag[];
}

/** Takes one tag out of names. */
export interface TagExtractor {
  readonly tag: string;
  /** Start and end of what is cut out of `name`, and the tag's value; null when it does not apply. */
  find(name: string): { readonly start: number; readonly end: number; readonly value: string } | null;
}

interface PatternRule {
  readonly tag: string;
  /** Cheap test before the pattern: the name begins with this. */
  readonly prefix: string;
  /** Cheap test before the pattern: the name has this in it. */
  readonly part: string;
  /** Group 1 is cut out, group 2 (else group 1) is the value. */
  readonly pattern: RegExp;
}

/**
 * The dimensions that Envoy knows by default, in the order in which it takes them out. Names nest (`listener.A.http.B...`),
 * and each rule sees the whole name, so the order only decides how the tags are listed.
 */
const rules: readonly PatternRule[] = [
  rule('envoy.response_code', '', '_rq_', /_rq(_(\d{3}))$/d),
  rule('envoy.response_code_class', '', '_rq_', /_rq_((\d))xx$/d),
  rule('envoy.http_user_agent', 'http.', '.user_agent.', /^http\..*?\.user_agent\.(([^.]+)\.)\w+$/d),
  rule('envoy.virtual_cluster', 'vhost.', '.vcluster.', /^vhost\..*?\.vcluster\.(([^.]+)\.)/d),
  rule('envoy.fault_downstream_cluster', 'http.', '.fault.', /^http\..*?\.fault\.((.*?)\.)\w+$/d),
  rule('envoy.ssl_cipher', 'listener.', '.ssl.ciphers.', /^listener\..*?\.ssl\.ciphers(\.([^.]+))$/d),
  rule('envoy.ssl_cipher', 'cluster.', '.ssl.ciphers.', /^cluster\..*?\.ssl\.ciphers(\.([^.]+))$/d),
  rule('envoy.ssl_curve', '', '.ssl.curves.', /^(?:listener|cluster)\..*?\.ssl\.curves(\.([^.]+))$/d),
  rule('envoy.ssl_sigalg', '', '.ssl.sigalgs.', /^(?:listener|cluster)\..*?\.ssl\.sigalgs(\.([^.]+))$/d),
  rule('envoy.ssl_version', '', '.ssl.versions.', /^(?:listener|cluster)\..*?\.ssl\.versions(\.([^.]+(?:\.\d)?))$/d),
  rule('envoy.tls_certificate', '', '.ssl.certificate.', /\.ssl\.certificate\.((.+)\.)\w+$/d),
  rule('envoy.xds_resource_name', 'sds.', '', /^sds\.((.+?)\.)(?:control_plane\.)?\w+$/d),
  rule('envoy.tcp_prefix', 'tcp.', '', /^tcp\.((.*?)\.)\w+$/d),
  rule('envoy.udp_prefix', 'udp.', '', /^udp\.((.*?)\.)\w+$/d),
  rule('envoy.clientssl_prefix', 'auth.clientssl.', '', /^auth\.clientssl\.((.*?)\.)\w+$/d),
  rule('envoy.ratelimit_prefix', 'ratelimit.', '', /^ratelimit\.((.*?)\.)\w+$/d),
  rule('envoy.local_http_ratelimit_prefix', '', '.http_local_rate_limit.', /^((.*?)\.)http_local_rate_limit\.\w+$/d),
  rule('envoy.local_network_ratelimit_prefix', 'local_rate_limit.', '', /^local_rate_limit\.((.*?)\.)\w+$/d),
  rule('envoy.connection_limit_prefix', 'connection_limit.', '', /^connection_limit\.((.*?)\.)\w+$/d),
  rule('envoy.dns_filter_prefix', 'dns_filter.', '', /^dns_filter\.((.*?)\.).*$/d),
  rule('envoy.cluster_name', 'cluster.', '', /^cluster\.((.*?)\.)/d),
  rule('envoy.http_conn_manager_prefix', 'listener.', '.http.', /^listener\..*?\.http\.((.*?)\.)/d),
  rule('envoy.http_conn_manager_prefix', 'http.', '', /^http\.((.*?)\.)/d),
  rule(
    'envoy.worker_id',
    '',
    'worker_',
    /^(?:listener_manager|listener\..*?|server|thread_local_cluster_manager)\.worker(_(\d+))\./d,
  ),
  rule('envoy.listener_address', 'listener.', '', /^listener\.(([_.\d]+|[_[\]a-fA-F\d]+)\.)/d),
  rule('envoy.virtual_host', 'vhost.', '', /^vhost\.((.*?)\.)/d),
  rule('envoy.route', 'vhost.', '.route.', /^vhost\..*?\.route\.(([^.]+)\.)/d),
  rule('envoy.rds_route_config', 'http.', '.rds.', /^http\..*?\.rds\.((.*?)\.)\w+$/d),
  rule('envoy.scoped_rds_config', 'http.', '.scoped_rds.', /^http\..*?\.scoped_rds\.((.*?)\.)\w+$/d),
  rule('envoy.grpc_bridge_service', 'cluster.', '.grpc.', /^cluster\..*?\.grpc\.((.*)\.)[^.]+\.\w+$/d),
  rule('envoy.grpc_bridge_method', 'cluster.', '.grpc.', /^cluster\..*?\.grpc\..*?(([^.]+)\.)\w+$/d),
  rule('envoy.rbac_prefix', '', '.rbac.', /^((?!http\.).*?)\.rbac\.\w+$/d),
  rule('envoy.ext_authz_prefix', 'ext_authz.', '', /^ext_authz\.((.*?)\.)\w+$/d),
  rule('envoy.proxy_protocol_version', 'proxy_proto.', '', /^proxy_proto\.(?:[^.]+\.)?versions\.(v(\d)\.)\w+$/d),
];

function rule(tag: string, prefix: string, part: string, pattern: RegExp): PatternRule {
  return { tag, prefix, part, pattern };
}

/** Envoy's default extractors. */
export const defaultTagExtractors: readonly TagExtractor[] = rules.map((r) => ({
  tag: r.tag,
  find(name: string): { start: number; end: number; value: string } | null {
    if (!name.startsWith(r.prefix) || (r.part !== '' && !name.includes(r.part))) return null;
    const match = r.pattern.exec(name);
    const cut = match?.indices?.[1];
    if (match === null || cut === undefined) return null;
    const value = match[2] ?? match[1]!;
    return { start: cut[0], end: cut[1], value };
  },
}));

/** Makes names without their dimensions; remembers the answers. */
export class TagProducer {
  readonly #extractors: readonly TagExtractor[];
  readonly #fixed: readonly Tag[];
  readonly #known = new Map<string, TaggedName>();

  /** `fixed` tags are on every statistic. */
  constructor(extractors: readonly TagExtractor[] = defaultTagExtractors, fixed: readonly Tag[] = []) {
    this.#extractors = extractors;
    this.#fixed = fixed;
  }

  produce(name: string): TaggedName {
    let known = this.#known.get(name);
    if (known === undefined) {
      known = this.#extract(name);
      this.#known.set(name, known);
    }
    return known;
  }

  #extract(name: string): TaggedName {
    const tags: Tag[] = [...this.#fixed];
    const taken = new Set(tags.map((tag) => tag.name));
    const cuts: { start: number; end: number }[] = [];
    for (const extractor of this.#extractors) {
      if (taken.has(extractor.tag)) continue;
      const found = extractor.find(name);
      if (found === null) continue;
      taken.add(extractor.tag);
      tags.push({ name: extractor.tag, value: found.value });
      cuts.push(found);
    }
    cuts.sort((a, b) => a.start - b.start);
    let left = '';
    let at = 0;
    for (const cut of cuts) {
      if (cut.start > at) left += name.slice(at, cut.start);
      at = Math.max(at, cut.end);
    }
    return { name: left + name.slice(at), tags };
  }
}
