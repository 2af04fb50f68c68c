import type { Socket } from 'node:net';

/** What a socket's owner is told. */
export interface SocketOwner {
  onSocketData(chunk: Uint8Array): void;
  onSocketEnd(): void;
  /** `code`: the system's name (`ECONNRESET`), or the message where there is none. */
  onSocketError(code: string): void;
  onSocketClose(): void;
  onSocketFinish(): void;
}

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
export function attachConnection(socket: Socket, to: SocketOwner): void {
  const owned: OwnedSocket = socket;
  const attached = owned[owner] !== undefined;
  owned[owner] = to;
  if (attached) return;
  socket.on('end', onEnd);
  socket.on('error', onError);
  socket.on('close', onClose);
}

/** Lets octets flow to the owner. */
export function startReading(socket: Socket): void {
  const owned: OwnedSocket = socket;
  if (owned[reading] !== true) {
    owned[reading] = true;
    socket.on('data', onData);
  }
  socket.resume();
}

/** Takes back what `attachConnection` and `startReading` did: someone else (a TLS socket) takes over. */
export function detachConnection(socket: Socket): void {
  socket.removeListener('data', onData);
  socket.removeListener('end', onEnd);
  socket.removeListener('error', onError);
  socket.removeListener('close', onClose);
}

/** Ends our side; `onSocketFinish` follows when everything is with the kernel. */
export function endThenTell(socket: Socket): void {
  socket.once('finish', onFinish);
  if (!socket.writableEnded) socket.end();
  else if (socket.writableFinished) queueMicrotask(onFinish.bind(socket));
}

function destroyThis(this: Socket): void {
  this.destroy();
}

/** Ends a socket whose owner is done with it: FIN after what is written, then gone. */
export function stopSocket(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.writableFinished) {
    socket.destroy();
    return;
  }
  socket.once('finish', destroyThis);
  if (!socket.writableEnded) socket.end();
}
