import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SocketOwner } from '#gateway/runtime/byte-socket.ts';
import { type NativeHandle, NativeSocket, type NativeTlsOptions } from '#gateway/runtime/native-socket.ts';

/** A handle that takes as many octets as it is told to. */
class FakeHandle {
  data: unknown = null;
  room = 1_000_000;
  readonly calls: string[] = [];
  written = '';
  upgraded: { readonly initialData?: Uint8Array } | null = null;

  write(chunk: Uint8Array): number {
    const taken = Math.min(this.room, chunk.length);
    this.room -= taken;
    this.written += text(chunk.subarray(0, taken));
    return taken;
  }
  shutdown(): void {
    this.calls.push('shutdown');
  }
  close(): void {
    this.calls.push('close');
  }
  terminate(): void {
    this.calls.push('terminate');
  }
  pause(): void {
    this.calls.push('pause');
  }
  resume(): void {
    this.calls.push('resume');
  }
  upgradeTLS(options: { readonly initialData?: Uint8Array }): unknown {
    this.upgraded = options;
    return [this, this];
  }
}

function text(octets: Uint8Array): string {
  return new TextDecoder().decode(octets);
}

function octets(words: string): Uint8Array {
  return new TextEncoder().encode(words);
}

class Owner implements SocketOwner {
  readonly seen: string[] = [];
  onSocketData(chunk: Uint8Array): void {
    this.seen.push(text(chunk));
  }
  onSocketEnd(): void {
    this.seen.push('end');
  }
  onSocketError(code: string): void {
    this.seen.push(`error ${code}`);
  }
  onSocketClose(): void {
    this.seen.push('close');
  }
  onSocketFinish(): void {
    this.seen.push('finish');
  }
}

function make(): { handle: FakeHandle; socket: NativeSocket; owner: Owner } {
  const handle = new FakeHandle();
  const socket = new NativeSocket(handle as unknown as NativeHandle);
  const owner = new Owner();
  socket.attach(owner);
  return { handle, socket, owner };
}

const microtasks = (): Promise<void> => Promise.resolve();

test('what the kernel does not take waits, in order, and callbacks come when their chunk is gone', () => {
  const { handle, socket } = make();
  const done: string[] = [];
  handle.room = 3;
  assert.equal(
    socket.write(octets('abcde'), () => done.push('first')),
    false,
  );
  assert.equal(
    socket.write(octets('fg'), () => done.push('second')),
    false,
  );
  assert.equal(socket.writableLength, 4);
  handle.room = 3;
  socket.onDrain();
  assert.deepEqual([handle.written, socket.writableLength, done], ['abcdef', 1, ['first']]);
  handle.room = 10;
  socket.onDrain();
  assert.deepEqual([handle.written, socket.writableLength, done], ['abcdefg', 0, ['first', 'second']]);
});

test('a chunk that was taken at once is told of after the event', async () => {
  const { socket } = make();
  let told = false;
  assert.ok(
    socket.write(octets('a'), () => {
      told = true;
    }),
  );
  assert.equal(told, false);
  await microtasks();
  assert.equal(told, true);
});

test('the end goes out behind what waits; then the owner is told', async () => {
  const { handle, socket, owner } = make();
  handle.room = 0;
  socket.write(octets('abc'));
  socket.endThenTell();
  assert.deepEqual(handle.calls, []);
  handle.room = 9;
  socket.onDrain();
  await microtasks();
  assert.deepEqual([handle.written, handle.calls, owner.seen], ['abc', ['shutdown'], ['finish']]);
  assert.ok(socket.writableFinished);
});

test('ended and gone: FIN, then closed', async () => {
  const { handle, socket, owner } = make();
  socket.endThenDestroy();
  await microtasks();
  assert.deepEqual([handle.calls, owner.seen], [['shutdown', 'close'], ['close']]);
});

test('octets that nobody wants yet are held and stop the reading; later they come first', async () => {
  const { handle, socket, owner } = make();
  socket.onData(octets('a'));
  assert.deepEqual(handle.calls, ['pause']);
  socket.unshift(octets('0'));
  socket.onEnd();
  socket.resume();
  assert.deepEqual(owner.seen, []);
  await microtasks();
  assert.deepEqual(
    [owner.seen, handle.calls],
    [
      ['0', 'a', 'end'],
      ['pause', 'resume'],
    ],
  );
});

test('an owner that pauses in the middle gets the rest when it resumes', async () => {
  const { socket, owner } = make();
  owner.onSocketData = (chunk): void => {
    owner.seen.push(text(chunk));
    socket.pause();
  };
  socket.onData(octets('a'));
  socket.onData(octets('b'));
  socket.resume();
  await microtasks();
  assert.deepEqual(owner.seen, ['a']);
  socket.resume();
  await microtasks();
  assert.deepEqual(owner.seen, ['a', 'b']);
});

test('TLS begins with the octets that were put back', () => {
  const { handle, socket } = make();
  socket.unshift(octets('world'));
  socket.unshift(octets('hello '));
  const tls = { secureContext: null, ALPNProtocols: undefined, requestCert: false, rejectUnauthorized: false } as const;
  const options: NativeTlsOptions = { tls, socket: {} };
  const outcomes: string[] = [];
  socket.startTls(options, {
    onHandshake: () => outcomes.push('done'),
    onHandshakeFailure: (code) => outcomes.push(code),
  });
  assert.equal(text(handle.upgraded!.initialData!), 'hello world');
  assert.ok(socket.secure);
  socket.onClose('');
  assert.deepEqual(outcomes, ['ECONNRESET']);
});

test('the system tells of a reset once, before the close', async () => {
  const { socket, owner } = make();
  socket.onClose('ECONNRESET');
  socket.onClose('ECONNRESET');
  await microtasks();
  assert.deepEqual(owner.seen, ['error ECONNRESET', 'close']);
  assert.ok(socket.destroyed);
  assert.equal(socket.write(octets('late')), false);
});
