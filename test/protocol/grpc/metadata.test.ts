import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isGrpcContentType } from '#gateway/protocol/grpc/content-type.ts';
import {
  GrpcStatus,
  grpcStatusNames,
  grpcStatusOfHttp,
  httpStatusOfGrpc,
  readGrpcStatus,
} from '#gateway/protocol/grpc/status.ts';
import { decodeGrpcMessage, encodeGrpcMessage } from '#gateway/protocol/grpc/status-message.ts';
import { formatGrpcTimeout, readGrpcTimeout } from '#gateway/protocol/grpc/timeout.ts';
import { createGrpcTrailers, createTrailersOnly, readGrpcOutcome } from '#gateway/protocol/grpc/trailers.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { ResponseHead } from '#gateway/protocol/headers/message-head.ts';

for (const [value, expected] of [
  ['application/grpc', true],
  ['application/grpc+proto', true],
  ['application/grpc-web', false],
  ['application/grpc-web+proto', false],
  ['application/json', false],
  [null, false],
] as const) {
  test(`gRPC content type: ${value}`, () => assert.equal(isGrpcContentType(value), expected));
}

for (const [value, ms] of [
  ['1H', 3_600_000],
  ['2M', 120_000],
  ['99999999S', 99_999_999_000],
  ['15m', 15],
  ['500u', 0.5],
  ['0m', 0],
  ['100000000m', null],
  ['m', null],
  ['', null],
  ['-1m', null],
  ['1.5S', null],
  ['1s', null],
  ['1', null],
  [null, null],
] as const) {
  test(`gRPC timeout: ${value}`, () => assert.equal(readGrpcTimeout(value), ms));
}

test('gRPC timeout: what is written is never shorter than asked, and reads back', () => {
  assert.equal(formatGrpcTimeout(20), '20m');
  assert.equal(formatGrpcTimeout(0.2), '1m');
  assert.equal(formatGrpcTimeout(-5), '0m');
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), (ms) => {
      const read = readGrpcTimeout(formatGrpcTimeout(ms))!;
      assert.ok(read >= ms && read <= ms * 1.001 + 1);
    }),
    { seed: 3 },
  );
});

test('gRPC message: percent coding', () => {
  assert.equal(encodeGrpcMessage('all right'), 'all right');
  assert.equal(encodeGrpcMessage('50%\n\u00e4'), '50%25%0A%C3%A4');
  assert.equal(decodeGrpcMessage('50%25%0a%C3%A4'), '50%\n\u00e4');
  assert.equal(decodeGrpcMessage('100%'), '100%');
  assert.equal(decodeGrpcMessage('%zz'), '%zz');
  assert.equal(decodeGrpcMessage('%ff'), '%ff', 'not UTF-8: left as it is');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      assert.match(encodeGrpcMessage(text), /^[ -~]*$/);
      assert.equal(decodeGrpcMessage(encodeGrpcMessage(text)), text);
    }),
    { seed: 9 },
  );
});

test('gRPC status: both mappings', () => {
  const fromHttp = [400, 401, 403, 404, 429, 502, 503, 504, 500, 200].map((status) => grpcStatusOfHttp(status));
  assert.deepEqual(fromHttp, [13, 16, 7, 12, 14, 14, 14, 14, 2, 2]);
  const toHttp = grpcStatusNames.map((_, code) => httpStatusOfGrpc(code));
  assert.deepEqual(toHttp, [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401]);
  assert.equal(httpStatusOfGrpc(77), 500);
  assert.deepEqual(['0', '16', 'x', '', null].map(readGrpcStatus), [0, 16, -1, -1, null]);
});

test('gRPC outcome: trailers, Trailers-Only, or the HTTP status', () => {
  const head = new ResponseHead(200);
  assert.deepEqual(readGrpcOutcome(head, createGrpcTrailers(GrpcStatus.Internal, 'a\nb')), {
    status: 13,
    message: 'a\nb',
  });
  assert.deepEqual(readGrpcOutcome(createTrailersOnly(GrpcStatus.Unavailable, 'no host'), null), {
    status: 14,
    message: 'no host',
  });
  assert.equal(readGrpcOutcome(new ResponseHead(503), null).status, GrpcStatus.Unavailable);
  assert.equal(readGrpcOutcome(head, new HeaderMap(['grpc-status', 'x'])).status, GrpcStatus.Unknown);
  assert.deepEqual(createTrailersOnly(GrpcStatus.Ok, '').headers.entries, [
    'content-type',
    'application/grpc',
    'grpc-status',
    '0',
  ]);
});
