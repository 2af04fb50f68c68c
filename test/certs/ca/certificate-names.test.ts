import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CertificateNames, nameTexts, noNames, parseNameTexts } from '#certs/ca/certificate-names.ts';
import { type CertificateRequest, checkCertificateRequest } from '#certs/ca/certificate-request.ts';
import { checkNames, lifetimeProblem, type TemplateName, templates } from '#certs/ca/certificate-template.ts';
import { lifetimeText, readLifetime } from '#gateway/base/command-line/lifetime.ts';

const day = 86_400_000;

function problems(template: TemplateName, names: Partial<CertificateNames>, trustDomain: string | null = null): string {
  return checkNames(templates[template], { ...noNames, ...names }, trustDomain).join('; ');
}

test('names that can be issued', () => {
  assert.equal(problems('server', { dns: ['localhost', '*.Example.com', 'xn--bcher-kva.example'], ip: ['::1'] }), '');
  assert.equal(problems('client', { dns: ['a.b'], uri: ['urn:x:y'], email: ['a.b+c@example.com'] }), '');
  assert.equal(problems('spiffe', { uri: ['spiffe://example.org/ns/prod/sa/web'] }, 'example.org'), '');
  assert.equal(problems('spiffe', { uri: ['spiffe://example.org/a'], dns: ['web.example.org'] }), '');
});

