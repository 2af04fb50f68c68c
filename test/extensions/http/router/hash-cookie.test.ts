import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ConnectionInfo } from '#gateway/api/connection.ts';
import { ipAddress } from '#gateway/base/address.ts';
import { hashCookieValue, setCookieText } from '#gateway/extensions/http/router/hash-cookie.ts';

it('gives all requests of a connection the same hash cookie', () => {
  const info = (port: number) => new ConnectionInfo(1, ipAddress('127.0.0.1', 80), ipAddress('127.0.0.1', port), 0);
  assert.match(hashCookieValue(info(1)), /^[0-9a-f]{16}$/);
  assert.equal(hashCookieValue(info(1)), hashCookieValue(info(1)));
  assert.notEqual(hashCookieValue(info(1)), hashCookieValue(info(2)));
});

it('sets the hash cookie with its attributes', () => {
  const attributes = [
    { name: 'SameSite', value: 'Strict' },
    { name: 'Secure', value: '' },
  ];
  assert.equal(
    setCookieText({ name: 'sess', path: '/p', ttlSeconds: 60, attributes }, 'be70ad7eba66057f'),
    'sess="be70ad7eba66057f"; Max-Age=60; Path=/p; SameSite=Strict; Secure; HttpOnly',
  );
  assert.equal(setCookieText({ name: 's', path: '', ttlSeconds: 0, attributes: [] }, 'v'), 's="v"; HttpOnly');
});
