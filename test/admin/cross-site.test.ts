import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crossSiteProblem } from '#gateway/admin/cross-site.ts';

const cases: readonly (readonly [headers: Record<string, string>, allowed: boolean])[] = [
  [{ host: '127.0.0.1:9901' }, true],
  [{ host: '[::1]:9901' }, true],
  [{ host: 'localhost:9901' }, true],
  [{ host: 'envoy:9901' }, true],
  [{ host: 'envoy.default.svc.cluster.local:9901' }, true],
  [{ host: 'rebound.example:9901' }, false],
  [{ host: 'evil.com' }, false],
  [{}, false],
  [{ host: 'localhost:9901', origin: 'http://localhost:9901' }, true],
  [{ host: 'localhost:9901', origin: 'http://localhost:8000' }, false],
  [{ host: 'localhost:9901', origin: 'https://evil.com' }, false],
  [{ host: 'localhost:9901', origin: 'null' }, false],
  [{ host: 'localhost:9901', 'sec-fetch-site': 'same-origin' }, true],
  [{ host: 'localhost:9901', 'sec-fetch-site': 'none' }, true],
  [{ host: 'localhost:9901', 'sec-fetch-site': 'cross-site' }, false],
  [{ host: 'localhost:9901', 'sec-fetch-site': 'same-site' }, false],
];

describe('requests that a page of another site could make', () => {
  for (const [headers, allowed] of cases) {
    test(`${JSON.stringify(headers)} is ${allowed ? 'allowed' : 'refused'}`, () => {
      assert.equal(crossSiteProblem((name) => headers[name]) === null, allowed);
    });
  }
});
