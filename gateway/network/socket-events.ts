import type { Socket } from 'node:net';
import type { ByteSocket, SocketOwner } from '#gateway/runtime/byte-socket.ts';
import { NativeSocket } from '#gateway/runtime/native-socket.ts';

const owner = Symbol('owner');
const reading = Symbol('reading');

type OwnedSocket = Socket & { [owner]?: SocketOwner; [reading]?: boolean };

// One function each for all sockets: a connection costs no closures. What is thrown while a socket's events are handled is
// a mistake of ours: it costs that connection, whose state nobody knows any more, and goes on to the process's guard.
function onData(this: OwnedSocket, chunk: Uint8Array): void {
  try {
    this[owner]!.onSocketData(chunk);
  } catch (error) {
    this.destroy();
    throw error;
  }
}
function onEnd(this: OwnedSocket): void {
  try {
    this[owner]!.onSocketEnd();
  } catch (error) {
    this.destroy();
    throw error;
  }
}
function onError(this: OwnedSocket, error: NodeJS.ErrnoException): void {
  this[owner]!.onSocketError(error.code ?? error.message);
}
function onClose(this: OwnedSocket): void {
  this[owner]!.onSocketClose();
}

function onFinish(this: OwnedSocket): void {
  this[owner]!.onSocketFinish();
}

/** Makes `to` the one that is told of the socket's events. Nothing is read before `startReading`. */
export function attachConnection(socket: ByteSocket, to: SocketOwner): void {
  if (socket instanceof NativeSocket) {
    socket.attach(to);
    return;
  }
  const owned = socket as OwnedSocket;
  const attached = owned[owner] !== undefined;
  owned[owner] = to;
  if (attached) return;
  owned.on('end', onEnd);
  owned.on('error', onError);
  owned.on('close', onClose);
}

/** Lets octets flow to the owner. */
export function startReading(socket: ByteSocket): void {
  if (!(socket instanceof NativeSocket)) {
    const owned = socket as OwnedSocket;
    if (owned[reading] !== true) {
      owned[reading] = true;
      owned.on('data', onData);
    }
  }
  socket.resume();
}

/** Takes back what `attachConnection` and `startReading` did: someone else (a TLS socket) takes over. */
export function detachConnection(socket: ByteSocket): void {
  if (socket instanceof NativeSocket) {
    socket.attach(null);
    return;
  }
  const owned = socket as OwnedSocket;
  owned.removeListener('data', onData);
  owned.removeListener('end', onEnd);
  owned.removeListener('error', onError);
  owned.removeListener('close', onClose);
}

/** Ends our side; `onSocketFinish` follows when everything is with the kernel. */
export function endThenTell(socket: ByteSocket): void {
  if (socket instanceof NativeSocket) {
    socket.endThenTell();
    return;
  }
  const owned = socket as OwnedSocket;
  owned.once('finish', onFinish);
  if (!owned.writableEnded) owned.end();
  else if (owned.writableFinished) queueMicrotask(onFinish.bind(owned));
}

function destroyThis(this: Socket): void {
  this.destroy();
}

/** Ends a socket whose owner is done with it: FIN after what is written, then gone. */
export function stopSocket(socket: ByteSocket): void {
  if (socket.destroyed) return;
  if (socket instanceof NativeSocket) {
    socket.endThenDestroy();
    return;
  }
  if (socket.writableFinished) {
    socket.destroy();
    return;
  }
  (socket as OwnedSocket).once('finish', destroyThis);
  if (!socket.writableEnded) socket.end();
}
