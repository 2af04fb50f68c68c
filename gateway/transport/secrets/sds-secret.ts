import { createHash } from 'node:crypto';
import type { InitTarget, ServerContext } from '#gateway/api/context.ts';
import { printable } from '#gateway/base/printable.ts';
import { xxhash64 } from '#gateway/base/xxhash64.ts';
import { Diagnostics, describeProblem } from '#gateway/config/diagnostics.ts';
import { encodeMessage } from '#gateway/proto/registry.ts';
import type { Timer } from '#gateway/runtime/timers.ts';
import type { Secret } from '#proto-types/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { type Finding, mayPass, refusalOf } from '../rehearsal/rules.ts';
import { ChangingSecret } from './changing-secret.ts';
import { FileChanges, type FileChangesListener } from './file-changes.ts';
import { Patience, type PatienceOwner } from './patience.ts';
import { RotationStats } from './rotation-stats.ts';
import { SdsStats } from './sds-stats.ts';
import type { SecretReader } from './secret-reader.ts';
import { plainSecretTools, type SecretTools } from './secret-tools.ts';

/** Where a secret's messages come from: a file or an SDS service. */
export interface SecretSubscription {
  /** True for files: they can be read without asking anybody. */
  readonly local?: boolean;
  /** Begins; every message is given to `SdsSecret.accept`. */
  start(): void;
  close(): void;
}

/** How long a certificate waits for its key (or the rest of a file) before that is told. Milliseconds. */
export const pairWaitMs = 10_000;

/** A message of a service, and who waits for what becomes of it. */
interface Delivery {
  readonly message: Secret;
  readonly version: string;
  readonly told: (problem: string) => void;
}

/** A message that was read and rehearsed. */
interface Verdict<T> {
  readonly message: Secret;
  /** Null when it could not be read. */
  readonly value: T | null;
  readonly seen: string;
  /** Why it is refused, or ''. */
  readonly problem: string;
  /** What is wrong may pass by itself: files are being written. */
  readonly passing: boolean;
  readonly findings: readonly Finding[];
}

/**
 * A secret that is delivered from outside. Each value that comes, by message or by a change of the files that a message names,
 * is rehearsed; one that fails is refused, and what was in force stays. It is an init target: listeners wait for its
 * first value, for its refusal, or until `initialFetchTimeoutMs` has passed.
 */
export class SdsSecret<T> extends ChangingSecret<T> implements InitTarget, FileChangesListener, PatienceOwner {
  readonly stats: SdsStats;
  readonly rotationStats: RotationStats;
  /** When the value in force came, wall clock milliseconds; 0 while there is none. */
  updatedMs = 0;
  /** Why the latest value is not in force, or ''. */
  problem = '';
  /** When that was found, wall clock milliseconds. */
  problemMs = 0;
  /** What the source calls the value in force; null while there is none. */
  versionInfo: string | null = null;
  /** What the rehearsal of the value in force warned of. */
  findings: readonly Finding[] = [];
  readonly #server: ServerContext;
  readonly #reader: SecretReader<T>;
  readonly #tools: SecretTools;
  readonly #initialFetchTimeoutMs: number;
  readonly #released: () => void;
  readonly #files: FileChanges;
  readonly #patience: Patience;
  #subscription: SecretSubscription | null = null;
  /** Of the value in force. */
  #message: Secret | null = null;
  /** Came later from a file and waits for others; or null. */
  #candidate: Secret | null = null;
  #seen = '';
  /** Messages of a service; the first is being rehearsed. */
  readonly #messages: Delivery[] = [];
  /** A rehearsal of files is going on. */
  #rehearsing = false;
  /** Files changed meanwhile. */
  #again = false;
  /** Grows with each value, so that a rehearsal that was overtaken is known. */
  #round = 0;
  #closed = false;
  #fetchTimer: Timer | null = null;
  #done: (() => void) | null = null;

