import { type Command, jsonFlag, print } from '#gateway/base/command-line/command-group.ts';
import { exitCodes } from '#gateway/base/command-line/command-output.ts';
import { lifetimeText } from '#gateway/base/command-line/lifetime.ts';
import { UsageError } from '#gateway/base/command-line/usage-error.ts';
import { nameTexts } from '../ca/certificate-names.ts';
import { CertificateError } from '../ca/issued-certificate.ts';
import { TokenStore } from '../store/token-store.ts';
import type { CommandContext } from './command.ts';
import { givenNames, givenTemplate, nameFlags, templateFlag } from './name-flags.ts';
import { openAuthority, storeFlags } from './store-flags.ts';

const hour = 3_600_000;
/** A token that waits for longer is a password. */
const maxWaitMs: number = 7 * 24 * hour;

/** `token`: mints a one-time token. */
export const tokenCommand: Command<CommandContext> = {
  name: 'token',
  words: '--dir DIR --dns NAME...',
  summary: 'mint a token that buys one certificate from the service',
  flags: [
    ...storeFlags,
    ...nameFlags,
    templateFlag,
    { name: 'max-lifetime', value: 'TIME', help: "longest life of the certificate; the template's usual one" },
    { name: 'expires', value: 'TIME', help: 'how long the token waits (1h, at most 7d)' },
    jsonFlag,
  ],
  run(given, context) {
    const authority = openAuthority(given, context);
    const names = givenNames(given);
    if (nameTexts(names).length === 0) throw new UsageError('what is it for? Give --dns, --ip, --uri or --email');
    const template = givenTemplate(given, names);
    const { limits } = authority.settings.templates[template];
    const maxLifetimeMs = given.lifetime('max-lifetime', limits.defaultLifetimeMs);
    const waitMs = given.lifetime('expires', hour);
    if (waitMs > maxWaitMs) throw new UsageError(`--expires is too long: at most ${lifetimeText(maxWaitMs)}`);
    const problems = authority.check({ name: 'token', ...names, template, lifetimeMs: maxLifetimeMs });
    if (problems.length > 0) throw new CertificateError(problems.join('; '));
    const nowMs = context.clock.wallMs();
    const grant = { template, names: nameTexts(names), maxLifetimeMs, expiresMs: nowMs + waitMs };
    const { id, token } = new TokenStore(authority.store.directory).mint(grant, nowMs);
    const expires = new Date(grant.expiresMs).toISOString();
    authority.log.append({ type: 'token', id, template, names: grant.names, expires }, nowMs);
    print(
      given,
      context.output,
      { id, token: token.reveal(), template, names: grant.names, expires },
      () => `${token.reveal()}\n`,
    );
    if (!given.has('json')) {
      context.output.error(`token ${id} for ${grant.names.join(', ')} (${template}), once, until ${expires}\n`);
    }
    return Promise.resolve(exitCodes.ok);
  },
};
