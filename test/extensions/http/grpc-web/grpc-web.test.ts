import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import type { StreamEncoderFilter } from '#gateway/api/http-filter.ts';
import { FilterDataStatus, FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import type { ClusterInfo } from '#gateway/api/upstream.ts';
import { grpcWebExtension } from '#gateway/extensions/http/grpc-web/grpc-web-extension.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { FilterHarness } from '#test/support/filter-harness.ts';
import { type FilterStream, requestHead } from '#test/support/router-stream.ts';

class WebStream {
  readonly harness = new FilterHarness(grpcWebExtension, {});
  readonly stream: FilterStream;
  readonly encoder: StreamEncoderFilter;
  /** What went on to the upstream, and to the client. */
  up = '';
  down = '';
  downEnded = false;

  constructor(path = '/p.S/M') {
    this.stream = this.harness.stream();
    this.encoder = this.harness.lastChain.encoder!;
    this.stream.clusterInfo = {
      stats: { scope: this.harness.server.stats.scope('cluster.up') },
    } as unknown as ClusterInfo;
    const add = (chunk: Uint8Array): string => Buffer.from(chunk).toString('latin1');
    Object.assign(this.stream, {
      injectDecodedData: (chunk: Uint8Array) => {
        this.up += add(chunk);
      },
    });
    this.encoder.setEncoderFilterCallbacks({
      injectEncodedData: (chunk: Uint8Array, end: boolean) => {
        this.down += add(chunk);
        this.downEnded ||= end;
      },
      addEncodedData: (chunk: Uint8Array) => {
        this.down += add(chunk);
      },
    } as unknown as Parameters<StreamEncoderFilter['setEncoderFilterCallbacks']>[0]);
    this.head = requestHead('POST', path);
  }

  readonly head: ReturnType<typeof requestHead>;

  open(type: string, accept: string): void {
    this.head.headers.set('content-type', type);
    this.head.headers.set('content-length', '8');
    this.head.headers.set('accept', accept);
    assert.equal(this.stream.request(this.head, false), FilterHeadersStatus.Continue);
  }

  body(text: string, end: boolean): FilterDataStatus {
    return this.encoder.encodeData(Buffer.from(text, 'latin1'), end);
  }
}

describe('grpc_web', () => {
  it('makes a gRPC request of it, and a frame of the trailers', () => {
    const web = new WebStream();
    web.open('application/grpc-web+proto', '*/*');
    assert.deepEqual(web.head.headers.entries, [
      'content-type',
      'application/grpc',
      'accept',
      '*/*',
      'te',
      'trailers',
      'grpc-accept-encoding',
      'identity',
    ]);
    const head = web.harness.respond(200, 'content-type', 'application/grpc');
    assert.equal(head.get('content-type'), 'application/grpc-web+proto');
    assert.equal(web.body('\0\0\0\0\x03abc', false), FilterDataStatus.Continue);
    const trailers = new HeaderMap(['grpc-status', '0', 'grpc-message', 'done', 'x-t', 'v']);
    web.encoder.encodeTrailers(trailers);
    assert.equal(web.down, '\x80\0\0\0\x29grpc-status:0\r\ngrpc-message:done\r\nx-t:v\r\n');
    assert.equal(trailers.size, 0);
    assert.equal(web.harness.server.stat('cluster.up.grpc-web.p.S.M.0'), 1);
    assert.equal(web.harness.server.stat('cluster.up.grpc-web.p.S.M.total'), 1);
  });

  it('decodes and encodes base64, in pieces of any size', () => {
    const web = new WebStream();
    web.open('application/grpc-web-text', 'application/grpc-web-text');
    for (const piece of ['A', 'AAA', 'AAN4e', 'Xo', '=']) web.stream.send(piece);
    web.stream.send('', true);
    assert.equal(web.up, '\0\0\0\0\x03xyz');
    const head = web.harness.respond(200, 'content-type', 'application/grpc');
    assert.equal(head.get('content-type'), 'application/grpc-web-text+proto');
    web.body('\0\0\0\0\x03abc', false);
    web.encoder.encodeTrailers(new HeaderMap(['grpc-status', '0', 'grpc-message', 'done', 'x-t', 'v']));
    assert.equal(web.down, 'AAAAAANhYmM=gAAAAClncnBjLXN0YXR1czowDQpncnBjLW1lc3NhZ2U6ZG9uZQ0KeC10OnYNCg==');
  });

  for (const [text, details] of [
    ['!!!', 'grpc_base_64_decode_failed_bad_size'],
    ['AAA*', 'grpc_base_64_decode_failed'],
  ] as const) {
    it(`refuses ${text}`, () => {
      const web = new WebStream();
      web.open('application/grpc-web-text', '*/*');
      web.stream.send(text, true);
      assert.deepEqual(web.stream.events, [`reply 400 ${details}`, 'end']);
      assert.equal(web.stream.body, 'Bad gRPC-web request, invalid base64 data.');
    });
  }

  it('tells a response that is no gRPC in grpc-message', () => {
    const web = new WebStream();
    web.open('application/grpc-web', '*/*');
    const head = web.harness.respond(503, 'content-type', 'text/plain');
    assert.equal(web.body('bad gateway ', false), FilterDataStatus.StopIterationNoBuffer);
    assert.equal(web.body('body\n', true), FilterDataStatus.StopIterationNoBuffer);
    assert.equal(head.get('grpc-status'), '14');
    assert.equal(head.get('grpc-message'), 'bad gateway body%0A');
    assert.equal(head.get('content-length'), '0');
    assert.deepEqual([web.down, web.downEnded], ['', true]);
  });

  it('leaves other requests alone', () => {
    const web = new WebStream();
    web.head.headers.set('content-type', 'application/grpc');
    web.stream.request(web.head, false);
    assert.equal(web.head.get('te'), null);
    assert.equal(web.harness.respond(200, 'content-type', 'a/b').get('content-type'), 'a/b');
  });
});
