import { z } from 'zod';
import type { LogLevel } from '#gateway/base/log.ts';
import type { EnvironmentShape } from './environment-values.ts';

/** What is logged, and how. */
export interface LogSettings {
  readonly LOG_LEVEL: LogLevel;
  readonly LOG_FORMAT: 'text' | 'json';
}

/** The names that the reference service takes, in any case. */
const levels: Readonly<Record<string, LogLevel>> = {
  trace: 'trace',
  debug: 'debug',
  info: 'info',
  warn: 'warning',
  warning: 'warning',
  error: 'error',
  fatal: 'critical',
  panic: 'critical',
};

/** @see LogSettings */
export const logShape: EnvironmentShape<LogSettings> = {
  LOG_LEVEL: z
    .string()
    .default('WARN')
    .refine((value) => Object.hasOwn(levels, value.toLowerCase()), `is none of ${Object.keys(levels).join(', ')}`)
    .transform((value) => levels[value.toLowerCase()]!),
  LOG_FORMAT: z
    .string()
    .default('text')
    .refine((value) => ['', 'text', 'json'].includes(value.toLowerCase()), 'is neither text nor json')
    .transform((value) => (value.toLowerCase() === 'json' ? 'json' : 'text')),
};
