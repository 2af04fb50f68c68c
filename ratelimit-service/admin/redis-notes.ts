import type { Cluster, Redis } from 'ioredis';
import type { Logger } from '#gateway/base/log.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';
import { type Exemption, type ExemptionWish, maxExemptions, readExemption } from './exemption.ts';
import type { NotesReader, SharedNotes } from './shared-notes.ts';

/** What the notes need. */
export interface RedisNotesOptions {
  /** CACHE_KEY_PREFIX: what instances share, they share under it. */
  readonly keyPrefix: string;
  /** EXEMPTION_POLL_INTERVAL, milliseconds. */
  readonly pollMs: number;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Logger;
}

/** How long a reset stays among the notes, milliseconds, and how many intervals at least: everybody has looked by then. */
const resetMs = 30_000;
const resetPolls = 5;

/** Longest wait for the answer to a write, milliseconds. */
const writeMs = 2000;

/** An answer that has not come after so many intervals is no longer waited for. */
const patience = 5;

/**
 * Adds a note and sweeps those that have ended. KEYS: the notes. ARGV: its name, its text, how long it lasts, how many there
 * may be (0 for any number). Answers its end, by Redis's clock, or -1. The version is Redis's time, so that it never comes back.
 */
const addScript = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local all = redis.call('HGETALL', KEYS[1])
local count, last = 0, 0
for i = 1, #all, 2 do
  if all[i] ~= 'version' then
    local ends = tonumber(string.match(all[i + 1], '^%d+'))
    if not ends or ends <= now then
      redis.call('HDEL', KEYS[1], all[i])
    else
      if string.sub(all[i], 1, 2) == 'e:' and all[i] ~= ARGV[1] then count = count + 1 end
      if ends > last then last = ends end
    end
  end
end
if tonumber(ARGV[4]) > 0 and count >= tonumber(ARGV[4]) then return -1 end
local ends = now + tonumber(ARGV[3])
if ends > last then last = ends end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', ends) .. ' ' .. ARGV[2])
redis.call('HSET', KEYS[1], 'version', t[1] .. '.' .. t[2])
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', last + 60000))
return ends
`;

/** Removes a note; answers how many there were. */
const removeScript = `
local gone = redis.call('HDEL', KEYS[1], ARGV[1])
if gone == 1 then
  local t = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'version', t[1] .. '.' .. t[2])
end
return gone
`;

/**
 * Notes in one hash of Redis, that all instances look at: one `HGET` an interval, and all of it when the version is another.
 * While Redis cannot be asked what is known stays in force until it ends.
 */
export class RedisNotes implements SharedNotes, TimerTarget {
  readonly shared: boolean = true;
  readonly staleMs: number;
  readonly #redis: Redis | Cluster;
  readonly #reader: NotesReader;
  readonly #options: RedisNotesOptions;
  readonly #key: string;
  readonly #timer: Timer;
  /** What the names of this instance's own resets begin with: it has heeded them when it reads them. */
  readonly #ownResets: string;
  #version: string | null = null;
  /** Resets that were handed on, with their ends. */
  #resets = new Map<string, number>();
  #looking: Promise<void> | null = null;
  #waited = 0;
  #failing = false;
  #closed = false;

  constructor(redis: Redis | Cluster, reader: NotesReader, options: RedisNotesOptions) {
    this.#redis = redis;
    this.#reader = reader;
    this.#options = options;
    this.#key = `${options.keyPrefix}sluice:notes`;
    this.staleMs = options.pollMs;
    this.#ownResets = `r:${options.random.uuid()}:`;
    this.#timer = options.timers.create(this);
  }

  /** Looks for the first time, and from now on at every interval. */
  async start(): Promise<void> {
    this.#timer.enable(this.#options.pollMs);
    await this.#lookNow();
  }

  onTimer(): void {
    this.#timer.enable(this.#options.pollMs);
    if (this.#looking !== null && ++this.#waited < patience) return;
    void this.#look();
  }

  async addExemption(wish: ExemptionWish, forMs: number): Promise<Exemption | null> {
    const text = JSON.stringify(wish);
    const ends = await this.#within(
      this.#redis.eval(addScript, 1, this.#key, `e:${wish.id}`, text, forMs, maxExemptions),
    );
    if (ends === -1) return null;
    await this.#lookNow();
    return { ...wish, until_ms: Number(ends) };
  }

  async removeExemption(id: string): Promise<boolean> {
    const gone = await this.#within(this.#redis.eval(removeScript, 1, this.#key, `e:${id}`));
    await this.#lookNow();
    return gone === 1;
  }

  async announceReset(keys: readonly string[]): Promise<void> {
    this.#reader.onReset(keys);
    const name = this.#ownResets + this.#options.random.uuid();
    const lifeMs = Math.max(resetMs, resetPolls * this.#options.pollMs);
    await this.#within(this.#redis.eval(addScript, 1, this.#key, name, JSON.stringify(keys), lifeMs, 0));
  }

  close(): void {
    this.#closed = true;
    this.#timer.disable();
  }

  /** Rejects when a Redis that hangs does not answer in time: what was asked may still be done later. */
  async #within<T>(answer: Promise<T>): Promise<T> {
    return await new Promise((resolve, reject) => {
      const late = (): void => reject(new Error(`no answer within ${writeMs} ms; it may still be done later`));
      const timer = this.#options.timers.create({ onTimer: late });
      timer.enable(writeMs);
      answer.then(resolve, reject).finally(() => timer.disable());
    });
  }

  /** Looks, and does not wait for a Redis that hangs. */
  async #lookNow(): Promise<void> {
    await this.#within(this.#look()).catch((error: Error) => this.#failed(error));
  }

  async #look(): Promise<void> {
    this.#waited = 0;
    const looking = this.#read().catch((error: Error) => this.#failed(error));
    this.#looking = looking;
    await looking;
    if (this.#looking === looking) this.#looking = null;
  }

  async #read(): Promise<void> {
    const version = await this.#redis.hget(this.#key, 'version');
    if (version !== this.#version) {
      const notes = await this.#redis.hgetall(this.#key);
      if (this.#closed) return;
      this.#version = notes['version'] ?? null;
      this.#take(notes);
    }
    if (this.#failing) this.#options.log.warning('exemptions: Redis can be asked for them again');
    this.#failing = false;
  }

  #take(notes: Readonly<Record<string, string>>): void {
    const exemptions: Exemption[] = [];
    const resets = new Map<string, number>();
    for (const [name, note] of Object.entries(notes)) {
      const space = note.indexOf(' ');
      const ends = Number(note.slice(0, space));
      const text = note.slice(space + 1);
      if (name.startsWith('e:')) {
        const exemption = readExemption(text, ends);
        if (exemption !== null) exemptions.push(exemption);
      } else if (name.startsWith('r:')) {
        resets.set(name, ends);
        if (!(this.#resets.has(name) || name.startsWith(this.#ownResets))) this.#reader.onReset(readKeys(text));
      }
    }
    this.#resets = resets;
    this.#reader.onExemptions(exemptions);
  }

  #failed(error: Error): void {
    if (!(this.#failing || this.#closed)) {
      this.#options.log.warning(`exemptions: Redis cannot be asked for them: ${error.message}`);
    }
    this.#failing = true;
  }
}

function readKeys(json: string): string[] {
  try {
    const keys: unknown = JSON.parse(json);
    return Array.isArray(keys) ? keys.filter((key) => typeof key === 'string') : [];
  } catch {
    return [];
  }
}
