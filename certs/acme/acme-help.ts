import { flagLines } from '#gateway/base/command-line/flags.ts';
import { acmeFlagGroups } from './acme-flags.ts';

const usage = `usage: sluice certs acme register --directory URL --storage WHERE --agree-tos [--email ADDRESS]...
       sluice certs acme issue    --directory URL --storage WHERE --name NAME --dns NAME [...]
       sluice certs acme renew    --directory URL --storage WHERE [--name NAME]... [--force]
       sluice certs acme status   --storage WHERE [--directory URL]
       sluice certs acme serve    --directory URL --storage WHERE --listen ADDRESS --name NAME --dns NAME [...]

register makes the account, or updates its contacts. issue orders what is missing or due. renew renews stored
certificates that are due (--force: all). status tells what is stored and asks nobody. serve keeps certificates and hands
them out by SDS. Replicas share a storage: one account, one order, and any of them answers the challenges. Every command
takes every flag and uses those it needs, so that one --config FILE is good for all.
`;

/** What `sluice certs acme help` prints. */
export function acmeHelp(): string {
  const groups = acmeFlagGroups.map(({ title, flags }) => `\n ${title}\n${flagLines(flags)}`);
  return `${usage}${groups.join('')}\nexit codes: 0 done, 1 failed, 2 wrong command line\n`;
}
