import { readFileSync } from 'node:fs';
import type { ServerContext } from '#gateway/api/context.ts';
import { describeProblem } from '#gateway/config/diagnostics.ts';
import { loadMessage } from '#gateway/config/load/load-message.ts';
import { typeNameOf, unpackAny } from '#gateway/proto/registry.ts';
import type { Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type { DiscoveryResponse } from '#proto-types/envoy/service/discovery/v3/discovery_pb.ts';
import { FileChanges, type FileChangesListener } from './file-changes.ts';
import { FolderWatches } from './folder-watches.ts';
import { Patience, type PatienceOwner } from './patience.ts';
import { pairWaitMs, type SdsSecret, type SecretSubscription } from './sds-secret.ts';

const secretType = 'envoy.extensions.transport_sockets.tls.v3.Secret';

/**
 * Reads a secret from a file that holds a DiscoveryResponse (`resources:`), and again whenever the file changes, or anything in
 * `watchedFolder` where one is named. A file that cannot be read is looked at again before that is told: it may be half written.
 */
export class FileSubscription implements SecretSubscription, FileChangesListener, PatienceOwner {
  readonly local = true;
  readonly #path: string;
  readonly #watchedFolder: string;
  readonly #target: SdsSecret<unknown>;
  readonly #files: FileChanges;
  readonly #patience: Patience;
  #started = false;
  #text = '';

  constructor(
    path: string,
    watchedFolder: string,
    target: SdsSecret<unknown>,
    server: ServerContext,
    folders: FolderWatches = new FolderWatches(),
  ) {
    this.#path = path;
    this.#watchedFolder = watchedFolder;
    this.#target = target;
    this.#files = new FileChanges({ clock: server.clock, timers: server.timers, folders }, this);
    this.#patience = new Patience(server.timers, pairWaitMs, this);
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    if (this.#watchedFolder === '') this.#files.watch([this.#path], []);
    else this.#files.watch([], [this.#watchedFolder]);
    this.onFilesChanged();
  }

  close(): void {
    this.#files.close();
    this.#patience.end();
  }

  /** @see FileChangesListener */
  onFilesChanged(): void {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch {
      this.#wait(`${this.#path} cannot be read`);
      return;
    }
    if (text === this.#text) {
      this.#patience.end();
      return;
    }
    const secret = this.#parse(text);
    if (typeof secret === 'string') {
      this.#wait(secret);
      return;
    }
    this.#patience.end();
    this.#text = text;
    this.#target.stats.updateAttempt.inc();
    this.#target.offer(secret);
  }

  /** @see PatienceOwner */
  onPatienceOver(problem: string): void {
    this.#target.stats.updateAttempt.inc();
    this.#target.rejected(problem);
  }

  // There is nothing to serve before the first, so that is told at once.
  #wait(problem: string): void {
    if (this.#target.current !== null) this.#patience.wait(problem);
    else if (this.#target.problem !== problem) this.onPatienceOver(problem);
  }

  #parse(text: string): Secret | string {
    const { message, diagnostics } = loadMessage<DiscoveryResponse>(
      'envoy.service.discovery.v3.DiscoveryResponse',
      text,
      this.#path,
    );
    const first = diagnostics.errors[0];
    if (first !== undefined) return `${this.#path}: ${describeProblem(first.path, first.problem, first.suggestion)}`;
    try {
      return findSecret(message, this.#target.name) ?? `${this.#path} has no secret '${this.#target.name}'`;
    } catch {
      return `${this.#path}: a resource is malformed`;
    }
  }
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
