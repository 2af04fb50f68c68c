import { algorithmName } from '../config/algorithm.ts';
import { limitText } from './limit-text.ts';
import type { ComparedCounts } from './log-replayer.ts';
import { timeText } from './log-time.ts';
import type { Replay } from './replay.ts';
import type { RuleReport } from './rule-report.ts';
import type { SimulationOptions, SimulationResult, UnreadLine } from './simulate-log.ts';

/** What is shown of one rule. Member names are what `--json` prints. */
export interface RuleSummary {
  readonly rule: string;
  readonly limit: string;
  readonly algorithm: string;
  readonly requests: number;
  readonly hits: number;
  readonly limited: number;
  readonly limited_hits: number;
  /** Over the rule but let pass: shadow mode, or a quota beside others. */
  readonly would_limit: number;
  readonly first_limited: string | null;
  readonly last_limited: string | null;
  /** The most that one key asked for in one window of the clock (or had in flight), and how much more it may be. */
  readonly peak: { readonly hits: number; readonly error: number; readonly key: string; readonly at: string } | null;
  /** Those that were over most often. */
  readonly keys: readonly { readonly key: string; readonly limited: number }[];
  readonly keys_limited: number;
  /** By how much the numbers of keys may be too low: there were too many to hold. */
  readonly keys_error: number;
}

/** What is shown of one configuration. */
export interface ConfigSummary {
  readonly config: string;
  readonly limited: number;
  readonly unmatched: number;
  readonly errors: number;
  readonly rules: readonly RuleSummary[];
  /** Rules that no request asked. */
  readonly unused: readonly string[];
  readonly warnings: readonly string[];
}

/** Everything that is printed in the end. */
export interface Summary {
  readonly logs: readonly string[];
  readonly format: string;
  readonly lines: number;
  readonly unread: number;
  readonly unread_lines: readonly UnreadLine[];
  readonly requests: number;
  readonly first: string | null;
  readonly last: string | null;
  readonly seconds: number;
  readonly configs: readonly ConfigSummary[];
  /** Null without a second configuration. */
  readonly compared: { readonly both: number; readonly only_first: number; readonly only_second: number } | null;
  /** What the log itself says; null when it does not. */
  readonly logged: {
    readonly limited: number;
    readonly limited_here_too: number;
    readonly only_in_log: number;
    readonly only_here: number;
  } | null;
  readonly timeline: {
    readonly seconds: number;
    readonly rows: readonly {
      readonly start: string;
      readonly requests: number;
      readonly limited: readonly number[];
    }[];
  };
  readonly notes: readonly string[];
}

/** As many rows has a timeline when nobody says how long they are. */
const usualRows = 40;

/** Gathers what is printed. `topKeys`: as many keys of each rule. */
export function summarize(result: SimulationResult, options: SimulationOptions, topKeys: number): Summary {
  const { replayer, replays, timeline } = result;
  const { logged, firstUs, lastUs } = replayer;
  const [first] = replays;
  const { seconds, rows } = timeline.rows(usualRows);
  return {
    logs: options.logs,
    format: result.format,
    lines: result.lines,
    unread: result.unread,
    unread_lines: result.unreadShown,
    requests: first!.requests,
    first: momentText(firstUs),
    last: momentText(lastUs),
    seconds: Number.isNaN(firstUs) ? 0 : (lastUs - firstUs) / 1_000_000,
    configs: replays.map((replay, i) => configSummary(replay, options.configs[i]!.name, topKeys)),
    compared: replays.length === 1 ? null : comparedSummary(replayer.compared),
    logged:
      logged.known === 0
        ? null
        : {
            limited: logged.limited,
            limited_here_too: logged.both,
            only_in_log: logged.limited - logged.both,
            only_here: logged.onlyHere,
          },
    timeline: { seconds, rows: rows.map((row) => ({ ...row, start: timeText(row.start * 1_000_000) })) },
    notes: notes(result, options, seconds),
  };
}

function comparedSummary({ both, onlyFirst, onlySecond }: ComparedCounts): Summary['compared'] {
  return { both, only_first: onlyFirst, only_second: onlySecond };
}

function configSummary(replay: Replay, name: string, topKeys: number): ConfigSummary {
  const used = replay.reports.filter(({ requests }) => requests > 0);
  return {
    config: name,
    limited: replay.limited,
    unmatched: replay.unmatched,
    errors: replay.errors,
    rules: used.map((report) => ruleSummary(report, topKeys)),
    unused: replay.reports.filter(({ requests }) => requests === 0).map(({ rule }) => rule.fullKey),
    warnings: replay.config.warnings,
  };
}

function ruleSummary(report: RuleReport, topKeys: number): RuleSummary {
  const { rule, requests, hits, limited, peak, keys } = report;
  return {
    rule: rule.fullKey,
    limit: limitText(rule),
    algorithm: algorithmName(rule.take.algorithm),
    requests,
    hits,
    limited,
    limited_hits: report.limitedHits,
    would_limit: report.wouldLimit,
    first_limited: momentText(report.firstUs),
    last_limited: momentText(report.lastUs),
    peak: peak.hits === 0 ? null : { hits: peak.hits, error: peak.error, key: peak.key, at: timeText(peak.atUs) },
    keys: keys.top(topKeys).map(({ key, count }) => ({ key, limited: count })),
    keys_limited: keys.size,
    keys_error: keys.error,
  };
}

function notes({ replayer, replays, made }: SimulationResult, options: SimulationOptions, seconds: number): string[] {
  const found: string[] = [];
  options.descriptors.forEach(({ entries }, i) => {
    if (made[i] !== 0) return;
    const text = entries.map(({ key, text: value }) => `${key}=${value}`).join(',');
    found.push(`no line has what the descriptor '${text}' needs`);
  });
  if (replayer.late > 0) {
    const orderSeconds = options.orderUs / 1_000_000;
    found.push(
      `${replayer.late} requests stand in the log more than ${orderSeconds} s after later ones: they count later than they came (see --order)`,
    );
  }
  if (replayer.lostEnds > 0)
    found.push(`the ends of ${replayer.lostEnds} requests were not waited for: too many in flight`);
  for (const { errors } of replays) {
    if (errors > 0) found.push(`${errors} requests passed because the store was full (see --max-keys)`);
  }
  if (options.bucketSeconds !== null && seconds !== options.bucketSeconds) {
    found.push(`the timeline had too many rows of ${options.bucketSeconds} s: they are ${seconds} s long`);
  }
  return found;
}

function momentText(us: number): string | null {
  return Number.isNaN(us) ? null : timeText(us);
}
