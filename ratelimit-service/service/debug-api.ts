import { Hono } from 'hono';
import { type AdminApiOptions, addAdminApi, adminPages } from '../admin/admin-api.ts';
import { algorithmName } from '../config/algorithm.ts';
import type { LimitConfig } from '../config/build-config.ts';
import { unitName } from '../config/limit-unit.ts';
import type { DescriptorNode, DomainNode, LimitRule } from '../config/rule.ts';
import type { StatsStore } from '../limiter/stats-store.ts';
import type { LimitService } from './limit-service.ts';
import { gaugeLines, statLines } from './stat-lines.ts';

const pages: Readonly<Record<string, string>> = {
  '/rlconfig': 'print out the currently loaded configuration for debugging',
  '/stats': 'print out the statistics of the service and of every limit',
  ...adminPages,
};

/** The debug interface: what is loaded and what was counted, and `/admin`. It shows keys of clients, so it listens on loopback. */
export function createDebugApi(limits: LimitService, stats: StatsStore, admin: AdminApiOptions): Hono {
  const app = new Hono();
  addAdminApi(app, admin);
  app.get('/', (c) =>
    c.text(
      Object.entries(pages)
        .map(([path, help]) => `${path}: ${help}\n`)
        .join(''),
    ),
  );
  app.get('/rlconfig', (c) => c.text(describeConfig(limits.config)));
  app.get('/stats', (c) =>
    c.text(
      [...statLines(stats), ...gaugeLines(stats)]
        .map(({ name, value }) => `${name}: ${value}\n`)
        .sort()
        .join(''),
    ),
  );
  return app;
}

/** What the reference service's rules do not have. */
function describeOwn({ keyTag, take, windowSeconds }: LimitRule): string {
  if (keyTag === '') return '';
  return `, algorithm: ${algorithmName(take.algorithm)}, window: ${windowSeconds}s, capacity: ${take.capacity}`;
}

/** One line for every limit: `<key>: unit=<UNIT> requests_per_unit=<n>, shadow_mode: <bool>, quota_mode: <bool>`. */
export function describeConfig(config: LimitConfig | null): string {
  const lines: string[] = [];
  const walk = (node: DomainNode | DescriptorNode): void => {
    for (const rule of 'rules' in node ? node.rules : []) {
      const { fullKey, unit, requestsPerUnit, shadowMode, quotaMode } = rule;
      lines.push(
        `${fullKey}: unit=${unitName(unit)} requests_per_unit=${requestsPerUnit}, shadow_mode: ${shadowMode}, quota_mode: ${quotaMode}${describeOwn(rule)}\n`,
      );
    }
    for (const child of node.children.values()) walk(child);
  };
  for (const domain of config?.domains.values() ?? []) walk(domain);
  return lines.join('');
}
