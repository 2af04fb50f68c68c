import type { Command } from '#gateway/base/command-line/command-group.ts';
import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import type { Flag } from '#gateway/base/command-line/flags.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { LimitConfigError } from '../config/limit-config-error.ts';
import { type SimulationOptions, simulateLogs } from '../simulate/simulate-log.ts';
import { SimulationError } from '../simulate/simulation-error.ts';
import { summarize } from '../simulate/summary.ts';
import { summaryText } from '../simulate/summary-text.ts';
import { type CommandContext, CommandFailure } from './command-context.ts';
import { limitedPrinter } from './limited-printer.ts';
import { simulationOptions } from './simulation-options.ts';
import { wholeNumber } from './whole-number.ts';

const flags: readonly Flag[] = [
  { name: 'config', value: 'DIR', help: 'the configuration: a directory as the service reads it, or a file' },
  { name: 'log', value: 'FILE', help: 'the access log, plain or gzip, - for standard input; may be repeated' },
  {
    name: 'descriptor',
    value: 'K=TEXT,...',
    help: 'a descriptor of each request, TEXT with %FIELD%s; may be repeated',
  },
  { name: 'if', value: '%FIELD%=PATTERN', help: 'only then the descriptor before it; also !=, * is any text' },
  { name: 'hits', value: 'TEXT', help: 'hits of the descriptor before it (or of all, when it comes first)' },
  { name: 'when-done', value: '', help: 'the descriptor before it counts when the request is done' },
  { name: 'in-flight', value: '', help: 'the descriptor before it is given back when the request is done' },
  { name: 'rate-limits', value: 'FILE', help: "descriptors from Envoy's configuration: the rate_limits of a route" },
  { name: 'of', value: 'NAME', help: 'the virtual host, route or filter whose rate_limits they are' },
  { name: 'stage', value: 'N', help: 'those of this stage (0)' },
  { name: 'source-cluster', value: 'NAME', help: "value of source_cluster actions (node.cluster of Envoy's file)" },
  { name: 'domain', value: 'NAME', help: 'domain to ask; not needed when the configuration has one' },
  {
    name: 'format',
    value: 'FORMAT',
    help: 'envoy, combined, common, json, or a text with %FIELD%s; found out from the log',
  },
  { name: 'json-keys', value: 'FIELD=KEY,...', help: 'keys of JSON lines, with dots for nested ones' },
  { name: 'time', value: 'TEXT', help: 'the time of a request (%START_TIME%)' },
  { name: 'time-format', value: 'STRFTIME', help: 'how it is written' },
  { name: 'time-zone', value: '+HH:MM', help: 'zone of times that say none (Z)' },
  { name: 'duration', value: 'TEXT', help: 'how long a request took, ms or with a unit (%DURATION%)' },
  { name: 'logged-at-end', value: '', help: 'the time is that of the end of the request' },
  { name: 'trusted-hops', value: 'N', help: 'proxies before this one that x-forwarded-for is believed of (0)' },
  { name: 'order', value: 'TIME', help: 'how much younger lines may stand before a request (60s)' },
  { name: 'compare', value: 'DIR', help: 'another configuration for the same log' },
  { name: 'set', value: 'RULE=LIMIT', help: 'another limit, such as edge.path=50/minute; may be repeated' },
  { name: 'merge-domains', value: '', help: 'MERGE_DOMAIN_CONFIG' },
  { name: 'ignore-dot-files', value: '', help: 'RUNTIME_IGNOREDOTFILES' },
  { name: 'all-or-nothing', value: '', help: 'ALL_OR_NOTHING' },
  { name: 'hold-back', value: '', help: 'STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT' },
  { name: 'quota-mode', value: '', help: 'QUOTA_MODE' },
  { name: 'key-format', value: 'FORMAT', help: 'KEY_FORMAT, reference or escaped (reference)' },
  { name: 'max-keys', value: 'N', help: 'MEMORY_MAX_COUNTERS' },
  { name: 'each', value: '', help: 'print every limited request' },
  {
    name: 'at-most',
    value: 'N|P%',
    help: 'exit with 1 when more requests are limited (of two configurations: by the second)',
  },
  { name: 'top', value: 'N', help: 'keys to show of each rule (5)' },
  { name: 'bucket', value: 'TIME', help: 'length of a row of the timeline' },
  { name: 'json', value: '', help: 'print JSON: each limited request on a line (--each), the summary on the last' },
];

/** `simulate`: an access log replayed through a configuration. */
export const simulateCommand: Command<CommandContext> = {
  name: 'simulate',
  words: "--config DIR --log FILE --descriptor 'KEY=%FIELD%'",
  summary: 'replay an access log: who would have been limited, when, by which rule',
  flags,
  async run(given, context) {
    const json = given.has('json');
    const top = wholeNumber(given, 'top', 5);
    const atMost = readAtMost(given.text('at-most'));
    try {
      const options = simulationOptions(given);
      const printer = given.has('each') ? limitedPrinter(options, json, context.output) : null;
      const simulation: SimulationOptions = {
        ...options,
        onLimited: printer?.onLimited ?? null,
        afterLines: printer?.drained ?? null,
      };
      const summary = summarize(await simulateLogs(simulation), simulation, top);
      printer?.flush();
      context.output.write(json ? `${JSON.stringify({ summary })}\n` : summaryText(summary));
      const { limited } = summary.configs.at(-1)!;
      return limited > atMost(summary.requests) ? exitCodes.failed : exitCodes.ok;
    } catch (error) {
      if (error instanceof LimitConfigError) throw new CommandFailure(error.explained);
      if (!(error instanceof SimulationError)) throw error;
      // What begins with a flag is a mistake in it: not to be taken for what --at-most finds.
      throw /^--[a-z]/.test(error.message) ? new UsageError(error.message) : new CommandFailure(error.message);
    }
  },
};

/** Reads `100` or `0.5%` as the number of requests that may be limited of so many. Throws {@link UsageError}. */
function readAtMost(text: string | null): (requests: number) => number {
  if (text === null) return () => Number.POSITIVE_INFINITY;
  const match = /^([0-9]+(?:\.[0-9]+)?)(%?)$/.exec(text);
  if (match === null) throw new UsageError(`--at-most ${text}: it is not a number or a share such as 0.5%`);
  const value = Number(match[1]);
  return match[2] === '' ? () => value : (requests) => (requests * value) / 100;
}