  /** `released` is called when the last listener is gone, after which nothing is followed any more. */
  constructor(
    name: string,
    reader: SecretReader<T>,
    server: ServerContext,
    initialFetchTimeoutMs: number,
    released: () => void = ignore,
    tools: SecretTools = plainSecretTools(),
  ) {
    super(name);
    this.#reader = reader;
    this.#server = server;
    this.#tools = tools;
    this.#initialFetchTimeoutMs = initialFetchTimeoutMs;
    this.#released = released;
    this.stats = new SdsStats(server.stats, name);
    this.rotationStats = new RotationStats(this.stats.scope);
    this.#files = new FileChanges({ clock: server.clock, timers: server.timers, folders: tools.folders }, this);
    this.#patience = new Patience(server.timers, pairWaitMs, this);
  }

  /** What is being waited for before a refusal is told, or ''. */
  get waiting(): string {
    return this.#patience.waiting;
  }

  /** The message in force, or null: for /config_dump. */
  get message(): Secret | null {
    return this.#message;
  }

  /** Whether it comes from a file, and not from a service. */
  get local(): boolean {
    return this.#subscription?.local === true;
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
    this.#closed = true;
    this.#subscription?.close();
    this.#files.close();
    this.#patience.end();
    this.#fetchTimer?.disable();
  }

  /**
   * A message came from a service. `told` is called once, with '' when it is in force or with why it is refused (to be sent as a
   * NACK): in the order of the messages, maybe before this returns.
   */
  accept(message: Secret, version: string, told: (problem: string) => void): void {
    this.#messages.push({ message, version, told });
    if (this.#messages.length === 1) this.#nextMessage();
  }

  /** A message came from a file. One whose certificate and key do not match yet is tried again when they change. */
  offer(message: Secret): void {
    this.#candidate = message;
    this.onFilesChanged();
  }

  /** What is in force is what the source has. */
  confirmed(version: string): void {
    this.stats.updateSuccess.inc();
    this.stats.version.set(Number(xxhash64(version)));
    this.stats.versionText.value = version;
    this.stats.updateTime.set(this.#server.clock.wallMs());
    if (this.#message !== null) this.versionInfo = version;
  }

  /** A message came that cannot be used. What was in force stays; listeners need not wait any longer. */
  rejected(why: string): void {
    this.stats.updateRejected.inc();
    this.#refuse('is refused', why);
  }

  /** Nothing came: the service cannot be reached. */
  failed(why: string): void {
    this.stats.updateFailure.inc();
    this.#server.logs.get('secret').warning(`secret '${this.name}' cannot be fetched: ${printable(why)}`);
  }

  /** @see TimerTarget: the first value did not come in time. */
  onTimer(): void {
    this.stats.initFetchTimeout.inc();
    this.stats.updateAttempt.inc();
    this.#server.logs.get('secret').warning(`secret '${this.name}' did not come in time; going on without`);
    this.#finishInit();
  }

  protected override unused(): void {
    this.close();
    this.stats.scope.close();
    this.#released();
  }

  /** @see FileChangesListener */
  onFilesChanged(): void {
    if (this.#rehearsing) {
      this.#again = true;
      return;
    }
    const message = this.#candidate ?? this.#message;
    if (message === null || this.#closed) return;
    this.#rehearsing = true;
    const round = ++this.#round;
    this.#watch(message); // before the files are read: no change in between is lost
    this.#rehearse(message, (verdict) => {
      this.#rehearsing = false;
      if (this.#closed) return;
      if (round === this.#round) this.#takeFiles(verdict);
      if (!this.#again) return;
      this.#again = false;
      this.onFilesChanged();
    });
  }

  /** @see PatienceOwner */
  onPatienceOver(problem: string): void {
    if (this.#candidate !== null) {
      this.rejected(problem);
      return;
    }
    this.stats.keyRotationFailed.inc();
    this.#refuse('cannot be rotated', problem);
  }

  #nextMessage(): void {
    const { message, version, told } = this.#messages[0]!;
    this.#rehearse(message, (verdict) => {
      if (this.#closed) return;
      if (verdict.problem === '') {
        this.#put(verdict);
        this.confirmed(version);
      } else this.rejected(verdict.problem);
      told(verdict.problem);
      this.#messages.shift();
      if (this.#messages.length > 0) this.#nextMessage();
    });
  }

  #takeFiles(verdict: Verdict<T>): void {
    if (verdict.problem === '') {
      const isNew = verdict.message === this.#candidate;
      this.#put(verdict);
      if (isNew) this.confirmed('');
    } else if (this.current !== null && verdict.passing) {
      this.#patience.wait(verdict.problem);
    } else if (verdict.problem !== this.problem) {
      // Where there is nothing to serve meanwhile it is told at once too, and a server that starts goes on, as Envoy does.
      this.onPatienceOver(verdict.problem);
    }
  }

  #read(message: Secret): Verdict<T> {
    const diagnostics = new Diagnostics();
    const value = this.#reader.read(message, this.#server, diagnostics);
    const problem = diagnostics.errors.map((found) => describeProblem(found.path, found.problem, null)).join('; ');
    const seen = value === null ? '' : fingerprint(message, value);
    return { message, value, seen, problem, passing: true, findings: [] };
  }

  #rehearse(message: Secret, told: (verdict: Verdict<T>) => void): void {
    const read = this.#read(message);
    const { value } = read;
    if (value === null || read.problem !== '' || read.seen === this.#seen || this.#reader.rehearse === undefined) {
      told(read);
      return;
    }
    const stage = { clock: this.#server.clock, timers: this.#server.timers, uses: this.#tools.usesOf(this) };
    this.#reader.rehearse(value, this.current, stage, (findings) => {
      const problem = refusalOf(findings);
      if (problem !== '') this.rotationStats.rehearsalRefused.inc();
      told({ ...read, problem, passing: mayPass(findings), findings });
    });
  }

