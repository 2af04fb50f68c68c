import { type FlagSpec, flagSpecs } from './flags.ts';

function flagLine(spec: FlagSpec): string {
  const names = spec.short === '' ? `--${spec.name}` : spec.short === '-' ? '--' : `-${spec.short}, --${spec.name}`;
  const value = spec.value === 'none' ? '' : spec.value === 'number' ? ' <number>' : ' <text>';
  return `  ${names}${value}`.padEnd(42);
}

/** The text of `--help`. */
export function helpText(): string {
  const lines = [
    'usage: sluice [run] -c FILE [flags]     serve',
    '       sluice validate -c FILE [flags]  check a configuration and exit',
    '       sluice certs COMMAND [flags]     the certificate service: see sluice certs help',
    '       sluice certs check FILE...       rehearse certificates before they are live (certs check --help)',
    '       sluice ratelimit [COMMAND]       the rate-limit service: see sluice ratelimit help',
    '',
    'Flags are those of the envoy binary:',
  ];
  for (const spec of flagSpecs) if (spec.effect.kind === 'implemented') lines.push(flagLine(spec) + spec.help);
  lines.push('', 'Accepted without effect:');
  for (const spec of flagSpecs) if (spec.effect.kind === 'no effect') lines.push(flagLine(spec) + spec.effect.reason);
  lines.push('', 'Refused:');
  for (const spec of flagSpecs) if (spec.effect.kind === 'refused') lines.push(flagLine(spec) + spec.effect.reason);
  return lines.join('\n');
}
