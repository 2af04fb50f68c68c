#!/usr/bin/env node
// The `sluice` command: the gateway on the first runtime that is installed. See launch.mjs.
import { launch } from './launch.mjs';

launch('gateway/main.ts', process.argv.slice(2));
