#!/usr/bin/env node
// The `sluice` command: the gateway, or with `certs` the certificate service and with `ratelimit` the rate-limit
// service, on the first runtime that is installed. See launch.mjs.
import { launch } from './launch.mjs';

const args = process.argv.slice(2);
if (args[0] === 'ratelimit') launch('ratelimit-service/main.ts', args.slice(1));
else if (args[0] !== 'certs') launch('gateway/main.ts', args);
// The rehearsal of certificate files is the gateway's own: it is what a gateway does before it takes them.
else if (args[1] === 'check') launch('gateway/main.ts', ['certs-check', ...args.slice(2)]);
else launch('certs/main.ts', args.slice(1));
