import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import net from 'node:net';

/** What the server does with a command instead of answering it; null: it answers as Redis would. */
export type Misbehaviour = (socket: net.Socket, reply: string) => void;

/** A server that counts as Redis does, as long as it is not told to do something else. */
export interface FakeRedis {
  readonly port: number;
  /** How often each command came. */
  readonly commands: Map<string, number>;
  readonly counters: Map<string, number>;
  misbehave: Misbehaviour | null;
  close(): Promise<void>;
}

/** Starts one on a free port of the loopback interface. */
export async function startFakeRedis(): Promise<FakeRedis> {
  const sockets = new Set<net.Socket>();
  const commands = new Map<string, number>();
  const counters = new Map<string, number>();
  const run = ([name = '', key = '', value = '']: readonly string[]): string => {
    commands.set(name, (commands.get(name) ?? 0) + 1);
    if (name === 'PING') return '+PONG\r\n';
    if (name === 'EXPIRE') return ':1\r\n';
    if (name !== 'INCRBY') return `-ERR unknown command '${name}'\r\n`;
    counters.set(key, (counters.get(key) ?? 0) + Number(value));
    return `:${counters.get(key)}\r\n`;
  };
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (;;) {
        const parsed = readCommand(text);
        if (parsed === null) return;
        text = parsed.rest;
        const reply = run(parsed.words);
        if (fake.misbehave === null) socket.write(Buffer.from(reply, 'latin1'));
        else fake.misbehave(socket, reply);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const fake: FakeRedis = {
    port: (server.address() as net.AddressInfo).port,
    commands,
    counters,
    misbehave: null,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
  return fake;
}

/** One command, upper case, with what follows it; null when it is not all there. */
function readCommand(text: string): { readonly words: string[]; readonly rest: string } | null {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (head === null) return null;
  let at = head[0].length;
  const words: string[] = [];
  for (let i = 0; i < Number(head[1]); i++) {
    const length = /^\$(\d+)\r\n/.exec(text.slice(at, at + 20));
    if (length === null) return null;
    at += length[0].length;
    const end = at + Number(length[1]);
    if (text.length < end + 2) return null;
    words.push(text.slice(at, end));
    at = end + 2;
  }
  words[0] = words[0]?.toUpperCase() ?? '';
  return { words, rest: text.slice(at) };
}
