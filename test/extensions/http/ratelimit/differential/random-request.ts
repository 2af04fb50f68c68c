import type { Dice } from '#test/support/dice.ts';
import type { MadeRoute } from './random-edge.ts';

const queries = [
  '',
  '',
  '?q=1',
  '?q=va',
  '?q=1&q=2',
  '?q',
  '?q=',
  '?Q=1',
  '?q=%31',
  '?%71=1',
  '?q=a+b',
  '?a=1;q=2',
  '?q=a=b',
  '??q=1',
  '?&q=1&&page=2',
  '?q=%zz',
  '?page=va&x=1',
  '?a b=1',
  '?a%20b=va',
  '?q=%',
  '?q=%E2%82%AC',
  '?',
  '?=1',
  '?q=va&Q=VA&page',
] as const;
const values = [
  'va',
  'va',
  'VA',
  '1',
  '3',
  '-1',
  '',
  'a b',
  'a,b',
  '%41',
  '\xc3\xbc',
  'x'.repeat(300),
  '4.5',
  ' 7 ',
  '1e3',
  '0x10',
  '2000000000',
] as const;
const forwarded = [
  '8.8.8.8',
  '10.1.2.3',
  '8.8.8.8, 10.0.0.1',
  '2001:db8::7',
  '1.2.3.4, 5.6.7.8, 9.10.11.12',
  'nonsense',
  '::ffff:1.2.3.4',
  '2001:DB8:0::7',
  '::1.2.3.4',
  '::5',
  '1.2.3.4:5678',
  '',
] as const;

/** A request as its octets go out. */
export function randomRequest(dice: Dice, { host, path }: MadeRoute): string {
  const grpc = dice.chance(0.15);
  const method = grpc ? 'POST' : dice.pick(['GET', 'GET', 'GET', 'DELETE', 'POST']);
  const lines = [
    `${method} ${path}${dice.pick(['', '', '/x', '/a%2Fb', '/./y', '//'])}${dice.pick(queries)} HTTP/1.1`,
    `host: ${dice.chance(0.1) ? host.toUpperCase() : host}`,
  ];
  const add = (probability: number, name: string, value: () => string): void => {
    if (dice.chance(probability)) lines.push(`${name}: ${value()}`);
  };
  for (const name of ['x-a', 'x-b', 'x-c']) {
    add(0.5, name, () => dice.pick(values));
    add(0.1, name, () => dice.pick(values));
  }
  add(0.4, 'x-hits', () => dice.pick(values));
  add(0.5, 'x-meta', () => dice.pick(['plain', 'full', 'odd', 'none']));
  add(0.4, 'x-forwarded-for', () => dice.pick(forwarded));
  add(0.05, 'x-forwarded-for', () => dice.pick(forwarded));
  add(0.2, 'cookie', () => 'a=1');
  add(0.1, 'cookie', () => 'b=2; c=3');
  add(0.2, 'user-agent', () => 'tester');
  add(0.5, 'x-cluster', () => dice.pick(['app', 'app', 'other', 'no-such']));
  add(0.3, 'x-cost', () => dice.pick(['4', '0', 'nonsense', '12']));
  add(0.1, 'x-status', () => dice.pick(['404', '503', '204']));
  if (grpc) lines.push('content-type: application/grpc');
  const body = method === 'POST' && dice.chance(0.7) ? 'some body' : '';
  if (method === 'POST') lines.push(`content-length: ${body.length}`);
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
