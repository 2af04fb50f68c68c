import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { createSeededRandom, type Random } from '#gateway/runtime/random.ts';
import { ClientUnderTest, ServerUnderTest } from '#test/protocol/http1/harness.ts';
import { mutate, pick, requestSeeds, responseSeeds } from './http1-corpus.ts';

/** `FUZZ_ROUNDS` inputs per test, from `FUZZ_SEED` on; a failure names the seed of its input. */
const rounds = Number(process.env['FUZZ_ROUNDS'] ?? 4000);
const firstSeed = Number(process.env['FUZZ_SEED'] ?? 1);
const options = { acceptHttp10: true, enableTrailers: true };

function feedAtRandom(target: { feed(text: string): unknown }, text: string, random: Random): void {
  for (let at = 0; at < text.length; ) {
    const end = at + 1 + Math.floor(random.next() ** 3 * 40);
    target.feed(text.slice(at, end));
    at = end;
  }
}

/** Events without the lengths of pieces; a tunnel that was not opened swallows what follows it. */
function serve(text: string, feed: (server: ServerUnderTest) => void): { events: string[]; server: ServerUnderTest } {
  const server = new ServerUnderTest(options, true);
  feed(server);
  const events = server.log.take();
  assert.ok(events.length <= text.length + 4);
  return { events, server };
}

test('requests: the same events however the octets come, and never one request that reads as two', () => {
  for (let seed = firstSeed; seed < firstSeed + rounds; seed++) {
    const random = createSeededRandom(seed);
    // The line end makes sure that what is wrong in the last line is seen in pieces too.
    const text = `${mutate(pick(requestSeeds, random), requestSeeds, random)}\r\n\r\n`;
    const where = `seed ${seed}: ${JSON.stringify(text)}`;
    const whole = serve(text, (server) => server.feed(text));
    const cut = serve(text, (server) => feedAtRandom(server, text, random));
    assert.deepEqual(cut.events, whole.events, where);
    const { server } = whole;
    const wire = server.connection.takeText();
    assert.equal(cut.server.connection.takeText(), wire, where);
    const statuses = wire.match(/HTTP\/1\.[01] \d\d\d /g) ?? [];
    const answered = whole.events.filter((event) => /^#\d+ complete/.test(event)).length;
    assert.equal(statuses.length, answered, where);
    for (const request of server.requests) if (request.head !== null) checkForwarded(request.head, where);
    server.codec.onConnectionClosed('connection_termination', 'end');
    server.connection.endTurn();
    assert.equal(server.connection.disabled, 0, where);
    assert.equal(server.codec.activeStreams, 0, where);
  }
});

/** What would be sent upstream for `head` must be exactly one request, the same one. */
function checkForwarded(head: RequestHead, where: string): void {
  const client = new ClientUnderTest();
  const endStream = head.headers.get('content-length') === '0' || head.method === 'GET';
  const copy = head.clone();
  copy.headers.remove('content-length');
  assert.equal(client.start().encodeHeaders(copy, endStream), 0, where);
  const wire = client.connection.takeText();
  const next = new ServerUnderTest().feed(wire);
  assert.equal(next.status, 0, where);
  assert.equal(next.requests.length, 1, where);
  const seen = next.last.head!;
  assert.deepEqual([seen.method, seen.path, seen.authority], [head.method, head.path, head.authority], where);
  for (const name of ['transfer-encoding', 'keep-alive', 'proxy-connection', 'host']) {
    assert.equal(head.headers.has(name), false, where);
  }
}

test('responses: the same events however the octets come', () => {
  for (let seed = firstSeed; seed < firstSeed + rounds; seed++) {
    const random = createSeededRandom(seed);
    const text = `${mutate(pick(responseSeeds, random), responseSeeds, random)}\r\n\r\n`;
    const where = `seed ${seed}: ${JSON.stringify(text)}`;
    const method = pick(['GET', 'HEAD', 'POST', 'CONNECT', 'UPGRADE'], random);
    const run = (feed: (client: ClientUnderTest) => void): { events: string[]; client: ClientUnderTest } => {
      const client = new ClientUnderTest(options);
      const upgrade = method === 'UPGRADE' ? ['connection', 'upgrade', 'upgrade', 'websocket'] : [];
      const verb = method === 'UPGRADE' ? 'GET' : method;
      client.request(new RequestHead(verb, '/', 'a:1', '', new HeaderMap(upgrade)));
      feed(client);
      client.codec.onRemoteClose();
      client.codec.onConnectionClosed('connection_termination', 'end');
      client.connection.endTurn();
      return { events: client.log.take(), client };
    };
    const whole = run((client) => client.feed(text));
    const cut = run((client) => feedAtRandom(client, text, random));
    // Octets behind a response end the connection; in pieces they come after it was called reusable.
    const same = (events: string[]): string[] => events.map((event) => event.replace('closed, reusable', 'closed'));
    assert.deepEqual(same(cut.events), same(whole.events), where);
    assert.equal(whole.events.filter((event) => event.startsWith('#1 closed')).length, 1, where);
    const { client } = whole;
    assert.equal(client.connection.disabled, 0, where);
    assert.equal(client.codec.activeStreams, 0, where);
  }
});
