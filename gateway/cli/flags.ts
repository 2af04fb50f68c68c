/** What sluice does with a flag of the envoy binary. */
export type FlagEffect =
  | { readonly kind: 'implemented' }
  /** Accepted, and changes nothing: it says why. */
  | { readonly kind: 'no effect'; readonly reason: string }
  /** Refused by name: it says why. */
  | { readonly kind: 'refused'; readonly reason: string };

/** One flag of the command line. */
export interface FlagSpec {
  /** Without the dashes. */
  readonly name: string;
  /** One-letter form, or ''. */
  readonly short: string;
  readonly value: 'none' | 'text' | 'number';
  readonly repeated: boolean;
  readonly effect: FlagEffect;
  readonly help: string;
}

const implemented: FlagEffect = { kind: 'implemented' };
const noEffect = (reason: string): FlagEffect => ({ kind: 'no effect', reason });
const refused = (reason: string): FlagEffect => ({ kind: 'refused', reason });
const noHotRestart = 'there is no hot restart yet';

function flag(
  name: string,
  value: FlagSpec['value'],
  effect: FlagEffect,
  help: string,
  more: { readonly short?: string; readonly repeated?: boolean } = {},
): FlagSpec {
  return { name, short: more.short ?? '', value, repeated: more.repeated ?? false, effect, help };
}

/** Every flag of Envoy 1.40. */
export const flagSpecs: readonly FlagSpec[] = [
  flag('config-path', 'text', implemented, 'configuration file, YAML or JSON', { short: 'c' }),
  flag('config-yaml', 'text', implemented, 'configuration text, merged over the file'),
  flag('mode', 'text', implemented, 'serve (default) or validate'),
  flag('log-level', 'text', implemented, 'trace, debug, info (default), warning, error, critical or off', {
    short: 'l',
  }),
  flag('component-log-level', 'text', implemented, 'levels of components: upstream:debug,config:trace'),
  flag('log-path', 'text', implemented, 'file for the log instead of standard error'),
  flag('log-format', 'text', implemented, 'format of the log, in spdlog syntax'),
  flag('log-format-escaped', 'none', implemented, 'write newlines inside log messages as \\n'),
  flag('concurrency', 'number', implemented, 'number of workers: 1'),
  flag('admin-address-path', 'text', implemented, 'file to write the address of the admin interface to'),
  flag('service-node', 'text', implemented, 'id of this node'),
  flag('service-cluster', 'text', implemented, 'cluster that this node belongs to'),
  flag('service-zone', 'text', implemented, 'zone of this node'),
  flag('drain-time-s', 'number', implemented, 'seconds that a drain takes (600)'),
  flag('drain-strategy', 'text', implemented, 'gradual (default) or immediate'),
  flag('file-flush-interval-msec', 'number', implemented, 'longest wait of an access log line, milliseconds (200)'),
  flag('file-flush-min-size-kb', 'number', implemented, 'access log size that is written without waiting (64)'),
  flag('stats-tag', 'text', implemented, 'tag:value for every statistic', { repeated: true }),
  flag('base-id-path', 'text', implemented, 'file to write the base id to'),
  flag('version', 'none', implemented, 'print the version'),
  flag('help', 'none', implemented, 'print this help', { short: 'h' }),
  flag('hot-restart-version', 'none', implemented, 'print the hot restart compatibility version: disabled'),
  flag('restart-epoch', 'number', implemented, 'must be 0'),
  flag('ignore_rest', 'none', implemented, 'ignore the rest of the arguments', { short: '-' }),
  flag('base-id', 'number', noEffect(noHotRestart), 'base id of this process'),
  flag('use-dynamic-base-id', 'none', noEffect(noHotRestart), 'choose a base id'),
  flag('disable-hot-restart', 'none', noEffect(noHotRestart), 'disable hot restart'),
  flag('parent-shutdown-time-s', 'number', noEffect(noHotRestart), 'seconds until a replaced process ends'),
  flag('skip-hot-restart-on-no-parent', 'none', noEffect(noHotRestart), 'start although the parent is gone'),
  flag('skip-hot-restart-parent-stats', 'none', noEffect(noHotRestart), "do not take over the parent's statistics"),
  flag('socket-path', 'text', noEffect(noHotRestart), 'socket for hot restart'),
  flag('socket-mode', 'text', noEffect(noHotRestart), 'mode of the socket for hot restart'),
  flag('local-address-ip-version', 'text', noEffect('addresses are those of the configuration'), 'v4 or v6'),
  flag('cpuset-threads', 'none', noEffect('there is one worker'), 'take the number of workers from the cpuset'),
  flag('enable-mutex-tracing', 'none', noEffect('there are no mutexes'), 'trace mutex contention'),
  flag('enable-core-dump', 'none', noEffect('core dumps are up to the runtime and the system'), 'enable core dumps'),
  flag(
    'enable-fine-grain-logging',
    'none',
    noEffect('levels are set by component, not by source file'),
    'set log levels by source file',
  ),
  flag(
    'log-stacktrace-single-entry',
    'none',
    noEffect('a stack trace is always one entry'),
    'log a stack trace as one entry',
  ),
  flag(
    'skip-deprecated-logs',
    'none',
    noEffect('deprecated fields are not logged while serving'),
    'do not log deprecated fields',
  ),
  flag(
    'ignore-unknown-dynamic-fields',
    'none',
    noEffect('unknown fields of dynamic configuration are ignored anyway'),
    'ignore unknown fields of dynamic configuration',
  ),
  flag(
    'reject-unknown-dynamic-fields',
    'none',
    refused('unknown fields of dynamic configuration cannot be seen'),
    'refuse unknown fields of dynamic configuration',
  ),
  flag(
    'allow-unknown-static-fields',
    'none',
    refused('a field that is not known is never ignored silently'),
    'allow unknown fields',
  ),
  flag(
    'allow-unknown-fields',
    'none',
    refused('a field that is not known is never ignored silently'),
    'allow unknown fields',
  ),
  flag('disable-extensions', 'text', refused('extensions are switched off in the configuration'), 'disable extensions'),
];
