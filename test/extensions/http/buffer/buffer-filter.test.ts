import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FilterDataStatus, FilterHeadersStatus, FilterTrailersStatus } from '#gateway/api/http-filter.ts';
import { bufferExtension } from '#gateway/extensions/http/buffer/buffer-extension.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { ConfiguredFilter } from '#test/support/filter-callbacks.ts';
import { requestHead } from '#test/support/router-stream.ts';
import { createTestServerContext } from '#test/support/server-context.ts';

const filter = new ConfiguredFilter(bufferExtension, 'max_request_bytes: 10', createTestServerContext());

describe('buffer filter', () => {
  it('holds a request until it is complete and says how long it is', () => {
    const one = filter.stream();
    const head = requestHead('POST', '/');
    assert.equal(one.request(head, false), FilterHeadersStatus.StopIteration);
    assert.equal(one.bufferLimit, 10);
    assert.equal(one.send('abc'), FilterDataStatus.StopIterationAndBuffer);
    assert.equal(one.send('de', true), FilterDataStatus.Continue);
    assert.equal(head.get('content-length'), '5');
  });

  it('ends with trailers too, and leaves a length that is there', () => {
    const one = filter.stream();
    const head = requestHead('POST', '/', 'content-length', '3');
    one.request(head, false);
    one.send('abc');
    assert.equal(one.sendTrailers(new HeaderMap(['x', '1'])), FilterTrailersStatus.Continue);
    assert.deepEqual(head.headers.getAll('content-length'), ['3']);
  });

  it('leaves requests without a body alone', () => {
    const one = filter.stream();
    assert.equal(one.request(requestHead('GET', '/')), FilterHeadersStatus.Continue);
  });

  it('is off, or has another limit, where the route says so', () => {
    const off = filter.stream('disabled: true');
    const head = requestHead('POST', '/');
    assert.equal(off.request(head, false), FilterHeadersStatus.Continue);
    assert.equal(off.send('abc'), FilterDataStatus.Continue);
    assert.equal(off.send('', true), FilterDataStatus.Continue);
    assert.equal(head.get('content-length'), null);
    const larger = filter.stream('disabled: true', 'buffer: { max_request_bytes: 99 }');
    larger.request(requestHead('POST', '/'), false);
    assert.equal(larger.bufferLimit, 99);
  });

  it('refuses a configuration without a limit', () => {
    const context = createTestServerContext();
    assert.throws(() => new ConfiguredFilter(bufferExtension, '{}', context), /max_request_bytes/);
    assert.throws(() => new ConfiguredFilter(bufferExtension, 'max_request_bytes: 0', context), /max_request_bytes/);
  });
});
