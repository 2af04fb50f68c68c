import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FormatterContext } from '#gateway/api/access-log.ts';
import { ConnectionInfo } from '#gateway/api/connection.ts';
import { ResponseFlag } from '#gateway/api/response-flags.ts';
import { StreamInfo } from '#gateway/api/stream-info.ts';
import { ipAddress } from '#gateway/base/address.ts';
import { compileFormat, defaultAccessLogFormat } from '#gateway/formatter/compile-format.ts';
import { compileJsonFormat } from '#gateway/formatter/compile-json-format.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';

const startWallMs = Date.UTC(2026, 10, 21, 22, 27, 29, 457);

function context(): FormatterContext {
  const connection = new ConnectionInfo(7, ipAddress('127.0.0.1', 10000), ipAddress('192.0.2.9', 5555), startWallMs);
  connection.requestedServerName = 'a.example';
  const info = new StreamInfo(connection, 1000, startWallMs);
  info.protocol = 'HTTP/1.1';
  info.responseCode = 503;
  info.responseCodeDetails = 'no healthy upstream';
  info.flags = ResponseFlag.NoHealthyUpstream | ResponseFlag.RateLimited;
  info.octetsReceived = 12;
  info.octetsSent = 34;
  info.requestReceivedMs = 1002.5;
  info.firstUpstreamRxMs = 1010;
  info.lastDownstreamTxMs = 1015.2;
  info.endMs = 1015.9;
  info.setDynamicMetadata('envoy.lb', { version: 'v1', nested: { n: 3 }, whole: true });
  info.filterState = new Map<string, unknown>([['a.key', 'state']]);
  const request = new RequestHead(
    'GET',
    '/a/b?c=d&e=f%20g',
    'example.com:80',
    'http',
    new HeaderMap(['user-agent', 'curl', 'x-long', 'abcdefghij', 'x-two', 'one', 'x-two', 'two']),
  );
  const response = new ResponseHead(503, new HeaderMap(['server', 'envoy']));
  return {
    request,
    response,
    trailers: new HeaderMap(['grpc-status', '5']),
    streamInfo: info,
    localReplyBody: 'sorry',
  };
}

const texts: readonly (readonly [format: string, expected: string])[] = [
  ['plain 100%% sure', 'plain 100% sure'],
  ['%REQ(:METHOD)% %REQ(:PATH)% %REQ(:AUTHORITY)% %REQ(:SCHEME)%', 'GET /a/b?c=d&e=f%20g example.com:80 http'],
  ['%REQ(X-LONG):4%|%REQ(NONE?USER-AGENT)%|%REQ(NONE)%|%REQ(X-TWO)%', 'abcd|curl|-|one'],
  ['%RESP(SERVER)% %RESP(:STATUS)% %TRAILER(GRPC-STATUS)%', 'envoy 503 5'],
  ['%REQ_WITHOUT_QUERY(:PATH)% %PATH(NQ)% %PATH(WQ:PATH):5%', '/a/b /a/b /a/b?'],
  ['%QUERY_PARAM(e)% %QUERY_PARAM(z)% %QUERY_PARAMS%', 'f g - c=d&e=f%20g'],
  ['%START_TIME%', '2026-11-21T22:27:29.457Z'],
  ['%START_TIME(%Y/%m/%dT%H:%M:%S%z %s)%', '2026/11/21T22:27:29+0000 1795300049'],
  ['%START_TIME(%s.%3f)% %START_TIME(%E3S)% %START_TIME(%9f)%', '1795300049.457 29.457 457000000'],
  ['%START_TIME(%a %b %e %j %p %I)%', 'Sat Nov 21 325 PM 10'],
  ['%DURATION% %REQUEST_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%', '15 2 10 5'],
  ['%COMMON_DURATION(DS_RX_BEG:US_RX_BEG:us)% %COMMON_DURATION(US_TX_BEG:US_RX_BEG)%', '10000 -'],
  ['%PROTOCOL% %RESPONSE_CODE% %BYTES_RECEIVED%/%BYTES_SENT%', 'HTTP/1.1 503 12/34'],
  ['%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%', 'UH,RL NoHealthyUpstream,RateLimited'],
  ['%RESPONSE_CODE_DETAILS% %RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)%', 'no_healthy_upstream no healthy upstream'],
  ['%UPSTREAM_HOST% %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS%', '- - -'],
  [
    '%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT%',
    '192.0.2.9:5555 192.0.2.9 5555',
  ],
  ['%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_PORT% %CONNECTION_ID%', '127.0.0.1:10000 10000 7'],
  ['%REQUESTED_SERVER_NAME% %DOWNSTREAM_TLS_VERSION%', 'a.example -'],
  ['%DYNAMIC_METADATA(envoy.lb:version)% %DYNAMIC_METADATA(envoy.lb:nested:n)%', 'v1 3'],
  ['%METADATA(DYNAMIC:envoy.lb:nested)% %METADATA(CLUSTER:envoy.lb:a)%', '{"n":3} -'],
  ['%FILTER_STATE(a.key:PLAIN)% %FILTER_STATE(a.key)% %FILTER_STATE(none)%', 'state "state" -'],
  ['%LOCAL_REPLY_BODY%', 'sorry'],
];

