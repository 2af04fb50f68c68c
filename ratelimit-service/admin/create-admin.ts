import type { LogRegistry } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Random } from '#gateway/runtime/random.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import type { AdminSettings } from '../config/settings-admin.ts';
import type { QuotaService } from '../quota/quota-service.ts';
import type { LimitService } from '../service/limit-service.ts';
import type { CounterStore } from '../store/counter-store.ts';
import type { LocalCache } from '../store/local-cache.ts';
import type { LocalEstimate } from '../store/local-estimate.ts';
import { PerSecondStore } from '../store/per-second-store.ts';
import { RedisStore } from '../store/redis-store.ts';
import type { AdminApiOptions } from './admin-api.ts';
import { AdminTokens } from './admin-tokens.ts';
import { AuditLog } from './audit-log.ts';
import { ExemptionList } from './exemption-list.ts';
import { HotKeys } from './hot-keys.ts';
import { LimitAdmin } from './limit-admin.ts';
import { MemoryNotes } from './memory-notes.ts';
import { RedisNotes } from './redis-notes.ts';
import type { NotesReader } from './shared-notes.ts';

/** What looking at limits and touching them takes of a service. */
export interface AdminPartsOptions {
  readonly settings: AdminSettings & { readonly CACHE_KEY_PREFIX: string };
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logs: LogRegistry;
}

/** The parts that plans are made with; they are made before the service is. */
export interface PlanningParts {
  readonly exemptions: ExemptionList;
  /** Null: no list of hottest keys is kept, because nobody could ask for it or TOP_KEYS is 0. */
  readonly hotKeys: HotKeys | null;
  readonly tokens: AdminTokens | null;
  readonly audit: AuditLog;
}

/** Makes them. `changed` is called when plans are no longer right. Throws when a file of the settings cannot be used. */
export function createPlanningParts(
  { settings, clock, timers, logs }: AdminPartsOptions,
  changed: () => void,
): PlanningParts {
  const log = logs.get('admin');
  const tokens = openTokens(settings.ADMIN_TOKEN_FILE);
  if (tokens?.readableByOthers === true) {
    log.warning(`ADMIN_TOKEN_FILE=${settings.ADMIN_TOKEN_FILE} may be read by every user of this machine`);
  }
  const listed = tokens !== null && settings.TOP_KEYS > 0;
  return {
    exemptions: new ExemptionList(clock, timers, changed),
    hotKeys: listed ? new HotKeys({ size: settings.TOP_KEYS, windowMs: settings.TOP_WINDOW }, timers, clock) : null,
    tokens,
    audit: openAudit(settings.ADMIN_AUDIT_LOG, clock, logs),
  };
}

/** The interface of a service, and what ends it. */
export interface Admin extends AdminApiOptions {
  close(): void;
}

/** The parts of a service that count, or know what was counted. */
export interface CountingParts {
  readonly limits: LimitService;
  readonly store: CounterStore;
  /** Null: LOCAL_CACHE_SIZE_IN_BYTES is 0. */
  readonly cache: LocalCache | null;
  readonly estimate: LocalEstimate;
  readonly quota: QuotaService;
}

/** Joins planning parts and a service. Without a token nobody looks for exemptions: nobody can make one here. */
export async function createAdmin(
  { settings, clock, timers, random, logs }: AdminPartsOptions,
  { exemptions, hotKeys, tokens, audit }: PlanningParts,
  { limits, store, cache, estimate, quota }: CountingParts,
): Promise<Admin> {
  const log = logs.get('admin');
  const reader: NotesReader = {
    onExemptions: (all) => exemptions.replace(all),
    onReset: (keys) => {
      for (const key of keys) cache?.forget(key);
      estimate.forget(keys);
      quota.onReset(keys);
    },
  };
  hotKeys?.start();
  const main = store instanceof PerSecondStore ? store.main : store;
  let notes: MemoryNotes | RedisNotes = new MemoryNotes(clock, reader);
  if (tokens !== null && main instanceof RedisStore) {
    const pollMs = settings.EXEMPTION_POLL_INTERVAL;
    notes = new RedisNotes(main.client, reader, { keyPrefix: settings.CACHE_KEY_PREFIX, pollMs, timers, random, log });
    await notes.start();
  }
  return {
    admin: new LimitAdmin({ limits, store, cache, estimate, clock, random, exemptions, notes, hotKeys }),
    tokens,
    audit,
    log,
    close: () => {
      notes.close();
      exemptions.close();
      hotKeys?.close();
    },
  };
}

function openTokens(path: string): AdminTokens | null {
  if (path === '') return null;
  try {
    return new AdminTokens(path);
  } catch (error) {
    throw new Error(`ADMIN_TOKEN_FILE=${path}: ${(error as Error).message}`);
  }
}

function openAudit(path: string, clock: Clock, logs: LogRegistry): AuditLog {
  try {
    return new AuditLog(path, clock, logs.get('admin'));
  } catch (error) {
    throw new Error(`ADMIN_AUDIT_LOG=${path}: ${(error as Error).message}`);
  }
}
