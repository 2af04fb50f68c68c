import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { LogRegistry } from '#gateway/base/log.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
import type { LimitConfig } from '#ratelimit/config/build-config.ts';
import { ConfigLoader, type ConfigLoaderOptions } from '#ratelimit/config/config-loader.ts';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';
import { until } from '#test/support/until.ts';

/** A loader on real files, with all it said. */
interface Watched {
  readonly root: string;
  /** The domains in force. */
  domains(): string[];
  readonly errors: string[];
  readonly stats: StatsStore;
  put(path: string, text: string | Uint8Array): void;
  /** Waits until these are the domains in force. */
  untilDomains(...names: string[]): Promise<void>;
  /** Waits for one more error. */
  untilError(): Promise<string>;
}

const file = (domain: string): string => `domain: ${domain}\ndescriptors: [{ key: k, rate_limit: { unit: day } }]`;

async function withLoader(
  options: Partial<ConfigLoaderOptions>,
  prepare: (root: string) => void,
  use: (watched: Watched) => Promise<void>,
): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'sluice-rl-watch-'));
  const root = join(work, 'current');
  const put = (path: string, text: string | Uint8Array): void => {
    mkdirSync(dirname(join(work, path)), { recursive: true });
    writeFileSync(join(work, path), text);
  };
  prepare(work);
  const errors: string[] = [];
  const logs = new LogRegistry({ write: (level, _component, text) => level === 'error' && errors.push(text) }, 'error');
  const stats = new StatsStore();
  let config: LimitConfig | null = null;
  const loader = new ConfigLoader(
    {
      root,
      subdirectory: 'rl',
      appDirectory: 'config',
      watchRoot: true,
      ignoreDotFiles: false,
      mergeDomains: false,
      ...options,
    },
    stats,
    createSystemTimers(systemClock),
    logs.get('ratelimit'),
  );
  const domains = (): string[] => [...(config?.domains.keys() ?? [])].sort();
  try {
    loader.start(
      (loaded) => {
        config = loaded;
      },
      () => {},
    );
    await use({
      root: work,
      domains,
      errors,
      stats,
      put,
      untilDomains: async (...names) => await until(() => domains().join() === names.join()),
      untilError: async () => {
        const before = errors.length;
        await until(() => errors.length > before);
        return errors.at(-1)!;
      },
    });
  } finally {
    loader.close();
    rmSync(work, { recursive: true, force: true });
  }
}

function write(work: string, path: string, text: string): void {
  mkdirSync(dirname(join(work, path)), { recursive: true });
  writeFileSync(join(work, path), text);
}