describe('text formats', () => {
  for (const [format, expected] of texts) {
    test(format, () => assert.equal(compileFormat(format).format(context()), expected));
  }
  test('the default format', () => {
    const expected =
      '[2026-11-21T22:27:29.457Z] "GET /a/b?c=d&e=f%20g HTTP/1.1" 503 UH,RL 12 34 15 - "-" "curl" "-" "example.com:80" "-"\n';
    assert.equal(compileFormat(defaultAccessLogFormat).format(context()), expected);
  });
  test('omitting empty values', () => {
    assert.equal(compileFormat('[%REQ(NONE)%]', true).format(context()), '[]');
  });
});

const refused: readonly (readonly [format: string, problem: RegExp])[] = [
  ['%NOT_THERE%', /unknown command operator %NOT_THERE%/],
  ['%PROTOCL%', /did you mean %PROTOCOL%/],
  ['%REQ%', /%REQ% needs parameters/],
  ['%PROTOCOL(a)%', /%PROTOCOL% takes no parameters/],
  ['%PROTOCOL:4%', /%PROTOCOL% takes no length/],
  ['%REQ(a', /malformed command operator at position 0/],
  ['half a % sign', /malformed command operator at position 7/],
  ['%REQ(a?b?c)%', /one alternative header/],
  ['%START_TIME(%Q)%', /'%Q' is not a known time format/],
  ['%COMMON_DURATION(A:B)%', /time point 'A'/],
  ['%UNIQUE_ID%', /%UNIQUE_ID% is not supported/],
];

describe('refused formats', () => {
  for (const [format, problem] of refused) {
    test(format, () => assert.throws(() => compileFormat(format), problem));
  }
});

describe('JSON formats', () => {
  const format = {
    b: '%RESPONSE_CODE%',
    a: { t: 'x-%REQ(NONE)%', m: '%DYNAMIC_METADATA(envoy.lb:nested)%', list: ['%PROTOCOL%', 1, true] },
    none: '%UPSTREAM_HOST%',
  };
  test('values keep their types', () => {
    assert.equal(
      compileJsonFormat(format).format(context()),
      '{"b":503,"a":{"t":"x--","m":{"n":3},"list":["HTTP/1.1",1,true]},"none":null}\n',
    );
  });
  test('omitted and sorted', () => {
    assert.equal(
      compileJsonFormat(format, { omitEmpty: true, sortProperties: true }).format(context()),
      '{"a":{"list":["HTTP/1.1",1,true],"m":{"n":3},"t":"x-"},"b":503}\n',
    );
  });
  test('the path of a bad operator', () => {
    assert.throws(
      () => compileJsonFormat({ a: { b: '%NOPE%' } }),
      /^ConfigError: a\.b: unknown command operator %NOPE%/,
    );
  });
});
