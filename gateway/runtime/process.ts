import { hostname } from 'node:os';
import process from 'node:process';
import type { Readable } from 'node:stream';
import type { Logger } from '#gateway/base/log.ts';

/** A signal the server listens for. */
export type ProcessSignal = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2';

/** Arguments after the script's name. */
export function processArguments(): readonly string[] {
  return process.argv.slice(2);
}

/** Value of an environment variable, or null. */
export function environmentVariable(name: string): string | null {
  return process.env[name] ?? null;
}

/** This machine's name. */
export function hostName(): string {
  return hostname();
}

/** Process id. */
export function processId(): number {
  return process.pid;
}

/** Octets of memory: heap in use, heap reserved, and all that is resident. */
export function memoryUse(): { readonly heapUsed: number; readonly heapTotal: number; readonly resident: number } {
  const { heapUsed, heapTotal, rss } = process.memoryUsage();
  return { heapUsed, heapTotal, resident: rss };
}

/** Calls `handler` on each arrival of `signal`; the default action no longer happens. */
export function onSignal(signal: ProcessSignal, handler: () => void): void {
  process.on(signal, handler);
}

/** Hands over what nobody caught, instead of ending the process. `kind` says how it got away. */
export function onUncaught(handler: (error: unknown, kind: 'exception' | 'rejection') => void): void {
  process.on('uncaughtException', (error: unknown) => handler(error, 'exception'));
  process.on('unhandledRejection', (error: unknown) => handler(error, 'rejection'));
}

/**
 * Nothing that traffic does may end the process: what nobody caught is logged and serving goes on. `counted` is told of each.
 */
export function guardProcess(log: Logger, counted: () => void = () => {}): void {
  onUncaught((error, kind) => {
    counted();
    log.critical(`uncaught ${kind}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  });
}

/** Ends the process at once. */
export function exitProcess(code: number): never {
  process.exit(code);
}

/** Keeps the process from ending while nothing but unreferenced timers is left. */
export function keepProcessAlive(): void {
  setInterval(() => {}, 0x7fff_ffff);
}

/** Keeps the process from ending until what it answers is called. */
export function holdProcess(): () => void {
  const handle = setInterval(() => {}, 0x7fff_ffff);
  return () => clearInterval(handle);
}

/** What comes in by standard input: octets. */
export function standardInput(): Readable {
  return process.stdin;
}

/** Writes text to standard output; `done` is called when it is handed over. */
export function writeStdout(text: string, done?: () => void): void {
  process.stdout.write(text, () => done?.());
}

/** Writes text to standard error; `done` is called when it is handed over. */
export function writeStderr(text: string, done?: () => void): void {
  process.stderr.write(text, () => done?.());
}

/** The TLS library of this runtime, as `openssl 3.5.0` or `boringssl`. */
export function tlsLibrary(): string {
  const { openssl } = process.versions;
  return openssl === undefined ? 'unknown' : `openssl ${openssl}`;
}
