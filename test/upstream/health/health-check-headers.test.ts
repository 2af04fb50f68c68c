import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { type HttpCheck, readHealthCheck } from '#gateway/upstream/health/health-check-config.ts';
import { clusterMessage } from '#test/support/upstream-world.ts';

function read(...headers: { [field: string]: string | boolean | { [field: string]: string } }[]): {
  headers: readonly string[];
  errors: readonly string[];
} {
  const message = clusterMessage({
    name: 'c',
    health_checks: [
      {
        timeout: '1s',
        interval: '1s',
        unhealthy_threshold: 1,
        healthy_threshold: 1,
        http_health_check: { path: '/', request_headers_to_add: headers },
      },
    ],
  });
  const found = new Diagnostics();
  const check = readHealthCheck(message.healthChecks[0]!, found)!.check as HttpCheck;
  return { headers: check.headers, errors: found.errors.map(({ path }) => path) };
}

test('headers of health checks are added, set and left as the configuration says', () => {
  const { headers, errors } = read(
    { header: { key: 'X-A', value: '100%%' } },
    { header: { key: 'user-agent', value: 'mine' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
    { header: { key: 'x-a', value: 'no' }, append_action: 'ADD_IF_ABSENT' },
    { header: { key: 'x-b', value: 'no' }, append_action: 'OVERWRITE_IF_EXISTS' },
    { header: { key: 'x-c', raw_value: 'YQ==' } },
    { header: { key: 'x-d', value: '' } },
    { header: { key: 'x-e', value: '' }, keep_empty_value: true },
  );
  assert.deepEqual(errors, []);
  assert.deepEqual(headers, ['user-agent', 'mine', 'x-a', '100%', 'x-c', 'a', 'x-e', '']);
});

test('commands in headers of health checks are refused by name', () => {
  const { errors } = read({ header: { key: 'x-a', value: '%PROTOCOL%' } });
  assert.deepEqual(errors, ['http_health_check.request_headers_to_add[0].header.value']);
});
