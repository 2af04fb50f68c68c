import { createHash } from 'node:crypto';
import type { InitTarget, ServerContext } from '#gateway/api/context.ts';
import { printable } from '#gateway/base/printable.ts';
import { Diagnostics, describeProblem } from '#gateway/config/diagnostics.ts';
import { encodeMessage } from '#gateway/proto/registry.ts';
import type { Timer } from '#gateway/runtime/timers.ts';
import { type DirectoryWatch, watchDirectory } from '#gateway/runtime/watch-directory.ts';
import type { Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { ChangingSecret } from './changing-secret.ts';
import { SdsStats } from './sds-stats.ts';
import type { SecretReader } from './secret-reader.ts';

/** Where a secret's messages come from: a file or an SDS service. */
export interface SecretSubscription {
  /** Begins; every message is given to `SdsSecret.accept`. */
  start(): void;
  close(): void;
}

/** How long changes of files are gathered before they are read: an editor or a rename makes several. */
const gatherMs = 20;

/**
 * A secret that is delivered from outside: it takes messages, refuses those that cannot be used (what was in force stays), and
 * reads again when a file that the message names changes. It is an init target: listeners wait for its first value, or
 * until `initialFetchTimeoutMs` has passed.
 */
export class SdsSecret<T> extends ChangingSecret<T> implements InitTarget {
  readonly stats: SdsStats;
  readonly #server: ServerContext;
  readonly #reader: SecretReader<T>;
  readonly #initialFetchTimeoutMs: number;
  #subscription: SecretSubscription | null = null;
  #message: Secret | null = null;
  #seen = '';
  #watches: DirectoryWatch[] = [];
  #watchedPaths = '';
  #fetchTimer: Timer | null = null;
  #rereadTimer: Timer | null = null;
  #done: (() => void) | null = null;

  constructor(name: string, reader: SecretReader<T>, server: ServerContext, initialFetchTimeoutMs: number) {
    super(name);
    this.#reader = reader;
    this.#server = server;
    this.#initialFetchTimeoutMs = initialFetchTimeoutMs;
    this.stats = new SdsStats(server.stats, name);
  }

  /** Names where the messages come from; before `start`. */
  from(subscription: SecretSubscription): void {
    this.#subscription = subscription;
  }

  /** @see InitTarget */
  start(done: () => void): void {
    if (this.current !== null) {
      this.#subscription?.start();
      done();
      return;
    }
    this.#done = done;
    if (this.#initialFetchTimeoutMs > 0) {
      this.#fetchTimer = this.#server.timers.create(this);
      this.#fetchTimer.enable(this.#initialFetchTimeoutMs);
    }
    this.#subscription?.start();
  }

  /** Stops following the source. */
  close(): void {
    this.#subscription?.close();
    this.#unwatch();
    this.#fetchTimer?.disable();
    this.#rereadTimer?.disable();
  }

  /** A message came. The answer is '' when it is in force now, else why it is refused (to be sent as a NACK). */
  accept(message: Secret): string {
    const problem = this.#read(message);
    if (problem !== '') {
      this.stats.updateRejected.inc();
      this.#server.logs.get('secret').warning(`secret '${this.name}' is refused: ${problem}`);
      return problem;
    }
    this.#message = message;
    this.stats.updateSuccess.inc();
    this.#watch(message);
    return '';
  }

  /** Nothing came, or it could not be read at all. Listeners need not wait any longer. */
  failed(why: string): void {
    this.stats.updateFailure.inc();
    this.#server.logs.get('secret').warning(`secret '${this.name}' cannot be fetched: ${printable(why)}`);
  }

  /** @see TimerTarget */
  onTimer(timer: Timer): void {
    if (timer === this.#fetchTimer) {
      this.stats.initFetchTimeout.inc();
      this.#server.logs.get('secret').warning(`secret '${this.name}' did not come in time; going on without`);
      this.#finishInit();
      return;
    }
    if (this.#message === null) return;
    const problem = this.#read(this.#message);
    if (problem === '') return;
    this.stats.keyRotationFailed.inc();
    this.#server.logs.get('secret').warning(`secret '${this.name}' cannot be rotated: ${problem}`);
  }

  #read(message: Secret): string {
    const diagnostics = new Diagnostics();
    const value = this.#reader.read(message, this.#server, diagnostics);
    if (value === null || diagnostics.failed) {
      return diagnostics.errors.map((found) => describeProblem(found.path, found.problem, null)).join('; ');
    }
    const seen = fingerprint(message, value);
    if (seen !== this.#seen) {
      this.#seen = seen;
      this.set(value);
      this.stats.version.set(this.version);
    }
    this.#finishInit();
    return '';
  }

  #finishInit(): void {
    this.#fetchTimer?.disable();
    const done = this.#done;
    this.#done = null;
    done?.();
  }

  #watch(message: Secret): void {
    const { files, folders } = this.#reader.watched(message);
    const paths = new Set([...folders, ...files.map(folderOf)]);
    const wanted = [...paths].join('\n');
    if (wanted === this.#watchedPaths) return;
    this.#unwatch();
    this.#watchedPaths = wanted;
    const changed = (): void => {
      this.#rereadTimer ??= this.#server.timers.create(this);
      this.#rereadTimer.enable(gatherMs);
    };
    for (const path of paths) {
      try {
        this.#watches.push(watchDirectory(path, changed));
      } catch {
        this.#server.logs.get('secret').warning(`the folder ${path} cannot be watched for secret '${this.name}'`);
      }
    }
  }

  #unwatch(): void {
    for (const watch of this.#watches) watch.close();
    this.#watches = [];
    this.#watchedPaths = '';
  }
}

function folderOf(file: string): string {
  const slash = file.lastIndexOf('/');
  return slash === -1 ? '.' : slash === 0 ? '/' : file.slice(0, slash);
}

// Equal fingerprints mean that nothing changed, so that a touched file or a repeated message swaps nothing.
function fingerprint(message: Secret, value: unknown): string {
  const parts = value as {
    readonly certificateChain?: string;
    readonly privateKey?: string;
    readonly trustedCa?: string;
  };
  const texts = [parts.certificateChain ?? '', parts.privateKey ?? '', parts.trustedCa ?? ''];
  const hash = createHash('sha256').update(encodeMessage(message));
  for (const text of texts) hash.update(`${text.length}:`).update(text);
  return hash.digest('base64');
}
