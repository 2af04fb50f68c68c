import { boolean, duration, type EnvironmentShape, integer, text } from './environment-values.ts';

/** Looking at limits and touching them while the service runs, and how much is kept for it. */
export const adminShape: EnvironmentShape<AdminSettings> = {
  ADMIN_TOKEN_FILE: text(''),
  ADMIN_AUDIT_LOG: text(''),
  EXEMPTION_POLL_INTERVAL: duration('2s').refine((value) => value >= 100, 'must be at least 100ms'),
  GRPC_REFLECTION: boolean(true),
  TOP_KEYS: integer(200, 10_000),
  TOP_WINDOW: duration('1m').refine((value) => value >= 1000, 'must be at least 1s'),
  STATS_MAX_NAMES: integer(10_000, 10_000_000),
};

/** The values of {@link adminShape}. Durations are milliseconds. */
export interface AdminSettings {
  /** Bearer tokens, one a line; empty: `/admin` is off. */
  readonly ADMIN_TOKEN_FILE: string;
  /** Where writes are noted, one JSON text a line; empty: in the log only. */
  readonly ADMIN_AUDIT_LOG: string;
  /** How often instances look for the exemptions of others. */
  readonly EXEMPTION_POLL_INTERVAL: number;
  /** Whether clients may ask the gRPC port for its services and their proto files. */
  readonly GRPC_REFLECTION: boolean;
  /** Keys watched in each domain for the list of hottest keys; 0: there is no list. */
  readonly TOP_KEYS: number;
  /** The list tells of one to two of these. */
  readonly TOP_WINDOW: number;
  /** Names in statistics that requests make up. */
  readonly STATS_MAX_NAMES: number;
}

/** What is set and changes nothing, each as a sentence. */
export function adminNotices({ ADMIN_TOKEN_FILE: tokens, ADMIN_AUDIT_LOG: log }: AdminSettings): string[] {
  return tokens === '' && log !== '' ? ['ADMIN_AUDIT_LOG has no effect: without ADMIN_TOKEN_FILE /admin is off'] : [];
}
