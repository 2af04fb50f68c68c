import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FormatterContext } from '#gateway/api/access-log.ts';
import { ConnectionInfo } from '#gateway/api/connection.ts';
import { ResponseFlag } from '#gateway/api/response-flags.ts';
import { StreamInfo } from '#gateway/api/stream-info.ts';
import { ipAddress } from '#gateway/base/address.ts';
import { loadMessage } from '#gateway/config/load/load-message.ts';
import { compileAccessLogFilter } from '#gateway/extensions/access-log/filter.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { ServerRuntime } from '#gateway/server/runtime-flags.ts';
import type { AccessLogFilter } from '#proto-types/envoy/config/accesslog/v3/accesslog_pb.ts';

function context(): FormatterContext {
  const address = ipAddress('127.0.0.1', 1);
  const info = new StreamInfo(new ConnectionInfo(1, address, address, 0), 1000, 0);
  info.responseCode = 503;
  info.endMs = 1250;
  info.flags = ResponseFlag.NoHealthyUpstream;
  info.requestId = '00000010-0000-4000-8000-000000000000';
  info.setDynamicMetadata('ns', { key: 'value' });
  return {
    request: new RequestHead('GET', '/', 'a', 'http', new HeaderMap(['x-a', '1'])),
    response: new ResponseHead(503),
    trailers: null,
    streamInfo: info,
    localReplyBody: '',
  };
}

const status = (op: string, value: number): string =>
  `status_code_filter: { comparison: { op: ${op}, value: { default_value: ${value}, runtime_key: code } } }`;
const cases: readonly (readonly [filter: string, accepted: boolean])[] = [
  [status('GE', 500), true],
  [status('EQ', 500), false],
  [status('LE', 502), false],
  [status('NE', 200), true],
  ['duration_filter: { comparison: { op: GE, value: { default_value: 250, runtime_key: d } } }', true],
  ['duration_filter: { comparison: { op: GE, value: { default_value: 251, runtime_key: d } } }', false],
  ['not_health_check_filter: {}', true],
  ['traceable_filter: {}', false],
  ['response_flag_filter: {}', true],
  ['response_flag_filter: { flags: [ UH ] }', true],
  ['response_flag_filter: { flags: [ UO, RL ] }', false],
  ['header_filter: { header: { name: X-A, string_match: { exact: "1" } } }', true],
  ['header_filter: { header: { name: x-b, present_match: true } }', false],
  ['grpc_status_filter: { statuses: [ UNAVAILABLE ] }', true],
  ['grpc_status_filter: { statuses: [ UNAVAILABLE ], exclude: true }', false],
  [`and_filter: { filters: [ { ${status('GE', 500)} }, { not_health_check_filter: {} } ] }`, true],
  [`or_filter: { filters: [ { ${status('EQ', 1)} }, { traceable_filter: {} } ] }`, false],
  // The first eight digits of the request id are 16: below 17 of 100.
  ['runtime_filter: { runtime_key: share, percent_sampled: { numerator: 17 } }', true],
  ['runtime_filter: { runtime_key: share, percent_sampled: { numerator: 16 } }', false],
  ['runtime_filter: { runtime_key: changed, percent_sampled: { numerator: 0 } }', true],
  [
    'metadata_filter: { matcher: { filter: ns, path: [ { key: key } ], value: { string_match: { exact: value } } } }',
    true,
  ],
  [
    'metadata_filter: { matcher: { filter: ns, path: [ { key: other } ], value: { string_match: { exact: value } } } }',
    true,
  ],
  [
    'metadata_filter: { matcher: { filter: ns, path: [ { key: other } ], value: { string_match: { exact: value } } }, match_if_key_not_found: false }',
    false,
  ],
];

describe('access log filters', () => {
  const runtime = new ServerRuntime([{ name: 'static', values: new Map([['changed', 100]]) }], null);
  for (const [text, accepted] of cases) {
    test(`${text} is ${accepted}`, () => {
      const type = 'envoy.config.accesslog.v3.AccessLogFilter';
      const { message, diagnostics } = loadMessage<AccessLogFilter>(type, text, 'filter.yaml');
      assert.deepEqual(diagnostics.errors, []);
      const filter = compileAccessLogFilter(message, { runtime, random: createSeededRandom(1) });
      assert.equal(filter(context()), accepted);
    });
  }

  test('a response flag that does not exist is refused', () => {
    const type = 'envoy.config.accesslog.v3.AccessLogFilter';
    const { message } = loadMessage<AccessLogFilter>(type, 'response_flag_filter: { flags: [ XX ] }', 'f.yaml');
    const compile = (): unknown => compileAccessLogFilter(message, { runtime, random: createSeededRandom(1) });
    assert.throws(compile, /unknown response flag 'XX'/);
  });
});
