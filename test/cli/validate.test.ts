import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { gatewayCommand } from '#test/support/gateway-command.ts';
import { ownRuntime } from '#test/support/gateway-process.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-validate-'));

function run(args: readonly string[]): { code: number | null; out: string; err: string } {
  const [program, ...before] = gatewayCommand(ownRuntime);
  const { status, stdout, stderr } = spawnSync(program!, [...before, ...args], { encoding: 'utf8', cwd: dir });
  return { code: status, out: stdout, err: stderr };
}

describe('sluice validate', () => {
  after(() => rmSync(dir, { recursive: true, force: true }));

  test('a good configuration: 0', () => {
    writeFileSync(join(dir, 'good.yaml'), 'static_resources: { clusters: [ { name: a } ] }\n');
    assert.deepEqual(run(['validate', '-c', 'good.yaml']), {
      code: 0,
      out: "configuration 'good.yaml' OK\n",
      err: '',
    });
    assert.equal(run(['--mode', 'validate', '-c', 'good.yaml']).code, 0);
  });

  test('every problem with its place: 1', () => {
    const lines = [
      'static_resources:',
      '  clusters:',
      '  - { name: a, typ: STATIC }',
      '  - { name: b, connect_timeout: soon }',
      '  - { name: c, lb_policy: RANDM }',
    ];
    writeFileSync(join(dir, 'bad.yaml'), `${lines.join('\n')}\n`);
    const { code, err } = run(['validate', '-c', 'bad.yaml']);
    assert.equal(code, 1);
    const found = err.trimEnd().split('\n');
    assert.match(found[0]!, /^bad\.yaml:3:\d+: error: static_resources\.clusters\[0\].*typ.*did you mean/);
    assert.match(found[1]!, /^bad\.yaml:4:\d+: error: static_resources\.clusters\[1\]\.connect_timeout/);
    assert.match(found[2]!, /^bad\.yaml:5:\d+: error: static_resources\.clusters\[2\]\.lb_policy/);
    assert.equal(found.at(-1), 'configuration is refused: 3 errors');
  });

  test('problems that only building finds are found too', () => {
    const log =
      '{ name: f, typed_config: { "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog, log_format: { text_format_source: { inline_string: "%NOPE%" } } } }';
    writeFileSync(
      join(dir, 'built.yaml'),
      `admin: { address: { socket_address: { address: 127.0.0.1, port_value: 0 } }, access_log: [ ${log} ] }\n`,
    );
    const { code, err } = run(['validate', '-c', 'built.yaml']);
    assert.equal(code, 1);
    assert.match(err, /built\.yaml:1:\d+: error: admin\.access_log\[0\].*unknown command operator %NOPE%/);
  });

  test('a rate-limit service that no cluster is for is taken, as by Envoy, and warned of', () => {
    const type = 'type.googleapis.com/envoy.extensions.filters';
    const service = '{ transport_api_version: V3, grpc_service: { envoy_grpc: { cluster_name: limts } } }';
    const limit = `{ name: rl, typed_config: { "@type": ${type}.http.ratelimit.v3.RateLimit, domain: d, rate_limit_service: ${service} } }`;
    const router = `{ name: r, typed_config: { "@type": ${type}.http.router.v3.Router } }`;
    const lines = [
      'static_resources:',
      '  clusters: [ { name: limits } ]',
      '  listeners:',
      '  - address: { socket_address: { address: 127.0.0.1, port_value: 0 } }',
      '    filter_chains:',
      '    - filters:',
      '      - name: hcm',
      '        typed_config:',
      `          "@type": ${type}.network.http_connection_manager.v3.HttpConnectionManager`,
      '          stat_prefix: s',
      '          route_config: { virtual_hosts: [] }',
      `          http_filters: [ ${limit}, ${router} ]`,
    ];
    for (const [name, warning] of [
      [
        'limts',
        /^limits\.yaml:12:\d+: warning: .*there is no cluster 'limts', so every call fails; did you mean limits\?\n$/,
      ],
      ['limits', /^$/],
    ] as const) {
      writeFileSync(join(dir, 'limits.yaml'), `${lines.join('\n').replace('limts', name)}\n`);
      const { code, err } = run(['validate', '-c', 'limits.yaml']);
      assert.equal(code, 0, err);
      assert.match(err, warning);
    }
  });

  test('--config-yaml is merged over the file', () => {
    writeFileSync(join(dir, 'base.yaml'), 'node: { id: one, cluster: c }\n');
    assert.equal(run(['validate', '-c', 'base.yaml', '--config-yaml', 'node: { id: two }']).code, 0);
    const { code, err } = run(['validate', '-c', 'base.yaml', '--config-yaml', 'nodes: {}']);
    assert.equal(code, 1);
    assert.match(err, /--config-yaml/);
  });

  test('a file that is not there, no file at all, an unknown command', () => {
    assert.match(run(['validate', '-c', 'none.yaml']).err, /cannot read 'none\.yaml'/);
    assert.match(run(['validate']).err, /one of --config-path and --config-yaml is required/);
    assert.match(run(['rattelimit']).err, /unknown command 'rattelimit'; did you mean ratelimit\?/);
    assert.match(run(['dance']).err, /commands are run, validate, help, certs, ratelimit\n/);
    assert.match(run(['validat']).err, /unknown command 'validat'; did you mean validate\?/);
  });

  test('limits of a service in the process are checked: settings, files and names', () => {
    const cluster = (settings: string): string =>
      `static_resources: { clusters: [ { name: rls, cluster_type: { name: sluice.in_process, typed_config: { "@type": type.googleapis.com/sluice.clusters.in_process.v1.InProcess, service: ratelimit, settings: ${settings} } } } ] }\n`;
    mkdirSync(join(dir, 'limits', 'config'), { recursive: true });
    const limit = join(dir, 'limits', 'config', 'edge.yaml');
    writeFileSync(join(dir, 'in.yaml'), cluster('{ RUNTIME_ROOT: limits }'));
    writeFileSync(limit, 'domain: d\ndescriptors: [ { key: k, rate_limit: { unit: day, requests_per_unit: 1 } } ]\n');
    assert.equal(run(['validate', '-c', 'in.yaml']).code, 0);
    writeFileSync(limit, 'domain: d\ndescriptors:\n  - key: k\n    value: [\n');
    const bad = run(['validate', '-c', 'in.yaml']);
    assert.equal(bad.code, 1);
    assert.match(
      bad.err,
      /in\.yaml:1:\d+: error: static_resources\.clusters\[0\]\.cluster_type\.typed_config\.settings\["RUNTIME_ROOT"\]: limits\/config: edge\.yaml: error loading config file: yaml: line \d/,
    );
    writeFileSync(join(dir, 'in.yaml'), cluster('{ BACKEND: memory }'));
    const unknown = run(['validate', '-c', 'in.yaml']);
    assert.match(unknown.err, /settings\["BACKEND"\]: no such setting; did you mean BACKEND_TYPE\?/);
  });
});
