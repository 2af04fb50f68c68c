import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import type { Message } from '@bufbuild/protobuf';
import type { AccessLogger, FormatterContext } from '#gateway/api/access-log.ts';
import type { InitTarget, ServerContext } from '#gateway/api/context.ts';
import type { SecretSource } from '#gateway/api/secrets.ts';
import type { UpstreamCluster } from '#gateway/api/upstream.ts';
import { LogRegistry } from '#gateway/base/log.ts';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { type Clock, systemClock } from '#gateway/runtime/clock.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { createSystemTimers, type Timers } from '#gateway/runtime/timers.ts';
import { StatsStore } from '#gateway/stats/store.ts';

/** A server context for tests: real clock and timers, a real statistics store, and lists of what was asked of it. */
export interface TestServerContext extends ServerContext {
  readonly store: StatsStore;
  /** Clusters that `clusters.get` finds. */
  readonly clusterMap: Map<string, UpstreamCluster>;
  /** Everything that access loggers were given. */
  readonly logged: FormatterContext[];
  /** Log lines, `level component message`. */
  readonly lines: string[];
  readonly initTargets: InitTarget[];
  /** Secrets that `secrets` finds, by name. */
  readonly secretSources: Map<string, unknown>;
  /** Value of a counter or gauge by its full name; 0 when there is none. */
  stat(name: string): number;
}

interface DataSourceShape {
  readonly specifier: { readonly case?: string | undefined; readonly value?: unknown };
}

/** Makes one; `overrides` replaces parts. */
export function createTestServerContext(overrides: Partial<ServerContext> = {}): TestServerContext {
  const clock: Clock = overrides.clock ?? systemClock;
  const timers: Timers = overrides.timers ?? createSystemTimers(clock);
  const store = new StatsStore();
  const lines: string[] = [];
  const logged: FormatterContext[] = [];
  const initTargets: InitTarget[] = [];
  const clusterMap = new Map<string, UpstreamCluster>();
  const secretSources = new Map<string, unknown>();
  const unused = (what: string): never => {
    throw new Error(`the test server context has no ${what}`);
  };
  const secret = <T>(config: Message): SecretSource<T> => {
    const name = (config as unknown as { name: string }).name;
    return (secretSources.get(name) as SecretSource<T> | undefined) ?? unused(`secret ${name}`);
  };
  const file = { write: (line: string) => void lines.push(line) };
  return {
    store,
    clusterMap,
    logged,
    lines,
    initTargets,
    secretSources,
    stat(name: string): number {
      const all = [...store.counters(), ...store.gauges()];
      return all.find((stat) => stat.name === name)?.value ?? 0;
    },
    clock,
    timers,
    random: createSeededRandom(1),
    logs: new LogRegistry({ write: (level, component, message) => lines.push(`${level} ${component} ${message}`) }),
    stats: store.root,
    clusters: {
      get: (name: string) => clusterMap.get(name) ?? null,
      get names(): string[] {
        return [...clusterMap.keys()];
      },
    },
    httpClient: { send: () => null },
    grpcClient: () => unused('gRPC client'),
    secrets: { tlsCertificate: secret, validationContext: secret, genericSecret: secret, sessionTicketKeys: secret },
    runtime: {
      number: (_key, fallback) => fallback,
      boolean: (_key, fallback) => fallback,
      enabled: (_key, numerator, denominator, random) => random % denominator < numerator,
    },
    logFiles: { open: () => file, stdout: () => file, stderr: () => file, reopen: () => {} },
    drain: { drainClose: () => false, draining: false },
    healthCheckFailed: false,
    extensions: { http: new Map(), network: new Map(), listener: new Map() },
    node: { id: 'test', cluster: 'test', zone: '' },
    addInitTarget: (target: InitTarget) => void initTargets.push(target),
    accessLogger: (): AccessLogger => ({ log: (context: FormatterContext) => void logged.push(context) }),
    accessLogFilter: () => () => true,
    readDataSource(config: Message, diagnostics: Diagnostics): Uint8Array | null {
      const { specifier } = config as unknown as DataSourceShape;
      if (specifier.case === 'inlineString') return Buffer.from(specifier.value as string);
      if (specifier.case === 'inlineBytes') return specifier.value as Uint8Array;
      try {
        return readFileSync(specifier.value as string);
      } catch {
        diagnostics.error('filename', `cannot read ${String(specifier.value)}`);
        return null;
      }
    },
    ...overrides,
  };
}