test('each nonsensical name is refused with its reason', () => {
  const cases: readonly [TemplateName, Partial<CertificateNames>, RegExp][] = [
    ['server', {}, /no name is given/],
    ['server', { dns: ['a b'] }, /"a b" is not a DNS name/],
    ['server', { dns: [''] }, /is not a DNS name/],
    ['server', { dns: ['a..b'] }, /is not a DNS name/],
    ['server', { dns: ['-a.example'] }, /is not a DNS name/],
    ['server', { dns: ['bücher.example'] }, /is not a DNS name/],
    ['server', { dns: ['a\0.example'] }, /is not a DNS name/],
    ['server', { dns: ['a.example.'] }, /ends with a dot/],
    ['server', { dns: [`${'a'.repeat(64)}.example`] }, /is not a DNS name/],
    ['server', { dns: [`${'a.'.repeat(130)}example`] }, /a DNS name has at most 253/],
    ['server', { dns: ['10.1.2.3'] }, /is an IP address, not a DNS name/],
    ['server', { dns: ['10.1.2.300'] }, /ends like an IP address/],
    ['server', { dns: ['::1'] }, /is an IP address/],
    ['server', { dns: ['*'] }, /wildcard/],
    ['server', { dns: ['*.com'] }, /at least two labels/],
    ['server', { dns: ['a.*.example.com'] }, /must be the whole first label/],
    ['server', { dns: ['w*.example.com'] }, /must be the whole first label/],
    ['server', { dns: ['*.*.example.com'] }, /must be the whole first label/],
    ['server', { dns: ['a.example', 'A.example'] }, /given twice/],
    ['server', { ip: ['::1', '0:0::1'] }, /given twice/],
    ['server', { ip: ['1.2.3'] }, /is not an IP address/],
    ['server', { ip: ['fe80::1%eth0'] }, /a zone means nothing/],
    ['server', { ip: ['0.0.0.0'] }, /the address of nothing/],
    ['server', { ip: ['::'] }, /the address of nothing/],
    ['server', { uri: ['spiffe://a/b'] }, /'server' does not take a URI/],
    ['server', { email: ['a@b.example'] }, /'server' does not take a mail address/],
    ['server', { dns: Array.from({ length: 101 }, (_, i) => `n${i}.example`) }, /101 names are given: at most 100/],
    ['client', { uri: ['spiffe://a/b'] }, /use the template 'spiffe'/],
    ['client', { uri: ['not a uri'] }, /is not an absolute URI/],
    ['client', { uri: [`urn:${'x'.repeat(2048)}`] }, /at most 2048/],
    ['client', { email: ['nobody'] }, /is not a mail address/],
    ['client', { email: ['a@b@c'] }, /is not a mail address/],
    ['spiffe', { dns: ['a.example'] }, /exactly one URI, not 0/],
    ['spiffe', { uri: ['spiffe://a/b', 'spiffe://a/c'] }, /exactly one URI, not 2/],
    ['spiffe', { uri: ['https://a/b'] }, /must begin with spiffe:\/\//],
    ['spiffe', { uri: ['SPIFFE://a/b'] }, /must begin with spiffe:\/\//],
    ['spiffe', { uri: ['spiffe://a'] }, /needs a path/],
    ['spiffe', { uri: ['spiffe:///b'] }, /a trust domain has/],
    ['spiffe', { uri: ['spiffe://Example.org/b'] }, /lower-case/],
    ['spiffe', { uri: ['spiffe://a:80/b'] }, /no port/],
    ['spiffe', { uri: ['spiffe://u@a/b'] }, /no user/],
    ['spiffe', { uri: ['spiffe://a/b/'] }, /no slash at its end/],
    ['spiffe', { uri: ['spiffe://a//b'] }, /no empty segment/],
    ['spiffe', { uri: ['spiffe://a/../b'] }, /no relative segment/],
    ['spiffe', { uri: ['spiffe://a/b c'] }, /path segments have/],
    ['spiffe', { uri: ['spiffe://a/b?c'] }, /no query/],
    ['spiffe', { uri: ['spiffe://a/b#c'] }, /no query and no fragment/],
    ['spiffe', { uri: [`spiffe://a/${'b'.repeat(2048)}`] }, /at most 2048/],
  ];
  for (const [template, names, message] of cases) assert.match(problems(template, names), message);
  assert.match(problems('spiffe', { uri: ['spiffe://b/c'] }, 'a'), /is not in the trust domain a/);
  assert.match(problems('spiffe', { uri: ['spiffe://ab/c'] }, 'a'), /is not in the trust domain a/);
});

test('lifetimes have limits, each template its own', () => {
  assert.equal(lifetimeProblem(templates.server, 397 * day), null);
  assert.match(lifetimeProblem(templates.server, 398 * day)!, /398d is too long: the template 'server' allows 397d/);
  assert.match(lifetimeProblem(templates.client, 91 * day)!, /allows 90d/);
  assert.match(lifetimeProblem(templates.spiffe, 8 * day)!, /allows 7d/);
  assert.match(lifetimeProblem(templates.peer, 59_999)!, /at least a minute/);
  assert.match(lifetimeProblem(templates.peer, Number.NaN)!, /at least a minute/);
});

test('a request says which entry is wrong', () => {
  const request: CertificateRequest = { name: 'edge', dns: ['localhost'], ip: [], lifetimeMs: day };
  const problem = (change: Partial<CertificateRequest>): string =>
    checkCertificateRequest({ ...request, ...change }).join('; ');
  assert.equal(problem({}), '');
  assert.match(problem({ name: '../edge' }), /^name '..\/edge' must be/);
  assert.match(problem({ name: '' }), /must be/);
  assert.match(problem({ name: '.edge' }), /must be/);
  assert.match(problem({ name: 'e'.repeat(201) }), /must be/);
  assert.match(problem({ dns: ['a b'] }), /^'edge': "a b" is not/);
  assert.match(problem({ lifetimeMs: 10 }), /at least a minute/);
});

test('names as texts and back', () => {
  const names = { dns: ['A.example'], ip: ['0:0::1'], uri: ['spiffe://a/B'], email: ['x@y.example'] };
  const texts = ['DNS:a.example', 'IP:::1', 'URI:spiffe://a/B', 'email:x@y.example'];
  assert.deepEqual(nameTexts(names), texts);
  assert.deepEqual(nameTexts(parseNameTexts(texts)), texts);
});

test('lifetimes as people write and read them', () => {
  assert.deepEqual(['90s', '45m', '1.5h', '7d'].map(readLifetime), [90_000, 2_700_000, 5_400_000, 7 * day]);
  for (const text of ['', '7', 'd', '-1d', '2 weeks', '1e3d', '99999999999d'])
    assert.equal(readLifetime(text), null, text);
  assert.deepEqual([0, 59_999, 3_600_000, 90 * day + 3_700_000, -5000].map(lifetimeText), [
    '0s',
    '59s',
    '1h',
    '90d 1h',
    '-5s',
  ]);
});
