import type { Buffer } from 'node:buffer';
import { type ChildProcess, spawn } from 'node:child_process';
import dgram from 'node:dgram';
import net from 'node:net';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

/** A program that a test started, with all it has printed. */
export interface RunningProgram {
  readonly child: ChildProcess;
  /** Sends a signal; does nothing once it has ended. */
  signal(signal: NodeJS.Signals): void;
  /** Standard output and error so far. */
  output(): string;
  /** Waits until `ready` answers true; fails with the program's output when it ends or `limitMs` is over. */
  until(ready: () => boolean | Promise<boolean>, limitMs?: number): Promise<void>;
  /** Ends it by `signal` (SIGTERM) and waits; answers its exit code, null when the signal killed it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts a program. Standard input is closed. */
export function startProgram(command: readonly string[], env: Readonly<Record<string, string>> = {}): RunningProgram {
  const child = spawn(command[0]!, command.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let text = '';
  const gather = (chunk: Buffer): void => {
    text += chunk.toString();
  };
  child.stdout.on('data', gather);
  child.stderr.on('data', gather);
  child.on('error', (error) => {
    text += `\n${error.message}`;
  });
  // Own state: Deno sets `signalCode` when the signal is sent, not when the program has ended.
  let exit: { readonly code: number | null } | null = null;
  const exited = new Promise<void>((resolve) => {
    child.on('exit', (code) => {
      exit = { code };
      resolve();
    });
  });
  const ended = (): boolean => exit !== null;
  // By its number: on Deno a second `child.kill` does nothing.
  const send = (signal: NodeJS.Signals): void => {
    if (!ended()) process.kill(child.pid!, signal);
  };
  return {
    child,
    signal: send,
    output: () => text,
    async until(ready, limitMs = 60_000): Promise<void> {
      const deadline = Date.now() + limitMs;
      while (!(await ready())) {
        if (ended()) throw new Error(`${command[0]} ended: ${text}`);
        if (Date.now() > deadline) throw new Error(`${command[0]} is not ready after ${limitMs} ms: ${text}`);
        await delay(10);
      }
    },
    async stop(signal = 'SIGTERM'): Promise<number | null> {
      if (!ended()) {
        send(signal);
        const killer = setTimeout(() => send('SIGKILL'), 10_000);
        await exited;
        clearTimeout(killer);
      }
      return exit === null ? null : (exit as { readonly code: number | null }).code;
    },
  };
}

/** Whether something accepts connections on this port of the loopback interface. */
export async function portIsOpen(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/**
 * Above the fixed ports of the recorded configurations (up to 21016), below what systems hand out by themselves (Linux from
 * 32768 on): no connection and no `listen(0)` of another test takes one.
 */
const firstPort = 22_000;
const portCount = 10_000;
/** Where runs of ports lie. */
const firstOfRuns = 32_000;
const portsOfRuns = 700;
/** The UDP port with this distance is held as long as this process lives: tests that run beside this one take other ports. */
const claimDistance = 30_000;

/** Ports that nothing listens on, that no other test is given, and that the system gives to nobody. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = firstPort + Math.floor(Math.random() * portCount);
    if ((await claims(port + claimDistance)) && (await listens(port))) ports.push(port);
  }
  return ports;
}

/** The first of `count` ports in a row, as {@link freePorts} are, and above all that are given otherwise. */
export async function freePortRun(count: number): Promise<number> {
  while (true) {
    const first = firstOfRuns + Math.floor(Math.random() * (portsOfRuns - count));
    let free = 0;
    while (free < count && (await claims(first + free + claimDistance)) && (await listens(first + free))) free++;
    if (free === count) return first;
  }
}

function claims(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dgram.createSocket('udp4');
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => {
      socket.unref();
      resolve(true);
    });
  });
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    // On all addresses: some programs listen there.
    server.listen({ port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
