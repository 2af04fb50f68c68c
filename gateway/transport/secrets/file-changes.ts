import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import type { FolderListener, FolderWatches } from './folder-watches.ts';
import { contentsOf, foldersOf, signatureOf } from './watched-paths.ts';

/** Nothing must have happened for this long before files are read: one rotation makes several events. Milliseconds. */
const quietMs = 30;
/** Where something happens all the time, files are read this long after the first event all the same. */
const maxGatherMs = 250;
/** How often files are looked at where every watch works: network file systems tell nothing of what others do. */
const slowLookMs = 5000;
/** How often files are looked at where watches ran out or failed. */
const fastLookMs = 500;
/**
 * Time stamps are as coarse as a tick of the system's clock, two seconds on some file systems: of files that changed less than
 * this ago the contents are compared too. Milliseconds.
 */
const settleMs = 2000;

/** What following files takes of the server. */
export interface FileChangesServices {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly folders: FolderWatches;
}

/** Told that files may have changed and are quiet now. They may not be complete: a slow writer pauses too. */
export interface FileChangesListener {
  onFilesChanged(): void;
}

/**
 * Follows files by whatever way they are replaced: written in place, renamed over, deleted and created, by symbolic links to
 * files or folders. It watches folders and never files, gathers events, and looks for itself every now and then: often when
 * watches ran out.
 */
export class FileChanges implements FolderListener, TimerTarget {
  readonly #services: FileChangesServices;
  readonly #listener: FileChangesListener;
  readonly #quiet: Timer;
  readonly #look: Timer;
  #files: readonly string[] = [];
  #folders: readonly string[] = [];
  #followed: readonly string[] = [];
  #key = '';
  #signature = '';
  /** Of files that have changed of late; '' once they have settled. */
  #contents = '';
  #settledMs = 0;
  #firstEventMs = -1;
  /** The listener is told in any case. */
  #due = false;
  /** True while a folder cannot be watched and files are looked at instead. */
  polling = false;

  constructor(services: FileChangesServices, listener: FileChangesListener) {
    this.#services = services;
    this.#listener = listener;
    this.#quiet = services.timers.create(this);
    this.#look = services.timers.create(this);
  }

  /** Follows these files, and everything in these folders, instead of what was followed before; true when that is new. */
  watch(files: readonly string[], folders: readonly string[]): boolean {
    const key = [...files, '', ...folders].join('\n');
    if (key === this.#key) return false;
    this.#key = key;
    this.#files = files;
    this.#folders = folders;
    this.#follow();
    this.#note(signatureOf(files, folders));
    return files.length + folders.length > 0;
  }

  /** Stops. */
  close(): void {
    this.watch([], []);
    this.#quiet.disable();
  }

  /** Tells the listener after a moment, whether or not anything changes. */
  look(): void {
    this.#due = true;
    this.onFolderChanged();
  }

  /** @see FolderListener */
  onFolderChanged(): void {
    const nowMs = this.#services.clock.nowMs();
    if (this.#firstEventMs === -1) this.#firstEventMs = nowMs;
    const leftMs = this.#firstEventMs + maxGatherMs - nowMs;
    this.#quiet.enable(Math.max(1, Math.min(quietMs, leftMs)));
  }

  /** @see TimerTarget */
  onTimer(timer: Timer): void {
    if (timer === this.#quiet) {
      this.#firstEventMs = -1;
      this.#follow();
      const signature = signatureOf(this.#files, this.#folders);
      const changed = signature !== this.#signature;
      if (changed) this.#note(signature);
      // The folders above those that are followed are watched too, and what happens there does not count.
      if (this.#files.length > 0 || changed || this.#due) this.#listener.onFilesChanged();
      this.#due = false;
      return;
    }
    const signature = signatureOf(this.#files, this.#folders);
    if (signature !== this.#signature || this.#unsettled()) {
      this.#note(signature);
      this.look();
    } else if (!this.polling) {
      this.#look.enable(slowLookMs);
      return;
    }
    this.#follow();
  }

  #note(signature: string): void {
    this.#signature = signature;
    this.#contents = contentsOf(this.#files, this.#folders);
    this.#settledMs = this.#services.clock.nowMs() + settleMs;
  }

  /** Whether files have changed once more after their latest change, too soon after it for their time stamps to show. */
  #unsettled(): boolean {
    if (this.#contents === '') return false;
    if (contentsOf(this.#files, this.#folders) !== this.#contents) return true;
    if (this.#services.clock.nowMs() >= this.#settledMs) this.#contents = '';
    return false;
  }

  // Links may lead elsewhere now, and folders may have been made anew.
  #follow(): void {
    const inFolders = this.#folders.map((folder) => `${folder}/.`);
    const wanted = [...new Set([...this.#files, ...inFolders].flatMap(foldersOf))];
    const { folders } = this.#services;
    this.polling = false;
    for (const folder of wanted) if (!folders.follow(folder, this)) this.polling = true;
    for (const folder of this.#followed) if (!wanted.includes(folder)) folders.leave(folder, this);
    this.#followed = wanted;
    if (wanted.length === 0) this.#look.disable();
    else this.#look.enable(this.polling ? fastLookMs : slowLookMs);
  }
}
