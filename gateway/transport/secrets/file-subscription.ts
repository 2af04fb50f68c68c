import { readFileSync } from 'node:fs';
import type { ServerContext } from '#gateway/api/context.ts';
import { describeProblem } from '#gateway/config/diagnostics.ts';
import { loadMessage } from '#gateway/config/load/load-message.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import type { Timer } from '#gateway/runtime/timers.ts';
import { type DirectoryWatch, watchDirectory } from '#gateway/runtime/watch-directory.ts';
import type { Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type { DiscoveryResponse } from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import type { SdsSecret, SecretSubscription } from './sds-secret.ts';

const secretType = 'envoy.extensions.transport_sockets.tls.v3.Secret';
const gatherMs = 20;

/** Reads a secret from a file that holds a DiscoveryResponse (`resources:`), and again whenever its folder changes. */
export class FileSubscription implements SecretSubscription {
  readonly #path: string;
  readonly #folder: string;
  readonly #target: SdsSecret<unknown>;
  readonly #server: ServerContext;
  #timer: Timer | null = null;
  #watch: DirectoryWatch | null = null;
  #text = '';

  constructor(path: string, watchedFolder: string, target: SdsSecret<unknown>, server: ServerContext) {
    this.#path = path;
    this.#folder = watchedFolder !== '' ? watchedFolder : path.slice(0, Math.max(1, path.lastIndexOf('/'))) || '.';
    this.#target = target;
    this.#server = server;
  }

  start(): void {
    if (this.#watch !== null) return;
    try {
      this.#watch = watchDirectory(path(this.#folder), () => {
        this.#timer ??= this.#server.timers.create(this);
        this.#timer.enable(gatherMs);
      });
    } catch {
      this.#target.failed(`the folder ${this.#folder} cannot be watched`);
    }
    this.onTimer();
  }

  close(): void {
    this.#watch?.close();
    this.#watch = null;
    this.#timer?.disable();
  }

  /** @see TimerTarget */
  onTimer(): void {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch {
      this.#target.stats.updateAttempt.inc();
      this.#target.failed(`${this.#path} cannot be read`);
      return;
    }
    if (text === this.#text) return;
    this.#target.stats.updateAttempt.inc();
    const { message, diagnostics } = loadMessage<DiscoveryResponse>(
      'envoy.service.discovery.v3.DiscoveryResponse',
      text,
      this.#path,
    );
    if (diagnostics.failed) {
      const first = diagnostics.errors[0]!;
      this.#target.stats.updateRejected.inc();
      this.#target.failed(`${this.#path}: ${describeProblem(first.path, first.problem, first.suggestion)}`);
      return;
    }
    const secret = findSecret(message, this.#target.name);
    if (secret === null) this.#target.failed(`${this.#path} has no secret of that name`);
    else if (this.#target.accept(secret) === '') this.#text = text;
  }
}

function path(folder: string): string {
  return folder === '' ? '.' : folder;
}

/** The secret of a name among a response's resources, or null. */
export function findSecret(response: DiscoveryResponse, name: string): Secret | null {
  for (const resource of response.resources) {
    if (typeNameOf(resource) !== secretType) continue;
    const secret = unpackAny<Secret>(resource);
    if (secret.name === name) return secret;
  }
  return null;
}
