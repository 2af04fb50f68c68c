import type { Flag } from '#gateway/base/command-line/flags.ts';
import { acmeKeyTypes, challengeTypes } from './acme-settings.ts';

/** Flags that belong together in the help. */
export interface FlagGroup {
  readonly title: string;
  readonly flags: readonly Flag[];
}

/** The flags of `sluice certs acme`; every command takes all of them and uses what it needs. */
export const acmeFlagGroups: readonly FlagGroup[] = [
  {
    title: 'every command',
    flags: [
      {
        name: 'config',
        value: 'FILE',
        help: 'YAML with the same flags: http_listen, email: […], certificates: [{ name, dns }]',
      },
      { name: 'directory', value: 'URL', help: "the authority's directory; or letsencrypt, letsencrypt-staging" },
      { name: 'storage', value: 'WHERE', help: 'a directory (mode 0700), redis://HOST:PORT/DB, rediss://…, or @FILE' },
      { name: 'storage-prefix', value: 'TEXT', help: 'begins every key in Redis (sluice:acme:)' },
      { name: 'passphrase-file', value: 'FILE', help: 'encrypts what is stored; FILE has mode 0600' },
      { name: 'key-file', value: 'FILE', help: 'the same, with the octets of FILE' },
      { name: 'ca', value: 'FILE', help: "PEM to trust for the authority's own TLS, instead of the system's" },
      { name: 'json', value: '', help: 'answers for programs, on one line' },
    ],
  },
  {
    title: 'account',
    flags: [
      { name: 'agree-tos', value: '', help: "you have read the authority's terms of service and agree" },
      { name: 'email', value: 'ADDRESS', help: 'contact; may be repeated' },
      { name: 'eab-kid', value: 'ID', help: 'external account binding: the key id that was handed out,' },
      { name: 'eab-hmac-file', value: 'FILE', help: 'and a file with its HMAC key, base64url' },
    ],
  },
  {
    title: 'certificates; before the first --name they are for all',
    flags: [
      { name: 'name', value: 'NAME', help: 'begins a certificate: the tls_certificate secret of this name' },
      { name: 'dns', value: 'NAME', help: 'DNS name; may be repeated; *.NAME needs dns-01' },
      { name: 'challenge', value: 'TYPE', help: `${challengeTypes.join(', ')} (http-01; no tls-alpn-01 on Deno)` },
      { name: 'key-type', value: 'TYPE', help: `${acmeKeyTypes.join(', ')} (p256)` },
      { name: 'preferred-chain', value: 'NAME', help: 'common name of the top issuer, where several are offered' },
      { name: 'profile', value: 'NAME', help: 'certificate profile, where the authority has some' },
      { name: 'force', value: '', help: 'issue, renew: now, whatever failed before; a rate limit is still waited for' },
    ],
  },
  {
    title: 'challenges',
    flags: [
      { name: 'http-listen', value: 'HOST:PORT', help: "answers http-01; the gateway's route leads here" },
      { name: 'tls-listen', value: 'HOST:PORT', help: "answers tls-alpn-01; the gateway's filter chain leads here" },
      {
        name: 'dns-hook',
        value: 'COMMAND',
        help: 'run as COMMAND ARG… add|remove _acme-challenge.NAME VALUE, no shell',
      },
      { name: 'dns-hook-arg', value: 'ARG', help: 'argument of the command before these; may be repeated' },
      { name: 'dns-hook-timeout', value: 'TIME', help: 'how long one call may take (60s)' },
      { name: 'dns-wait', value: 'TIME', help: 'waits this long after add (0s)' },
      { name: 'dns-resolver', value: 'ADDRESS', help: 'waits until it shows the record; may be repeated' },
      { name: 'dns-timeout', value: 'TIME', help: 'but no longer than this (120s)' },
    ],
  },
  {
    title: 'delivery',
    flags: [
      { name: 'listen', value: 'ADDRESS', help: 'serve: SDS over gRPC, 127.0.0.1:PORT, [::1]:PORT or unix:PATH' },
      { name: 'write-to', value: 'DIR', help: 'writes DIR/NAME.crt and DIR/NAME.key' },
    ],
  },
];

/** All of them. */
export const acmeFlags: readonly Flag[] = acmeFlagGroups.flatMap(({ flags }) => flags);
