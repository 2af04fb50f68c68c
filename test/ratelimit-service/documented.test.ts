import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { runtimeName } from '#gateway/runtime/runtime-name.ts';
import { adminPages } from '#ratelimit/admin/admin-api.ts';
import { readSettings, settingNames } from '#ratelimit/config/settings.ts';
import { knownKeys } from '#ratelimit/config/yaml-file.ts';
import { gatewayCommand } from '#test/support/gateway-command.ts';
import { peerTest } from '#test/support/peers.ts';
import { ratelimit } from './cli/run-command.ts';
import { limitFolder } from './support/running-service.ts';
import { startService } from './support/start-service.ts';

const docs = readFileSync(new URL('../../docs/ratelimit.md', import.meta.url), 'utf8');

/** Whether a name stands in the page, and not only as a part of another. */
function isNamed(name: string): boolean {
  return new RegExp(`(?<![\\w-])${name.replaceAll(/[.*+?^$()|[\]{}\\]/g, '\\$&')}(?![\\w-])`).test(docs);
}

test('every setting, key of a file, flag and page is in docs/ratelimit.md', async () => {
  const missing = [...settingNames(), ...knownKeys, ...Object.keys(adminPages)].filter((name) => !isNamed(name));
  for (const command of ['check', 'exempt', 'peek', 'reset', 'simulate', 'top']) {
    const { out } = await ratelimit(command, '--help');
    const flags = [...out.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, flag]) => flag!);
    assert.ok(flags.length > 0);
    missing.push(...flags.filter((flag) => !isNamed(flag)).map((flag) => `${command} ${flag}`));
  }
  assert.deepEqual(missing, []);
});

test('every statistic of the service is in docs/ratelimit.md', async () => {
  const limits = limitFolder({
    'a.yaml': 'domain: d\ndescriptors: [{ key: k, rate_limit: { unit: day, requests_per_unit: 1 } }]',
  });
  const { service } = await startService({
    RUNTIME_ROOT: limits.root,
    RUNTIME_SUBDIRECTORY: 'rl',
    RUNTIME_WATCH_ROOT: 'true',
    LOCAL_CACHE_SIZE_IN_BYTES: '1000000',
  });
  try {
    const text = await (await fetch(`http://127.0.0.1:${service.debugPort}/stats`)).text();
    const names = text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.slice(0, line.indexOf(':')));
    assert.ok(names.length > 50);
    assert.deepEqual(
      names.filter((name) => !isNamed(name.slice(name.lastIndexOf('.') + 1))),
      [],
    );
  } finally {
    await service.close();
    limits.remove();
  }
});

test('the defaults that tables tell are those of the code', () => {
  const usual = readSettings({}) as unknown as Readonly<Record<string, unknown>>;
  let compared = 0;
  for (const [, table] of docs.matchAll(/^\| setting +\| default +\|.*\n\| -.*\n((?:\|.*\n)+)/gm)) {
    for (const row of table!.trim().split('\n')) {
      const [names = '', values = ''] = row.slice(2).split(' | ');
      const defaults = values
        .replaceAll('`', '')
        .split(',')
        .map((value) => value.trim());
      for (const [i, [, name = '']] of [...names.matchAll(/`([A-Z_]+)`/g)].entries()) {
        const told = readSettings({ [name]: defaults[i]! }) as unknown as Readonly<Record<string, unknown>>;
        assert.deepEqual(told[name], usual[name], name);
        compared++;
      }
    }
  }
  assert.ok(compared >= 12, `${compared}`);
});

/** What the page says of the gateway, as parts of a bootstrap. */
interface GatewayBlock {
  readonly http_filters?: readonly object[];
  readonly rate_limits?: readonly object[];
  readonly clusters?: readonly object[];
}

const blocks = [...docs.matchAll(/```yaml\n(.*?)```/gs)]
  .map(([, block]) => block!)
  .filter((block) => block.includes('"@type"'));

/** A whole bootstrap around a block. */
function bootstrap(block: string, limits: string): object {
  const parsed: unknown = parse(block.replaceAll('/etc/limits', limits));
  const {
    http_filters,
    rate_limits = [],
    clusters = [],
  }: GatewayBlock = Array.isArray(parsed) ? { http_filters: parsed as object[] } : (parsed as GatewayBlock);
  const type = 'type.googleapis.com/envoy.extensions.filters';
  const router = { name: 'router', typed_config: { '@type': `${type}.http.router.v3.Router` } };
  const manager = {
    '@type': `${type}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'ingress',
    http_filters: [...(http_filters ?? []), router],
    route_config: {
      virtual_hosts: [
        { name: 'all', domains: ['*'], rate_limits, routes: [{ match: { prefix: '/' }, route: { cluster: 'app' } }] },
      ],
    },
  };
  const filter = { name: 'hcm', typed_config: manager };
  const address = { socket_address: { address: '127.0.0.1', port_value: 0 } };
  return {
    static_resources: {
      listeners: [{ name: 'http', address, filter_chains: [{ filters: [filter] }] }],
      clusters: [{ name: 'app' }, { name: 'quota' }, ...clusters],
    },
  };
}

const accepts = (command: readonly string[], config: object, path: string): void => {
  writeFileSync(path, JSON.stringify(config));
  const [program, ...args] = command;
  const { status, stderr } = spawnSync(program!, [...args, '-c', path], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
};

test('the gateway takes its snippets', () => {
  const limits = limitFolder({ 'a.yaml': 'domain: edge' });
  try {
    assert.ok(blocks.length >= 3, `${blocks.length}`);
    for (const block of blocks) {
      const config = bootstrap(block, join(limits.root, 'rl'));
      accepts([...gatewayCommand(runtimeName), 'validate'], config, join(limits.root, 'bootstrap.json'));
    }
  } finally {
    limits.remove();
  }
});

peerTest('envoy', 'so does Envoy, but for what is sluice’s own', (envoy) => {
  const limits = limitFolder({});
  try {
    for (const block of blocks.filter((each) => !each.includes('sluice.'))) {
      const command = [envoy, '--mode', 'validate', '-l', 'error'];
      accepts(command, bootstrap(block, limits.root), join(limits.root, 'bootstrap.json'));
    }
  } finally {
    limits.remove();
  }
});
