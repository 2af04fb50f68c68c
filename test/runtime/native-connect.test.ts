import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, it } from 'node:test';
import { ipAddress } from '#gateway/base/address.ts';
import { attachConnection, startReading } from '#gateway/network/socket-events.ts';
import type { SocketOwner } from '#gateway/runtime/byte-socket.ts';
import { connectSocket } from '#gateway/runtime/sockets.ts';
import { until } from '../support/until.ts';

class Recorder implements SocketOwner {
  readonly events: string[] = [];
  text = '';
  onSocketData(chunk: Uint8Array): void {
    this.text += new TextDecoder().decode(chunk);
  }
  onSocketEnd(): void {
    this.events.push('end');
  }
  onSocketError(code: string): void {
    this.events.push(code);
  }
  onSocketClose(): void {
    this.events.push('close');
  }
  onSocketFinish(): void {
    this.events.push('finish');
  }
}

async function listening(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
}

function target(port: number): { address: ReturnType<typeof ipAddress>; bindAddress: null } {
  return { address: ipAddress('127.0.0.1', port), bindAddress: null };
}

describe('connectSocket', () => {
  it('connects, carries octets both ways, and sees the peer end while its own side stays open', async (t) => {
    let heard = '';
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.end('hello');
      socket.on('data', (chunk: Buffer) => {
        heard += chunk.toString();
      });
    });
    t.after(() => server.close());
    const owner = new Recorder();
    const socket = connectSocket(target(await listening(server)), () => {
      assert.equal(socket.localAddress, '127.0.0.1');
      startReading(socket);
    });
    attachConnection(socket, owner);
    await until(() => owner.events.includes('end'));
    assert.equal(owner.text, 'hello');
    assert.equal(socket.destroyed, false);
    socket.write(new TextEncoder().encode('late'));
    socket.end();
    await until(() => heard === 'late');
    socket.destroy();
    await until(() => owner.events.includes('close'));
  });

  it("tells the system's code when nobody listens, then that it is closed", async () => {
    const server = net.createServer();
    const port = await listening(server);
    await new Promise((closed) => server.close(closed));
    const owner = new Recorder();
    attachConnection(
      connectSocket(target(port), () => assert.fail('connected')),
      owner,
    );
    await until(() => owner.events.includes('close'));
    assert.deepEqual(owner.events, ['ECONNREFUSED', 'close']);
  });

  it('can be given up before it stands', async (t) => {
    const server = net.createServer((socket) => socket.on('error', () => {}));
    t.after(() => server.close());
    const owner = new Recorder();
    const socket = connectSocket(target(await listening(server)), () => assert.fail('connected'));
    attachConnection(socket, owner);
    socket.destroy();
    assert.equal(socket.destroyed, true);
    await until(() => owner.events.includes('close'));
    assert.deepEqual(owner.events, ['close']);
  });
});
