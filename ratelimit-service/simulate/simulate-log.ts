import type { LimitConfig } from '../config/build-config.ts';
import type { StatsStore } from '../limiter/stats-store.ts';
import type { DescriptorSpec } from './descriptor-spec.ts';
import { detectLogReader, formatNames, type LogFormatOptions, namedLogReader } from './known-formats.ts';
import { LogFields, type TextGetter } from './log-fields.ts';
import type { LogReader } from './log-reader.ts';
import { type LimitedListener, LogReplayer } from './log-replayer.ts';
import { type TimeReader, usualTimeReader } from './log-time.ts';
import { readLines } from './read-lines.ts';
import { Replay, type ReplayOptions } from './replay.ts';
import { RequestTemplate } from './request-template.ts';
import { SimulationError } from './simulation-error.ts';
import { strftimeReader } from './strftime-reader.ts';
import { Timeline } from './timeline.ts';
import { VirtualClock } from './virtual-clock.ts';

/** The format is found out from one of as many lines: a rotated log may begin in the middle of one. */
const detectedWithin = 100;

/** As many unreadable lines are kept to be shown. */
const shownProblems = 5;

const unknownFormat: string = `it is none of ${formatNames}`;

/** A configuration with the name that it has in what is printed. */
export interface NamedConfig {
  readonly name: string;
  readonly config: LimitConfig;
  readonly stats: StatsStore;
}

/** What to replay, and how. */
export interface SimulationOptions {
  /** Paths; `-` is standard input. */
  readonly logs: readonly string[];
  readonly format: LogFormatOptions;
  /** A text with fields that is the time of a request. */
  readonly time: string;
  /** strftime format of the time; null for the log's own, or the usual ones. */
  readonly timeFormat: string | null;
  /** A text with fields that is how long a request took: milliseconds, or with a unit. */
  readonly duration: string;
  /** The time is that of the end of the request. */
  readonly loggedAtEnd: boolean;
  readonly trustedHops: number;
  readonly domain: string;
  readonly descriptors: readonly DescriptorSpec[];
  /** One, or two to be compared. */
  readonly configs: readonly NamedConfig[];
  readonly replay: ReplayOptions;
  /** Requests are put in order among those that are this much younger, microseconds. */
  readonly orderUs: number;
  readonly maxWaiting: number;
  /** Length of a row of the timeline, seconds; null to find one. */
  readonly bucketSeconds: number | null;
  readonly onLimited: LimitedListener | null;
  /** Awaited now and then, so that what listens is not overrun; null when nothing listens. */
  readonly afterLines: (() => Promise<void>) | null;
}

/** A line that was not replayed. */
export interface UnreadLine {
  readonly file: string;
  readonly line: number;
  readonly reason: string;
  /** Its beginning. */
  readonly text: string;
}

/** What came of a replay. */
export interface SimulationResult {
  readonly format: string;
  readonly lines: number;
  readonly unread: number;
  readonly unreadShown: readonly UnreadLine[];
  readonly replays: readonly Replay[];
  readonly replayer: LogReplayer;
  readonly timeline: Timeline;
  /** For each descriptor, the lines that have it. */
  readonly made: readonly number[];
}

/** What is made of the log's format once the first line is known. */
interface OpenLog {
  readonly reader: LogReader;
  readonly time: TextGetter;
  readonly readTime: TimeReader;
  readonly duration: TextGetter | null;
  readonly flags: TextGetter | null;
  readonly code: TextGetter | null;
  readonly template: RequestTemplate;
  readonly replays: readonly Replay[];
  readonly replayer: LogReplayer;
}

