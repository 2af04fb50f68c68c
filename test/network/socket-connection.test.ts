import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import net from 'node:net';
import { describe, it } from 'node:test';
import type { SocketConnection } from '#gateway/network/socket-connection.ts';
import { once, RecordingPeer, startTestServer, type TestServer } from '#test/support/connections.ts';

interface Pair {
  readonly client: net.Socket;
  readonly connection: SocketConnection;
  readonly peer: RecordingPeer;
}

async function withPair(body: (pair: Pair, server: TestServer) => Promise<void>): Promise<void> {
  const server = await startTestServer();
  const client = net.connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
  client.on('error', () => {});
  const connection = await server.next();
  const peer = new RecordingPeer();
  connection.addCallbacks(peer);
  try {
    await body({ client, connection, peer }, server);
  } finally {
    client.destroy();
    connection.close('abort');
    server.close();
  }
}

function pattern(octets: number): Buffer {
  const bytes = Buffer.alloc(octets);
  for (let i = 0; i < octets; i++) bytes[i] = (i * 31 + (i >> 8)) & 0xff;
  return bytes;
}

describe('SocketConnection', () => {
  it('holds octets back until a sink is set, then echoes', async () => {
    await withPair(async ({ client, connection, peer }) => {
      client.write('hello');
      connection.setSink(peer);
      await peer.until(() => peer.octets === 5);
      connection.output.writeLatin1('wor');
      connection.output.writeLatin1('ld');
      assert.equal(connection.unsentOctets, 5);
      const got = (await once(client, 'data')) as Buffer;
      assert.equal(got.toString(), 'world');
      assert.equal(connection.octetsReceived, 5);
      assert.equal(connection.octetsSent, 5);
    });
  });

  it('delivers every octet to a slow reader, small writes and large chunks mixed', async () => {
    await withPair(async ({ client, connection, peer }) => {
      connection.setSink(peer);
      connection.setBufferLimit(64 * 1024);
      const want = pattern(6 * 1024 * 1024);
      client.pause();
      let at = 0;
      const pump = (): void => {
        while (at < want.length && !peer.events.includes('above')) {
          const size = at % 3 === 0 ? 100 : at % 3 === 1 ? 3000 : 20_001;
          const piece = want.subarray(at, Math.min(at + size, want.length));
          if (piece.length < 4096) connection.output.writeBytes(piece);
          else connection.output.writeChunk(piece);
          at += piece.length;
          if (connection.unsentOctets > 256 * 1024) break;
        }
        if (at < want.length) setImmediate(pump);
      };
      peer.events.length = 0;
      const timer = setInterval(() => {
        // Below again: the pump may go on.
        if (peer.events.at(-1) === 'below') peer.events.length = 0;
      }, 1);
      pump();
      const got: Buffer[] = [];
      let octets = 0;
      await new Promise<void>((done) => {
        client.on('data', (chunk: Buffer) => {
          got.push(chunk);
          octets += chunk.length;
          if (octets === want.length) done();
          client.pause();
          setTimeout(() => client.resume(), 1);
        });
        client.resume();
      });
      clearInterval(timer);
      assert.ok(Buffer.concat(got).equals(want));
    });
  });

  it('tells above and below its watermarks', async () => {
    await withPair(async ({ client, connection, peer }) => {
      connection.setSink(peer);
      connection.setBufferLimit(1000);
      client.pause();
      connection.output.writeChunk(pattern(12 * 1024 * 1024));
      await peer.until(() => peer.events.includes('above'));
      assert.ok(connection.unsentOctets > 1000);
      client.resume();
      await peer.until(() => peer.events.includes('below'));
      assert.deepEqual(peer.events, ['above', 'below']);
    });
  });

  it('counts read-disable calls', async () => {
    await withPair(async ({ client, connection, peer }) => {
      connection.setSink(peer);
      client.write('a');
      await peer.until(() => peer.octets === 1);
      connection.readDisable(true);
      connection.readDisable(true);
      client.write('b');
      connection.readDisable(false);
      await new Promise((done) => setTimeout(done, 20));
      assert.equal(peer.octets, 1);
      connection.readDisable(false);
      await peer.until(() => peer.octets === 2);
      assert.equal(peer.text, 'ab');
    });
  });

  it('half-closes: the peer ends, we still write, then end', async () => {
    await withPair(async ({ client, connection, peer }) => {
      connection.setSink(peer);
      client.end('bye');
      await peer.until(() => peer.ended);
      assert.equal(peer.text, 'bye');
      connection.output.writeLatin1('late answer');
      connection.endWrite();
      const got = (await once(client, 'data')) as Buffer;
      assert.equal(got.toString(), 'late answer');
      await peer.until(() => peer.events.includes('remote_close'));
      assert.equal(connection.state, 'closed');
    });
  });

  it('closes with flush: pending output arrives, then FIN; the event is raised once', async () => {
    await withPair(async ({ client, connection, peer }) => {
      connection.setSink(peer);
      const want = pattern(8 * 1024 * 1024);
      client.pause();
      connection.output.writeChunk(want);
      connection.close('flush', 'done');
      connection.close('flush', 'again');
      const got: Buffer[] = [];
      client.on('data', (chunk: Buffer) => got.push(chunk));
      client.resume();
      await once(client, 'end');
      assert.ok(Buffer.concat(got).equals(want));
      await peer.until(() => peer.events.length > 0);
      assert.deepEqual(
        peer.events.filter((event) => event.startsWith('local_close')),
        ['local_close:done'],
      );
      connection.close('abort');
    });
  });

  it('flush_and_delay waits for the peer, and no longer than the delay', async () => {
    await withPair(async ({ client, connection, peer }, server) => {
      connection.setSink(peer);
      connection.setDelayedCloseTimeout(60_000);
      connection.output.writeLatin1('reply');
      connection.close('flush_and_delay');
      assert.equal(connection.state, 'closing');
      client.on('data', () => {});
      await once(client, 'end');
      assert.deepEqual(peer.events, []);
      client.write('dropped');
      client.end();
      await peer.until(() => peer.events.length > 0);
      assert.deepEqual(peer.events, ['local_close']);

      const stubborn = net.connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
      stubborn.on('error', () => {});
      const second = await server.next();
      const witness = new RecordingPeer();
      second.addCallbacks(witness);
      second.setSink(witness);
      second.setDelayedCloseTimeout(30);
      second.output.writeLatin1('reply');
      second.close('flush_and_delay', 'delayed');
      await witness.until(() => witness.events.length > 0);
      assert.deepEqual(witness.events, ['local_close:delayed']);
      stubborn.destroy();
    });
  });

  it('reports a reset by the peer', async () => {
    await withPair(async ({ client, connection, peer }) => {
      connection.setSink(peer);
      client.resetAndDestroy();
      await peer.until(() => peer.events.length > 0);
      assert.deepEqual(peer.events, ['remote_close:ECONNRESET']);
    });
  });

  it('abort resets the peer', async () => {
    await withPair(async ({ client, connection, peer }) => {
      connection.setSink(peer);
      const gone = new Promise<string>((done) => {
        client.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? ''));
        client.on('data', () => {});
      });
      connection.close('abort', 'enough');
      assert.deepEqual(peer.events, ['local_close:enough']);
      assert.equal(await gone, 'ECONNRESET');
    });
  });
});
