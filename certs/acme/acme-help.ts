/** What `sluice certs acme help` prints. */
export const acmeHelp = `usage: sluice certs acme register --directory URL --storage WHERE --agree-tos [--email ADDRESS]...
       sluice certs acme issue    --directory URL --storage WHERE --name NAME --dns NAME [...]
       sluice certs acme renew    --directory URL --storage WHERE [--name NAME]... [--force]
       sluice certs acme status   --storage WHERE [--directory URL]
       sluice certs acme serve    --directory URL --storage WHERE --listen ADDRESS --name NAME --dns NAME [...]

register makes the account, or updates its contacts. issue orders what is missing or due. renew renews stored certificates that
are due (--force: all of them). status tells what is stored and asks nobody. serve keeps certificates and hands them out by SDS.

 every command
  --storage WHERE        a directory (mode 0700), redis://HOST:PORT/DB, rediss://..., or @FILE with such a URL in it; what
                         replicas share: one account, one order, the answers to challenges
  --storage-prefix TEXT  begins every key in Redis (sluice:acme:)
  --passphrase-file FILE encrypt what is stored; the first line of FILE, which is for its owner only (0600)
  --key-file FILE        the same with the octets of FILE, at least 32
  --directory URL        the authority's directory, https; or letsencrypt, letsencrypt-staging
  --ca FILE              PEM bundle to trust for the authority's own TLS, instead of the system's
  --json                 answers for programs

 account
  --agree-tos            you have read the authority's terms of service and agree to them
  --email ADDRESS        contact, may be repeated
  --eab-kid ID           external account binding: the key id that the authority handed out,
  --eab-hmac-file FILE   and a file with its HMAC key (base64url)

 certificates: options before the first --name are for all of them
  --name NAME            begins a certificate: the tls_certificate secret of this name
  --dns NAME             DNS name, may be repeated; *.NAME needs dns-01
  --challenge TYPE       http-01 (default), tls-alpn-01 (not on Deno), dns-01
  --key-type TYPE        p256 (default), p384, rsa2048, rsa3072, rsa4096
  --preferred-chain NAME common name of the top issuer, where the authority offers several chains
  --profile NAME         certificate profile, where the authority has some

 challenges
  --http-listen ADDRESS  HOST:PORT that answers /.well-known/acme-challenge/; the gateway's route leads here
  --tls-listen ADDRESS   HOST:PORT that answers tls-alpn-01; the gateway's filter chain for acme-tls/1 leads here
  --dns-hook COMMAND     is run as COMMAND [ARG]... add|remove _acme-challenge.NAME VALUE, without a shell
  --dns-hook-arg ARG     argument of the command before these, may be repeated
  --dns-hook-timeout T   how long one call may take (60s)
  --dns-wait TIME        wait this long after add (0s)
  --dns-resolver ADDRESS wait until this resolver shows the record, may be repeated
  --dns-timeout TIME     but no longer than this (120s)

 serve
  --listen ADDRESS       SDS over gRPC: 127.0.0.1:PORT, [::1]:PORT or unix:PATH
  --write-to DIR         also (or only) write DIR/NAME.crt and DIR/NAME.key; for issue and renew too

exit codes: 0 done, 1 failed, 2 wrong command line
`;
