#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { runProgram } from './program.js';

/** Seen from `dist/cli/oci-runtime/`. */
const manifest: unknown = JSON.parse(
  readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
);
const version =
  typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';

void runProgram(process.argv.slice(2), version).then((status) => process.exit(status));
