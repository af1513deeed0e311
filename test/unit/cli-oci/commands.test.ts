/** Every command and option of the OCI runtime is used by a test that looks at its effect. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { globalFlags } from '../../../cli/oci-runtime/arguments.js';
import { commands } from '../../../cli/oci-runtime/commands.js';

const folder = new URL('../../../../test/integration/', import.meta.url);

/** What the suites say that give our program its words themselves. */
const sources = readdirSync(folder)
  .filter((name) => /^(oci-runtime.*|oci-door|apparmor)\.test\.ts$/.test(name))
  .map((name) => readFileSync(fileURLToPath(new URL(name, folder)), 'utf8'))
  .join('\n');

const isUsed = (word: string): boolean => new RegExp(`'${word}['=]`).test(sources);

test('no command of the OCI runtime is without a test', async (t) => {
  for (const name of Object.keys(commands)) t.ok(isUsed(name), name);
});

test('no option of the OCI runtime is without a test', async (t) => {
  const all = [globalFlags, ...Object.values(commands).map(({ flags }) => flags)];
  const shown = all.flatMap((flags) => Object.entries(flags))
    .filter(([, { hidden }]) => hidden !== true);
  for (const name of new Set(shown.map(([each]) => each))) t.ok(isUsed(`--${name}`), `--${name}`);
});
