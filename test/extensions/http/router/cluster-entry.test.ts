import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { RouteEntry } from '#gateway/api/route.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import { entryForCluster } from '#gateway/extensions/http/router/cluster-entry.ts';
import { FilterStream, requestHead, routeTo } from '#test/support/router-stream.ts';
import { createUpstreamWorld, http2Options, onPorts } from '#test/support/upstream-world.ts';

const mirror = { cluster: 'own' } as unknown as RouteEntry['mirrors'][number];

it('a cluster says over its routes how requests are hashed, copied and tried again', (t) => {
  const policies = {
    hash_policy: [{ header: { header_name: 'x-a' } }],
    request_mirror_policies: [{ cluster: 'other' }],
    retry_policy: { retry_on: '5xx', num_retries: 3 },
  };
  const world = createUpstreamWorld([
    { name: 'c', load_assignment: onPorts(1), typed_extension_protocol_options: http2Options(policies) },
    { name: 'plain', load_assignment: onPorts(1) },
  ]);
  t.after(() => world.clusters.close());
  const entry = routeTo('c', { mirrors: [mirror], hash: () => 7n, timeoutMs: 3 }).entry!;
  const stream = new FilterStream({ setDecoderFilterCallbacks() {} } as unknown as FilterStream['filter'], null);
  const info: StreamInfo = stream.streamInfo;
  const changed = entryForCluster(entry, world.clusters.get('c')!.info.requestPolicies);
  assert.deepEqual(
    changed.mirrors.map(({ cluster }) => cluster),
    ['other'],
  );
  assert.equal(changed.retryPolicy?.numRetries, 3);
  assert.equal(changed.timeoutMs, 3);
  assert.equal(changed.hash(requestHead('GET', '/', 'x-a', 'a'), info), 0xd24ec4f1a98c6e5bn);
  assert.equal(entryForCluster(entry, world.clusters.get('plain')!.info.requestPolicies), entry);
});
