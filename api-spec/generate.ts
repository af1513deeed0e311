/** Writes what is generated from the contract: `node dist/api-spec/generate.js`. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { coverageText } from './coverage.js';
import { openapiText } from './openapi.js';

/** The project's root: the folder of `package.json`, above this file or its compiled form. */
function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

const root = projectRoot();
mkdirSync(join(root, 'docs'), { recursive: true });
writeFileSync(join(root, 'api-spec', 'openapi.json'), openapiText());
writeFileSync(join(root, 'docs', 'coverage.md'), coverageText());
