import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadMessage } from '#gateway/config/load/load-message.ts';
import { compileStatsConfig, type StatsSettings } from '#gateway/server/stats-config.ts';
import type { StatsConfig } from '#proto-types/envoy/config/metrics/v3/stats_pb.ts';

function compile(text: string): { settings: StatsSettings; errors: readonly string[] } {
  const loaded = loadMessage<StatsConfig>('envoy.config.metrics.v3.StatsConfig', text, 'stats.yaml');
  const settings = compileStatsConfig(loaded.message, [{ name: 'zone', value: 'z' }], loaded.diagnostics);
  return { settings, errors: loaded.diagnostics.errors.map((error) => `${error.path}: ${error.problem}`) };
}

test('own tags come before the default ones, fixed ones are everywhere', () => {
  const { settings, errors } = compile(
    'stats_tags: [ { tag_name: team, regex: "^cluster\\\\.((\\\\w+?)_)" }, { tag_name: env, fixed_value: prod } ]',
  );
  assert.deepEqual(errors, []);
  assert.deepEqual(settings.tags.produce('cluster.red_app.x'), {
    name: 'cluster.x',
    tags: [
      { name: 'zone', value: 'z' },
      { name: 'env', value: 'prod' },
      { name: 'team', value: 'red' },
      { name: 'envoy.cluster_name', value: 'red_app' },
    ],
  });
});

test('the default tags can be left out, and named one by one', () => {
  const { settings } = compile('{ use_all_default_tags: false, stats_tags: [ { tag_name: envoy.response_code } ] }');
  assert.deepEqual(settings.tags.produce('cluster.a.upstream_rq_200').name, 'cluster.a.upstream_rq');
});

test('matchers keep and reject', () => {
  const include = compile('stats_matcher: { inclusion_list: { patterns: [ { prefix: http. } ] } }').settings.matcher;
  assert.deepEqual([include?.accepts('http.a'), include?.accepts('cluster.a')], [true, false]);
  const exclude = compile('stats_matcher: { exclusion_list: { patterns: [ { prefix: http. } ] } }').settings.matcher;
  assert.deepEqual([exclude?.accepts('http.a'), exclude?.accepts('cluster.a')], [false, true]);
  assert.equal(compile('stats_matcher: { reject_all: true }').settings.matcher?.accepts('a'), false);
});

test('buckets of some histograms', () => {
  const { settings } = compile('histogram_bucket_settings: [ { match: { suffix: _ms }, buckets: [ 1, 2 ] } ]');
  assert.deepEqual(settings.bucketsFor('a_ms'), [1, 2]);
  assert.equal(settings.bucketsFor('a').length, 19);
});

test('mistakes are named', () => {
  assert.match(compile('stats_tags: [ { tag_name: nope } ]').errors[0] ?? '', /no default tag is named 'nope'/);
  assert.match(compile('stats_tags: [ { tag_name: a, regex: "(" } ]').errors[0] ?? '', /invalid regular expression/);
});
