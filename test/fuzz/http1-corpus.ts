import type { Random } from '#gateway/runtime/random.ts';

/** Requests to start from: each shows one way to frame a message. */
export const requestSeeds: readonly string[] = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /a?b=c HTTP/1.1\r\nHost: a.example:8080\r\nAccept: */*\r\nX-A: 1\r\nConnection: x-a, keep-alive\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nX-T: 1\r\n\r\n',
  'HEAD http://b.example/x HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n',
  'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nraw',
  'CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\nraw',
];

/** Responses to start from. */
export const responseSeeds: readonly string[] = [
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n',
  'HTTP/1.1 200 OK\r\n\r\nuntil close',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nServer: x\r\n\r\n',
  'HTTP/1.0 304 Not Modified\r\nConnection: keep-alive\r\nETag: "x"\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nraw',
];

/** Pieces that parsers disagree about. */
const fragments: readonly string[] = [
  '\r\n', '\n', '\r', '\r\n\r\n', '\n\n', ' ', '\t', ':', ',', ';', '\0', '\x0b', '\x0c', '\x7f', '\x80', '\xff', '/', '#',
  'Content-Length: 3\r\n', 'Content-Length: 0\r\n', 'content-length:\t7\r\n', 'Content-Length : 3\r\n',
  'Transfer-Encoding: chunked\r\n', 'Transfer-Encoding: identity\r\n', 'Transfer-Encoding:\tchunked\r\n',
  'transfer-encoding: gzip, chunked\r\n', 'Transfer-Encoding\r\n: chunked\r\n', 'Host: b\r\n', 'Connection: close\r\n',
  'Connection: content-length\r\n', ' folded: yes\r\n', '\tfolded\r\n', '0\r\n\r\n', '1\r\nx\r\n', 'ffffffffffffffff\r\n', '-1\r\n',
  'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'GET ', 'GET / HTTP/1.1\r\nHost: s\r\n\r\n', '=', '%', '@', '[', ']', '0x', '+',
]; // biome-ignore format: a list

/** Changes `seed` in one to four places. */
export function mutate(seed: string, others: readonly string[], random: Random): string {
  let text = seed;
  const changes = 1 + Math.floor(random.next() * 4);
  for (let i = 0; i < changes; i++) {
    const at = Math.floor(random.next() * (text.length + 1));
    const length = Math.floor(random.next() * 6);
    switch (Math.floor(random.next() * 7)) {
      case 0:
        text = text.slice(0, at) + text.slice(at + length);
        break;
      case 1:
      case 2:
        text = text.slice(0, at) + pick(fragments, random) + text.slice(at);
        break;
      case 3:
        text = text.slice(0, at) + pick(fragments, random) + text.slice(at + length);
        break;
      case 4:
        text = text.slice(0, at) + String.fromCharCode(Math.floor(random.next() * 256)) + text.slice(at + 1);
        break;
      case 5:
        text = lineChange(text, random);
        break;
      default:
        text += pick(others, random);
    }
  }
  return text;
}

/** One of `list`. */
export function pick<T>(list: readonly T[], random: Random): T {
  return list[Math.floor(random.next() * list.length)]!;
}

/** Doubles, drops or moves a whole line. */
function lineChange(text: string, random: Random): string {
  const lines = text.split('\r\n');
  const from = Math.floor(random.next() * lines.length);
  const line = lines[from]!;
  if (random.next() < 0.5) lines.splice(from, 1);
  if (random.next() < 0.7) lines.splice(Math.floor(random.next() * (lines.length + 1)), 0, line);
  return lines.join('\r\n');
}
