import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GrpcUnaryCallbacks } from '#gateway/api/async-client.ts';
import { type Connection, type ConnectionCallbacks, ConnectionInfo } from '#gateway/api/connection.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import type { NetworkFilterExtension } from '#gateway/api/extension.ts';
import { type NetworkFilter, NetworkFilterStatus } from '#gateway/api/network-filter.ts';
import { responseFlagNames } from '#gateway/api/response-flags.ts';
import { StreamInfo } from '#gateway/api/stream-info.ts';
import { ipAddress } from '#gateway/base/address.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { connectionLimitExtension } from '#gateway/extensions/network/connection-limit/connection-limit-extension.ts';
import { networkLocalRateLimitExtension } from '#gateway/extensions/network/local-ratelimit/network-local-rate-limit-extension.ts';
import { networkRateLimitExtension } from '#gateway/extensions/network/ratelimit/network-rate-limit-extension.ts';
import { messageOf } from '#test/support/filter-harness.ts';
import { createTestServerContext, type TestServerContext } from '#test/support/server-context.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

const { Continue, StopIteration } = NetworkFilterStatus;

class Open {
  readonly info = new ConnectionInfo(1, ipAddress('10.0.0.1', 1), ipAddress('127.0.0.1', 2), 0);
  readonly streamInfo = new StreamInfo(this.info, 0, 0);
  readonly events: string[] = [];
  readonly listeners: ConnectionCallbacks[] = [];
  readonly filter: NetworkFilter;

  constructor(filter: NetworkFilter) {
    this.filter = filter;
    const connection = {
      info: this.info,
      state: 'open',
      close: (_kind: string, details: string) => this.end(details),
      readDisable: (off: boolean) => void this.events.push(off ? 'pause' : 'resume'),
      addCallbacks: (callbacks: ConnectionCallbacks) => void this.listeners.push(callbacks),
    } as unknown as Connection;
    const { streamInfo } = this;
    filter.initialize({ connection, streamInfo, continueReading: () => void this.events.push('continue') });
  }

  end(details: string): void {
    this.events.push(`close ${details}`);
    for (const listener of this.listeners) listener.onConnectionEvent('local_close', details);
  }

  get flags(): string {
    return responseFlagNames
      .filter(({ bit }) => this.streamInfo.hasFlag(bit))
      .map(({ short }) => short)
      .join(',');
  }
}

class Limits {
  readonly time = new VirtualTime();
  readonly server: TestServerContext;
  readonly problems: string[] = [];
  readonly calls: GrpcUnaryCallbacks[] = [];
  cancelled = 0;

  constructor(overrides: Partial<ServerContext> = {}) {
    const unary = (
      _method: string,
      _message: unknown,
      _timeout: number,
      _meta: unknown,
      callbacks: GrpcUnaryCallbacks,
    ) => {
      this.calls.push(callbacks);
      return { cancel: () => void this.cancelled++ };
    };
    this.server = createTestServerContext({
      clock: this.time,
      timers: this.time.timers,
      grpcClient: () => ({ unary }) as unknown as ReturnType<ServerContext['grpcClient']>,
      ...overrides,
    });
  }

  filter(extension: NetworkFilterExtension, json: object): () => Open {
    const diagnostics = new Diagnostics();
    const message = messageOf(extension.configType, json);
    const factory = extension.createFactory(message, { server: this.server, scope: this.server.stats, diagnostics });
    this.problems.push(...diagnostics.errors.map(({ path, problem }) => `${path}: ${problem}`));
    return () => new Open(factory.create());
  }
}

describe('network local_ratelimit', () => {
  const bucket = { max_tokens: 2, fill_interval: '1s' };

  it('closes connections while the bucket is empty', () => {
    const limits = new Limits();
    const open = limits.filter(networkLocalRateLimitExtension, { stat_prefix: 'p', token_bucket: bucket });
    assert.deepEqual(
      [open(), open()].map(({ filter }) => filter.onNewConnection()),
      [Continue, Continue],
    );
    const third = open();
    assert.equal(third.filter.onNewConnection(), StopIteration);
    assert.deepEqual([third.events, third.flags], [['close local_ratelimit_close_over_limit'], 'URX']);
    assert.equal(limits.server.stat('local_rate_limit.p.rate_limited'), 1);
    limits.time.advance(1000);
    assert.equal(open().filter.onNewConnection(), Continue);
  });

  it('filters with one share_key and the same settings share a bucket', () => {
    const limits = new Limits();
    const json = { stat_prefix: 'p', share_key: 'k', token_bucket: bucket };
    const [a, b] = [0, 1].map(() => limits.filter(networkLocalRateLimitExtension, json)) as [() => Open, () => Open];
    const other = limits.filter(networkLocalRateLimitExtension, {
      ...json,
      token_bucket: { ...bucket, max_tokens: 1 },
    });
    assert.deepEqual(
      [a, b, a, b, other].map((open) => open().filter.onNewConnection()),
      [Continue, Continue, StopIteration, StopIteration, Continue],
    );
  });

  it('the runtime switches it off; a fill interval below 50 ms is refused', () => {
    const limits = new Limits();
    const off = { default_value: false, runtime_key: 'k' };
    const json = { stat_prefix: 'p', token_bucket: { ...bucket, max_tokens: 1 }, runtime_enabled: off };
    const open = limits.filter(networkLocalRateLimitExtension, json);
    assert.deepEqual(
      [open(), open()].map(({ filter }) => filter.onNewConnection()),
      [Continue, Continue],
    );
    limits.filter(networkLocalRateLimitExtension, {
      stat_prefix: 'p',
      token_bucket: { ...bucket, fill_interval: '0.04s' },
    });
    assert.deepEqual(limits.problems, ['token_bucket.fill_interval: fill_interval must be at least 50 ms']);
  });
});