for (const watchRoot of [true, false]) {
  const mode = `RUNTIME_WATCH_ROOT=${watchRoot}`;

  test(`${mode}: files that are edited, added, renamed over and removed are seen; one save is one load`, async () => {
    await withLoader(
      { watchRoot },
      (work) => write(work, 'current/rl/config/a.yaml', file('a')),
      async ({ root, put, untilDomains, stats }) => {
        await untilDomains('a');
        put('current/rl/config/a.yaml', file('b'));
        await untilDomains('b');
        assert.equal(stats.configLoadSuccess, 2);
        put('current/rl/config/deep/er/c.txt', file('c'));
        await untilDomains('b', 'c');
        put('new.yaml', file('d'));
        renameSync(join(root, 'new.yaml'), join(root, 'current/rl/config/a.yaml'));
        await untilDomains('c', 'd');
        rmSync(join(root, 'current/rl/config/deep'), { recursive: true });
        await untilDomains('d');
        assert.equal(stats.configLoadError, 0);
      },
    );
  });

  test(`${mode}: a directory that vanishes is an error, leaves the configuration in force, and is read when it comes back`, async () => {
    await withLoader(
      { watchRoot },
      (work) => write(work, 'current/rl/config/a.yaml', file('a')),
      async ({ root, put, untilDomains, untilError, domains }) => {
        await untilDomains('a');
        rmSync(join(root, 'current'), { recursive: true });
        assert.match(await untilError(), /^Error loading new configuration: ENOENT/);
        assert.deepEqual(domains(), ['a']);
        put('current/rl/config/a.yaml', file('b'));
        await untilDomains('b');
      },
    );
  });

  test(`${mode}: a link that leads nowhere, such as an editor’s lock, is no file`, async () => {
    await withLoader(
      { watchRoot },
      (work) => {
        write(work, 'current/rl/config/a.yaml', file('a'));
        symlinkSync('somebody@host:1', join(work, 'current/rl/config/.#a.yaml'));
        write(work, 'elsewhere/b.yaml', file('b'));
        symlinkSync(join(work, 'elsewhere/b.yaml'), join(work, 'current/rl/config/b.yaml'));
      },
      async ({ root, put, untilDomains, errors }) => {
        await untilDomains('a', 'b');
        rmSync(join(root, 'current/rl/config/.#a.yaml'));
        put('current/rl/config/a.yaml', file('c'));
        await untilDomains('b', 'c');
        assert.deepEqual(errors, []);
      },
    );
  });

  test(`${mode}: a file that is far too long is an error and is not read; nor are pipes and devices`, async () => {
    await withLoader(
      { watchRoot },
      (work) => write(work, 'current/rl/config/a.yaml', file('a')),
      async ({ root, put, untilDomains, untilError, domains }) => {
        await untilDomains('a');
        put('current/rl/config/b.yaml', `${file('b')}${'#'.repeat(8 * 1024 * 1024)}`);
        assert.match(
          await untilError(),
          /b\.yaml: error loading config file: it has 8\d+ octets, 8388608 at most are read$/,
        );
        assert.deepEqual(domains(), ['a']);
        symlinkSync('/dev/zero', join(root, 'current/rl/config/zero'));
        put('current/rl/config/b.yaml', file('b'));
        await untilDomains('a', 'b');
      },
    );
  });

  test(`${mode}: a mistake anywhere leaves all as it was`, async () => {
    await withLoader(
      { watchRoot },
      (work) => write(work, 'current/rl/config/a.yaml', file('a')),
      async ({ put, untilDomains, untilError, domains, stats }) => {
        await untilDomains('a');
        const name = watchRoot ? 'config.b.yaml' : 'b.yaml';
        put('current/rl/config/b.yaml', file('a'));
        const said = await untilError();
        assert.ok(
          said.startsWith(`Error loading new configuration: ${name}: duplicate domain 'a' in config file (`),
          said,
        );
        assert.match(said, /MERGE_DOMAIN_CONFIG/);
        put('current/rl/config/b.yaml', Buffer.from([0x64, 0xff]));
        assert.match(await untilError(), /b\.yaml: error loading config file: yaml: line 1: this is not UTF-8$/);
        const laughs = Array.from({ length: 30 }, (_, i) =>
          i === 0
            ? '- &a0 { key: x }'
            : `- &a${i} { key: k${i}, descriptors: [${`*a${i - 1}, `.repeat(9)}*a${i - 1}] }`,
        );
        put('current/rl/config/b.yaml', `domain: b\ndescriptors:\n${laughs.join('\n')}`);
        assert.match(await untilError(), /b\.yaml: .* document contains excessive aliasing$/);
        assert.deepEqual(domains(), ['a']);
        put('current/rl/config/b.yaml', file('b'));
        await untilDomains('a', 'b');
        assert.equal(stats.configLoadError, 3);
      },
    );
  });
}

test('a link at RUNTIME_ROOT that is swapped is seen', async () => {
  await withLoader(
    {},
    (work) => {
      write(work, 'one/rl/config/a.yaml', file('one'));
      write(work, 'two/rl/config/a.yaml', file('two'));
      symlinkSync(join(work, 'one'), join(work, 'current'));
    },
    async ({ root, put, untilDomains }) => {
      await untilDomains('one');
      symlinkSync(join(root, 'two'), join(root, 'next'));
      renameSync(join(root, 'next'), join(root, 'current'));
      await untilDomains('two');
      put('two/rl/config/b.yaml', file('zwei'));
      await untilDomains('two', 'zwei');
    },
  );
});

test('a ConfigMap of Kubernetes: `..data` is swapped, dot files are ignored', async () => {
  await withLoader(
    { watchRoot: false, ignoreDotFiles: true },
    (work) => {
      write(work, 'current/rl/config/..2026_1/a.yaml', file('one'));
      symlinkSync('..2026_1', join(work, 'current/rl/config/..data'));
      symlinkSync('..data/a.yaml', join(work, 'current/rl/config/a.yaml'));
    },
    async ({ root, put, untilDomains, stats }) => {
      await untilDomains('one');
      put('current/rl/config/..2026_2/a.yaml', file('two'));
      const config = join(root, 'current/rl/config');
      symlinkSync('..2026_2', join(config, '..data_tmp'));
      renameSync(join(config, '..data_tmp'), join(config, '..data'));
      rmSync(join(config, '..2026_1'), { recursive: true });
      await untilDomains('two');
      assert.equal(stats.configLoadError, 0);
    },
  );
});

test('files are merged in the order of their names, so that the first of two patterns is always the same', async () => {
  const pattern = (value: string): string =>
    `domain: d\ndescriptors: [{ key: k, value: '${value}', rate_limit: { unit: day } }]`;
  await withLoader(
    { mergeDomains: true },
    (work) => {
      write(work, 'current/rl/config/b.yaml', pattern('a*'));
      write(work, 'current/rl/config/a.yaml', pattern('ab*'));
      write(work, 'current/rl/config/c/a.yaml', pattern('*'));
    },
    async ({ untilDomains, stats }) => {
      await untilDomains('d');
      assert.deepEqual(
        [...stats.limits()].map(({ key }) => key),
        ['d.k_ab*', 'd.k_a*', 'd.k_*'],
      );
    },
  );
});
