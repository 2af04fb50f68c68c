import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Connection, ConnectionInfo } from '#gateway/api/connection.ts';
import { type NetworkFilter, type NetworkFilterCallbacks, NetworkFilterStatus } from '#gateway/api/network-filter.ts';
import { StreamInfo } from '#gateway/api/stream-info.ts';
import { ipAddress } from '#gateway/base/address.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { networkRbacExtension } from '#gateway/extensions/network/rbac/network-rbac-extension.ts';
import { messageOf } from '#test/support/filter-harness.ts';
import { createTestServerContext, type TestServerContext } from '#test/support/server-context.ts';

const any = [{ any: true }];
const local = [{ source_ip: { address_prefix: '127.0.0.0', prefix_len: 8 } }];

class OneConnection {
  readonly server: TestServerContext = createTestServerContext();
  readonly info = new ConnectionInfo(1, ipAddress('10.0.0.1', 1), ipAddress('127.0.0.1', 2), 0);
  readonly streamInfo = new StreamInfo(this.info, 0, 0);
  readonly closed: string[] = [];
  readonly filter: NetworkFilter;

  constructor(json: object) {
    const diagnostics = new Diagnostics();
    const message = messageOf(networkRbacExtension.configType, { stat_prefix: 'sp', ...json });
    const context = { server: this.server, scope: this.server.stats, diagnostics };
    this.filter = networkRbacExtension.createFactory(message, context).create();
    assert.deepEqual(diagnostics.errors, []);
    const connection = {
      info: this.info,
      state: 'open',
      close: (kind: string, details: string) => void this.closed.push(`${kind} ${details}`),
    } as unknown as Connection;
    const callbacks: NetworkFilterCallbacks = { connection, streamInfo: this.streamInfo, continueReading: () => {} };
    this.filter.initialize(callbacks);
  }

  data(): NetworkFilterStatus {
    return this.filter.onData(new Uint8Array(1), false);
  }
}

describe('network rbac', () => {
  it('judges a connection once, at its first octets', () => {
    const one = new OneConnection({ rules: { policies: { p: { permissions: any, principals: local } } } });
    assert.equal(one.filter.onNewConnection(), NetworkFilterStatus.Continue);
    assert.equal(one.data(), NetworkFilterStatus.Continue);
    assert.equal(one.data(), NetworkFilterStatus.Continue);
    assert.equal(one.server.stat('sp.rbac.allowed'), 1);
  });

  it('closes a refused connection and says why', () => {
    const rules = { action: 'DENY', policies: { 'p o': { permissions: any, principals: local } } };
    const one = new OneConnection({ rules });
    assert.equal(one.data(), NetworkFilterStatus.StopIteration);
    assert.equal(one.data(), NetworkFilterStatus.StopIteration);
    assert.deepEqual(one.closed, ['flush rbac_deny_close']);
    assert.equal(one.info.terminationDetails, 'rbac_access_denied_matched_policy[p_o]');
    assert.equal(one.server.stat('sp.rbac.denied'), 1);
  });

  it('shadow rules are counted under their prefix; CONTINUOUS judges all data', () => {
    const one = new OneConnection({
      shadow_rules_stat_prefix: 'sha',
      shadow_rules: { action: 'DENY', policies: { s: { permissions: any, principals: any } } },
      rules: { policies: { p: { permissions: any, principals: any } } },
      enforcement_type: 'CONTINUOUS',
    });
    assert.equal(one.data(), NetworkFilterStatus.Continue);
    assert.equal(one.data(), NetworkFilterStatus.Continue);
    assert.equal(one.server.stat('sp.rbac.sha.shadow_denied'), 2);
    assert.equal(one.server.stat('sp.rbac.allowed'), 2);
    assert.deepEqual(one.streamInfo.dynamicMetadata?.get('envoy.filters.network.rbac'), {
      shashadow_effective_policy_id: 's',
      shashadow_engine_result: 'denied',
    });
  });
});
