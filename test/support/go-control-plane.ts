import { Buffer } from 'node:buffer';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findPeer, isRequired } from './peers.ts';

/** What the control plane tells: the fields that go with an event are there, the others are not. */
export interface ControlPlaneEvent {
  readonly event: 'listening' | 'set' | 'open' | 'close' | 'request' | 'response';
  readonly address?: string;
  readonly stream?: number;
  readonly delta?: boolean;
  readonly names?: readonly string[];
  readonly removed?: readonly string[];
  /** `name=version` of each resource that a client already holds. */
  readonly versions?: readonly string[];
  readonly version?: string;
  readonly nonce?: string;
  /** Why the client refuses. */
  readonly error?: string;
  readonly node?: string;
  /** The node's metadata, when it has some. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** The metadata `x-token` of a stream. */
  readonly token?: string;
}

/** A secret to serve: one kind of content is given. */
export interface ServedSecret {
  readonly name: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly trusted_ca?: string;
  readonly generic?: string;
}

/** A running server of go-control-plane. */
export interface GoControlPlane {
  /** Port, or 0 on a unix socket. */
  readonly port: number;
  readonly events: readonly ControlPlaneEvent[];
  /** Serves these secrets and no others. */
  set(version: string, secrets: readonly ServedSecret[]): void;
  /** Serves these RateLimitConfig messages, encoded, and no others. */
  setConfigs(version: string, configs: readonly Uint8Array[]): void;
  /** Resolves with the first event, from `after` on, that `wanted` answers true for. */
  event(wanted: (event: ControlPlaneEvent) => boolean, after?: number): Promise<ControlPlaneEvent>;
  /** Kills it, connections and all. */
  kill(): Promise<void>;
}

const source = fileURLToPath(new URL('./go-control-plane/', import.meta.url));
const eventLimitMs = 30_000;

/** A test against the Go program beside this file; it is built when `go` is there. Without it the test is a skip. */
export function goControlPlaneTest(title: string, body: (program: string) => Promise<void>): void {
  const fullTitle = `[go-control-plane] ${title}`;
  const named = findPeer('go-control-plane');
  const go = named === null ? findPeer('go') : null;
  if (named !== null) test(fullTitle, () => body(named));
  else if (go !== null) test(fullTitle, () => body(build(go)));
  else if (isRequired('go-control-plane')) {
    test(fullTitle, () => {
      throw new Error('go, or the program go-control-plane, is required by SLUICE_REQUIRE but was not found');
    });
  } else test(fullTitle, { skip: 'go is not installed' }, () => {});
}

let built = '';

// Kept between runs, where Go's own cache tells whether anything has changed.
function build(go: string): string {
  if (built !== '') return built;
  const target = join(tmpdir(), `sluice-test-peers-${process.getuid?.() ?? 0}`, 'go-control-plane');
  mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
  const fresh = mkdtempSync(join(dirname(target), 'build-'));
  execFileSync(go, ['build', '-o', join(fresh, 'program'), '.'], { cwd: source, stdio: ['ignore', 'ignore', 'pipe'] });
  renameSync(join(fresh, 'program'), target);
  rmSync(fresh, { recursive: true });
  built = target;
  return built;
}

/** Starts it; `args`: `-listen ADDRESS`, `-cert FILE -key FILE`, `-client-ca FILE`. */
export async function startGoControlPlane(program: string, args: readonly string[] = []): Promise<GoControlPlane> {
  const child: ChildProcess = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const events: ControlPlaneEvent[] = [];
  const waiting = new Set<() => void>();
  let rest = '';
  let problems = '';
  child.stdout!.on('data', (chunk) => {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop()!;
    for (const line of lines) events.push(JSON.parse(line) as ControlPlaneEvent);
    for (const look of [...waiting]) look();
  });
  child.stderr!.on('data', (chunk) => {
    problems += String(chunk);
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const event = (wanted: (event: ControlPlaneEvent) => boolean, after = 0): Promise<ControlPlaneEvent> =>
    new Promise((resolve, reject) => {
      const stop = (): void => {
        waiting.delete(look);
        clearTimeout(timer);
      };
      const look = (): void => {
        const found = events.slice(after).find(wanted);
        if (found === undefined) return;
        stop();
        resolve(found);
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`${wanted} did not happen: ${JSON.stringify(events, null, 1)} ${problems}`));
      }, eventLimitMs);
      waiting.add(look);
      look();
    });
  const listening = await Promise.race([
    event((told) => told.event === 'listening'),
    ended.then(() => {
      throw new Error(`the control plane ended: ${problems}`);
    }),
  ]);
  return {
    port: Number(/:(\d+)$/.exec(listening.address ?? '')?.[1] ?? 0),
    events,
    event,
    set: (version, secrets) => void child.stdin!.write(`${JSON.stringify({ version, secrets })}\n`),
    setConfigs(version, configs): void {
      const encoded = configs.map((config) => Buffer.from(config).toString('base64'));
      child.stdin!.write(`${JSON.stringify({ version, configs: encoded })}\n`);
    },
    async kill(): Promise<void> {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await ended;
    },
  };
}
