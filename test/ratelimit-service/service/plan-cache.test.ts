import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import type { RequestPlan } from '#ratelimit/limiter/plan.ts';
import { PlanCache } from '#ratelimit/service/plan-cache.ts';

function planCalled(name: string): RequestPlan {
  return {
    descriptors: [],
    statuses: null,
    takes: false,
    counted: 0,
    exempted: null,
    metadata: null,
    error: name,
    failureMode: 'error',
    unknownDomain: null,
  };
}

const encoder = new TextEncoder();

/** Looks a request up and keeps its plan when it was not there, as the service does; answers whether it was. */
function ask(cache: PlanCache, text: string): boolean {
  const bytes = encoder.encode(`..${text}.`);
  const found = cache.find(bytes, 2, bytes.length - 1);
  if (found === null) cache.keep(bytes, 2, bytes.length - 1, planCalled(text));
  else assert.equal(found.error, text);
  return found !== null;
}

describe('plans that are kept by the octets of their requests', () => {
  it('gives back what was kept, for the same octets only', () => {
    const cache = new PlanCache();
    assert.equal(ask(cache, 'one'), false);
    assert.equal(ask(cache, 'one'), true);
    assert.equal(ask(cache, 'onf'), false);
    assert.equal(ask(cache, ''), false);
    cache.clear();
    assert.equal(ask(cache, 'one'), false);
  });

  it('keeps its own copy of the octets', () => {
    const cache = new PlanCache();
    const bytes = encoder.encode('request');
    cache.find(bytes, 0, 7);
    cache.keep(bytes, 0, 7, planCalled('request'));
    bytes.fill(0);
    assert.equal(ask(cache, 'request'), true);
  });

  it('never gives the plan of another request, and keeps those that come often among many that come once', () => {
    const cache = new PlanCache();
    const random = createSeededRandom(7);
    let hits = 0;
    let often = 0;
    for (let i = 0; i < 100_000; i++) {
      const hot = random.next() < 0.5;
      const found = ask(cache, hot ? `hot-${Math.floor(random.next() * 100)}` : `cold-${i}`);
      if (hot && i > 1000) often++;
      if (hot && i > 1000 && found) hits++;
    }
    assert.ok(hits / often > 0.95, `${hits} of ${often}`);
  });

  it('hardly ever takes a new one while all places are held by requests that are seen once', () => {
    const cache = new PlanCache();
    for (let i = 0; i < 200_000; i++) ask(cache, `cold-${i}`);
    let kept = 0;
    for (let i = 190_000; i < 200_000; i++) {
      const bytes = encoder.encode(`cold-${i}`);
      if (cache.find(bytes, 0, bytes.length) !== null) kept++;
    }
    assert.ok(kept < 300, `${kept} of the last 10,000`);
  });

  it('does not keep long requests', () => {
    const cache = new PlanCache();
    const text = 'x'.repeat(513);
    assert.equal(ask(cache, text), false);
    assert.equal(ask(cache, text), false);
    assert.equal(ask(cache, text.slice(1)), false);
    assert.equal(ask(cache, text.slice(1)), true);
  });
});
