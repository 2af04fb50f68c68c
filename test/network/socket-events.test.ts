import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { attachConnection, startReading } from '#gateway/network/socket-events.ts';
import type { SocketOwner } from '#gateway/runtime/byte-socket.ts';

class FakeSocket extends EventEmitter {
  destroyed = false;
  resume(): void {}
  destroy(): void {
    this.destroyed = true;
  }
}

function fail(): never {
  throw new Error('broken');
}

const broken: SocketOwner = {
  onSocketData: fail,
  onSocketEnd: fail,
  onSocketError() {},
  onSocketClose() {},
  onSocketFinish() {},
};

for (const event of ['data', 'end']) {
  test(`what is thrown while '${event}' is handled ends that connection and reaches the process's guard`, () => {
    const socket = new FakeSocket();
    attachConnection(socket as unknown as Socket, broken);
    startReading(socket as unknown as Socket);
    assert.throws(() => socket.emit(event, new Uint8Array(1)), /broken/);
    assert.ok(socket.destroyed);
  });
}