/** Replays logs. Throws {@link SimulationError}. */
export async function simulateLogs(options: SimulationOptions): Promise<SimulationResult> {
  const simulation = new Simulation(options);
  for (let file = 0; file < options.logs.length; file++) {
    let number = 0;
    for await (const lines of readLines(options.logs[file]!)) {
      for (let i = 0; i < lines.length; i++) simulation.line(lines[i]!, file, ++number);
      if (options.afterLines !== null) await options.afterLines();
    }
  }
  return simulation.finish();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #timeline: Timeline;
  readonly #unread: UnreadLine[] = [];
  #unreadCount = 0;
  #lines = 0;
  #log: OpenLog | null = null;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#timeline = new Timeline(options.bucketSeconds, options.configs.length);
  }

  line(line: string | null, file: number, number: number): void {
    if (line === '') return;
    this.#lines++;
    if (line === null) {
      this.#skip('', file, number, 'it is longer than 1 MiB');
      return;
    }
    this.#log ??= this.#open(line);
    const problem = this.#log === null ? unknownFormat : this.#replay(this.#log, line, file, number);
    if (this.#log === null && this.#unreadCount >= detectedWithin) this.#refuseFormat();
    if (problem !== null) this.#skip(line, file, number, problem);
  }

  finish(): SimulationResult {
    if (this.#log === null) return this.#refuseFormat();
    const { replays, replayer, template, reader } = this.#log;
    replayer.finish();
    return {
      format: reader.name,
      lines: this.#lines,
      unread: this.#unreadCount,
      unreadShown: this.#unread,
      replays,
      replayer,
      timeline: this.#timeline,
      made: template.made,
    };
  }

  #refuseFormat(): never {
    const [first] = this.#unread;
    if (first === undefined) throw new SimulationError('the log is empty');
    throw new SimulationError(
      `the log ${unknownFormat.slice(3)}; say with --format how it is written. It begins: ${first.text}`,
    );
  }

  /** Null when the line is of no known format. */
  #open(line: string): OpenLog | null {
    const options = this.#options;
    const reader = namedLogReader(options.format) ?? detectLogReader(options.format, line);
    if (reader === null) return null;
    const fields = new LogFields(reader, options.trustedHops);
    const template = new RequestTemplate(options.domain, options.descriptors, fields);
    const { zoneMinutes } = options.format;
    const own = options.timeFormat === null ? reader.timeReader : strftimeReader(options.timeFormat, zoneMinutes);
    const needsDuration = options.loggedAtEnd || template.hasDone;
    const clock = new VirtualClock();
    const replays = options.configs.map(
      ({ config, stats }) => new Replay(config, stats, template, clock, options.replay),
    );
    return {
      reader,
      time: fields.text(options.time),
      readTime: own ?? usualTimeReader(zoneMinutes),
      duration: needsDuration ? fields.text(options.duration) : null,
      flags: reader.fieldNames.includes('RESPONSE_FLAGS') ? fields.find('RESPONSE_FLAGS') : null,
      code: fields.find('RESPONSE_CODE'),
      template,
      replays,
      replayer: new LogReplayer(replays, clock, this.#timeline, {
        orderUs: options.orderUs,
        maxWaiting: options.maxWaiting,
        hasDone: template.hasDone,
        onLimited: options.onLimited,
      }),
    };
  }

  /** Replays one line; why it cannot be, or null. */
  #replay(log: OpenLog, line: string, file: number, number: number): string | null {
    if (!log.reader.read(line)) return `it is not of the format (${log.reader.name})`;
    const timeText = log.time();
    let timeUs = timeText === null ? Number.NaN : log.readTime(timeText);
    if (!(timeUs >= 0)) return timeText === null ? 'it has no time' : `'${timeText.slice(0, 60)}' is no time`;
    let durationUs = 0;
    if (log.duration !== null) {
      const text = log.duration();
      durationUs = text === null ? 0 : readDurationUs(text);
      if (!(durationUs >= 0)) return `'${text!.slice(0, 60)}' is no duration`;
      if (this.#options.loggedAtEnd) timeUs = Math.max(0, timeUs - durationUs);
    }
    const hits = log.template.hasHits ? log.template.hits() : null;
    if (log.template.hasHits && hits === null) return 'its hits are not a whole number';
    const key = log.template.key();
    log.replayer.add({
      timeUs,
      plans: log.replays.map((replay) => replay.plan(key)),
      hits,
      durationUs,
      loggedLimited: loggedLimited(log),
      file,
      line: number,
    });
    return null;
  }

  #skip(text: string, file: number, line: number, reason: string): void {
    this.#unreadCount++;
    if (this.#unread.length === shownProblems) return;
    this.#unread.push({ file: this.#options.logs[file]!, line, reason, text: text.slice(0, 200) });
  }
}

/** Envoy's flag RL says that a request was limited; without flags status 429 does. Null when the log does not say. */
function loggedLimited({ code, flags }: OpenLog): boolean | null {
  if (flags !== null) return /\bRL\b/.test(flags() ?? '');
  const status = code === null ? null : code();
  return status === null ? null : status === '429';
}

const durationUnitsUs: Readonly<Record<string, number>> = { us: 1, ms: 1000, s: 1_000_000, m: 60_000_000 };

/** Reads `12`, `12ms` or `0.012s` as microseconds; NaN when it is none. */
function readDurationUs(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)(us|ms|s|m)?$/.exec(text);
  return match === null ? Number.NaN : Math.round(Number(match[1]) * durationUnitsUs[match[2] ?? 'ms']!);
}