  #put({ message, value, seen, findings }: Verdict<T>): void {
    this.#message = message;
    this.#candidate = null;
    this.#round++;
    this.problem = '';
    this.#patience.end();
    this.rotationStats.refused.set(0);
    if (seen !== this.#seen) {
      this.#seen = seen;
      this.findings = findings;
      this.updatedMs = this.#server.clock.wallMs();
      if (this.current !== null) this.rotationStats.rotations.inc();
      for (const { detail } of findings) {
        this.rotationStats.rehearsalWarnings.inc();
        this.#server.logs.get('secret').warning(`secret '${this.name}': ${printable(detail)}`);
      }
      this.set(value);
    }
    // What changed between reading and watching nobody would tell.
    if (this.#watch(message)) this.#files.look();
    this.#finishInit();
  }

  #refuse(how: string, problem: string): void {
    this.problem = problem;
    this.problemMs = this.#server.clock.wallMs();
    this.rotationStats.refused.set(1);
    const rest = this.current === null ? '' : '; the one before stays in force';
    this.#server.logs.get('secret').warning(`secret '${this.name}' ${how}: ${printable(problem)}${rest}`);
    this.#finishInit();
  }

  #finishInit(): void {
    this.settle();
    this.#fetchTimer?.disable();
    const done = this.#done;
    this.#done = null;
    done?.();
  }

  /** True when other files than before are followed from here on. */
  #watch(message: Secret): boolean {
    const { files, folders } = this.#reader.watched(message);
    return this.#files.watch(files, folders);
  }
}

function ignore(): void {}

// Equal fingerprints mean that nothing changed, so that a touched file or a repeated message swaps nothing.
function fingerprint(message: Secret, value: unknown): string {
  const hash = createHash('sha256').update(encodeMessage(message));
  for (const part of Object.values(value as object)) {
    if (typeof part === 'string' || part instanceof Uint8Array) hash.update(`:${part.length}:`).update(part);
  }
  return hash.digest('base64');
}
