import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import type { ClusterInfo } from '#gateway/api/upstream.ts';
import { FrameCounter } from '#gateway/extensions/http/grpc-stats/frame-counter.ts';
import { grpcStatsExtension } from '#gateway/extensions/http/grpc-stats/grpc-stats-extension.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { FilterHarness } from '#test/support/filter-harness.ts';
import { requestHead } from '#test/support/router-stream.ts';

const message = '\0\0\0\0\x03abc';

function call(json: unknown, path: string): { harness: FilterHarness; state: unknown } {
  const harness = new FilterHarness(grpcStatsExtension, json);
  const stream = harness.stream();
  stream.clusterInfo = { stats: { scope: harness.server.stats.scope('cluster.up') } } as unknown as ClusterInfo;
  stream.request(requestHead('POST', path, 'content-type', 'application/grpc'), false);
  stream.send(message, true);
  harness.respond(200, 'content-type', 'application/grpc');
  harness.lastChain.encoder!.encodeData(Buffer.from(message + message, 'latin1'), false);
  harness.lastChain.encoder!.encodeTrailers(new HeaderMap(['grpc-status', '5']));
  return { harness, state: stream.streamInfo.filterState?.get('envoy.filters.http.grpc_stats') };
}

describe('grpc_stats', () => {
  it('counts calls and messages of every method, and shows them in filter state', () => {
    const { harness, state } = call({ stats_for_all_methods: true, emit_filter_state: true }, '/p.S/M');
    const counts = ['5', 'failure', 'success', 'total', 'request_message_count', 'response_message_count'];
    assert.deepEqual(
      counts.map((name) => harness.server.stat(`cluster.up.grpc.p.S.M.${name}`)),
      [1, 1, 0, 1, 1, 2],
    );
    assert.deepEqual(state, { requestMessageCount: '1', responseMessageCount: '2' });
  });

  it('counts methods that are not listed for the cluster as a whole', () => {
    const json = { individual_method_stats_allowlist: { services: [{ name: 'p.S', method_names: ['M'] }] } };
    assert.equal(call(json, '/p.S/M').harness.server.stat('cluster.up.grpc.p.S.M.total'), 1);
    assert.equal(call(json, '/p.S/N').harness.server.stat('cluster.up.grpc.total'), 1);
    assert.equal(call(json, '/odd/path/N').harness.server.stat('cluster.up.grpc.total'), 0);
  });

  it('writes dots of service names as underscores when asked', () => {
    const json = { stats_for_all_methods: true, replace_dots_in_grpc_service_name: true };
    assert.equal(call(json, '/p.S/M').harness.server.stat('cluster.up.grpc.p_S.M.total'), 1);
  });

  it('finds messages however the body is cut', () => {
    const octets = Buffer.from(`${message}\0\0\0\0\0${message}`, 'latin1');
    for (let size = 1; size <= octets.length; size++) {
      const counter = new FrameCounter();
      let sum = 0;
      for (let at = 0; at < octets.length; at += size) sum += counter.inspect(octets.subarray(at, at + size));
      assert.deepEqual([sum, counter.count], [3, 3], `pieces of ${size}`);
    }
  });
});