describe('connection_limit', () => {
  it('refuses what is above the number until one ends', () => {
    const limits = new Limits();
    const open = limits.filter(connectionLimitExtension, { stat_prefix: 'p', max_connections: 1 });
    const first = open();
    assert.equal(first.filter.onNewConnection(), Continue);
    assert.equal(first.filter.onData(new Uint8Array(1), false), Continue);
    const second = open();
    assert.equal(second.filter.onNewConnection(), StopIteration);
    assert.deepEqual(second.events, ['close over_connection_limit']);
    assert.equal(limits.server.stat('connection_limit.p.active_connections'), 1);
    first.end('');
    assert.equal(open().filter.onNewConnection(), Continue);
    assert.equal(limits.server.stat('connection_limit.p.limited_connections'), 1);
  });

  it('a number is needed', () => {
    const limits = new Limits();
    limits.filter(connectionLimitExtension, { stat_prefix: 'p' });
    assert.deepEqual(limits.problems, ['max_connections: max_connections is required']);
  });

  it('keeps a refused connection for the delay, unread; it counts as open meanwhile', () => {
    const limits = new Limits();
    const open = limits.filter(connectionLimitExtension, { stat_prefix: 'p', max_connections: 1, delay: '0.5s' });
    open().filter.onNewConnection();
    const second = open();
    second.filter.onNewConnection();
    assert.equal(second.filter.onData(new Uint8Array(1), false), StopIteration);
    assert.deepEqual(second.events, ['pause']);
    assert.equal(limits.server.stat('connection_limit.p.active_connections'), 2);
    limits.time.advance(520);
    assert.deepEqual(second.events, ['pause', 'close over_connection_limit']);
    assert.equal(limits.server.stat('connection_limit.p.active_connections'), 1);
  });
});

describe('network ratelimit', () => {
  const json = {
    stat_prefix: 'p',
    domain: 'd',
    descriptors: [{ entries: [{ key: 'a', value: 'b' }] }],
    rate_limit_service: { grpc_service: { envoy_grpc: { cluster_name: 'c' } }, transport_api_version: 'V3' },
  };
  const stats = (limits: Limits): number[] =>
    ['total', 'ok', 'over_limit', 'error', 'failure_mode_allowed', 'cx_closed', 'active'].map((name) =>
      limits.server.stat(`ratelimit.p.${name}`),
    );
  const ok = Uint8Array.of(0x08, 1);
  const over = Uint8Array.of(0x08, 2);

  it('holds the connection until the answer, then goes on or closes', () => {
    const limits = new Limits();
    const open = limits.filter(networkRateLimitExtension, json);
    const [first, second] = [open(), open()];
    assert.equal(first.filter.onNewConnection(), StopIteration);
    assert.equal(first.filter.onData(new Uint8Array(1), false), StopIteration);
    assert.equal(second.filter.onNewConnection(), StopIteration);
    limits.calls[0]!.onSuccess(ok);
    limits.calls[1]!.onSuccess(over);
    assert.deepEqual(first.events, ['pause', 'continue', 'resume']);
    assert.equal(first.filter.onData(new Uint8Array(1), false), Continue);
    assert.deepEqual(second.events, ['pause', 'close ratelimit_close_over_limit']);
    assert.deepEqual(stats(limits), [2, 1, 1, 0, 0, 1, 0]);
  });

  it('a failing service lets through unless failure_mode_deny', () => {
    const limits = new Limits();
    const [allowed, denied] = [false, true].map((deny) =>
      limits.filter(networkRateLimitExtension, { ...json, failure_mode_deny: deny })(),
    ) as [Open, Open];
    allowed.filter.onNewConnection();
    denied.filter.onNewConnection();
    limits.calls[0]!.onFailure(14, '');
    limits.calls[1]!.onSuccess(Uint8Array.of(0xff));
    assert.deepEqual(allowed.events, ['pause', 'continue', 'resume']);
    assert.deepEqual(denied.events, ['pause', 'close ratelimit_close_error']);
    assert.deepEqual(stats(limits), [2, 0, 0, 2, 1, 1, 0]);
  });

  it('a connection that goes takes its call along', () => {
    const limits = new Limits();
    const gone = limits.filter(networkRateLimitExtension, json)();
    gone.filter.onNewConnection();
    gone.end('');
    assert.equal(limits.cancelled, 1);
    limits.calls[0]!.onSuccess(over);
    assert.deepEqual(stats(limits), [1, 0, 0, 0, 0, 0, 0]);
  });

  it('a wrong operator in a value is told with its path', () => {
    const limits = new Limits();
    limits.filter(networkRateLimitExtension, { ...json, descriptors: [{ entries: [{ key: 'a', value: '%NONE%' }] }] });
    assert.match(limits.problems.join(), /^descriptors\[0\]\.entries\[0\]\.value: /);
  });
});
