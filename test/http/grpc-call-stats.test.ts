import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { grpcMethodStats } from '#gateway/http/grpc-call-stats.ts';
import { StatsStore } from '#gateway/stats/store.ts';

describe('statistics of gRPC calls', () => {
  it('remember a bounded number of methods; the rest counts for the whole cluster', () => {
    const store = new StatsStore();
    const scope = store.root.scope('cluster.up');
    for (let i = 0; i < 3000; i++) grpcMethodStats(scope, `grpc.made.up${i}`).finished('0');
    const totals = store.counters().filter(({ name }) => name.endsWith('.total'));
    assert.equal(totals.length, 1001);
    assert.equal(scope.counter('grpc.total').value, 2000);
    assert.equal(scope.counter('grpc.made.up0.total').value, 1);
  });

  it('have a bounded number of status counters; every call still counts', () => {
    const store = new StatsStore();
    const scope = store.root.scope('cluster.up');
    const stats = grpcMethodStats(scope, 'grpc.a.b');
    for (let i = 0; i < 500; i++) stats.finished(String(i));
    assert.ok(store.counters().length < 50);
    assert.equal(scope.counter('grpc.a.b.total').value, 500);
    assert.equal(scope.counter('grpc.a.b.failure').value, 499);
  });
});
