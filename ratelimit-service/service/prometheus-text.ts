import { limitStatValues } from '../limiter/limit-stats.ts';
import type { StatsStore } from '../limiter/stats-store.ts';

/** Limit counters that the reference's mapping gives labels; the others keep the key in their name. */
const labelled: ReadonlySet<string> = new Set([
  'near_limit',
  'over_limit',
  'total_hits',
  'within_limit',
  'shadow_mode',
]);

/** The counters in Prometheus' text format, under the names of the reference service's mapping. */
export function prometheusText(stats: StatsStore): string {
  const families = new Map<string, string[]>();
  const add = (name: string, labels: string, value: number): void => {
    let family = families.get(name);
    if (family === undefined) {
      family = [];
      families.set(name, family);
    }
    family.push(`${name}${labels} ${value}\n`);
  };
  for (const limit of stats.limits()) {
    const labels = keyLabels(limit.key);
    for (const [name, value] of limitStatValues(limit)) {
      if (labelled.has(name) && labels !== null) add(`ratelimit_service_rate_limit_${name}`, labels, value);
      else if (value > 0) add(plainName(`ratelimit_service_rate_limit_${limit.key}_${name}`), '', value);
    }
  }
  for (const [domain, value] of stats.domainsNotFound) {
    add(plainName(`ratelimit_service_rate_limit_${domain}_domain_not_found`), '', value);
  }
  add('ratelimit_service_should_rate_limit_error', '{err_type="redis_error"}', stats.redisError);
  add('ratelimit_service_should_rate_limit_error', '{err_type="service_error"}', stats.serviceError);
  for (const [method, value] of stats.calls) {
    add('ratelimit_service_total_requests', `{grpc_method="${escapeLabel(method)}"}`, value);
  }
  for (const [name, value] of stats.redis.counters()) add(plainName(name), '', value);
  add('ratelimit_service_config_load_success', '', stats.configLoadSuccess);
  add('ratelimit_service_config_load_error', '', stats.configLoadError);
  add('ratelimit_service_global_shadow_mode', '', stats.globalShadowMode);
  let text = '';
  for (const [name, lines] of families) text += `# TYPE ${name} counter\n${lines.join('')}`;
  return text;
}

/** Domain, first key, and the rest as `key2`; null for a key without descriptors. */
function keyLabels(key: string): string | null {
  const [domain = '', key1, ...rest] = key.split('.');
  if (key1 === undefined) return null;
  const key2 = rest.length === 0 ? '' : `,key2="${escapeLabel(rest.join('.'))}"`;
  return `{domain="${escapeLabel(domain)}",key1="${escapeLabel(key1)}"${key2}}`;
}

function plainName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_]/g, '_');
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
