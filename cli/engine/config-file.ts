import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AuthConfig } from '../../api-spec/auth.js';
import { CommandError } from '../errors.js';
import { writeWhole } from '../whole-file.js';

/** Docker's `config.json`, as far as registries go; what else is in it stays as it is. */
export interface ConfigFile {
  readonly auths?: Readonly<Record<string, AuthConfig>>;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
}

/** What is in `folder`; empty when there is no file. Throws CommandError for what is none. */
export function readConfig(folder: string): ConfigFile {
  const path = join(folder, 'config.json');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (problem) {
    if (problem instanceof Error && 'code' in problem && problem.code === 'ENOENT') return {};
    throw new CommandError(`cannot read ${path}`, 1, { cause: problem });
  }
  try {
    // The file is the user's; each field is looked at before it is used.
    return JSON.parse(text) as ConfigFile;
  } catch (problem) {
    throw new CommandError(`${path} is not JSON`, 1, { cause: problem });
  }
}

/** Replaces the file; only its owner may read it. */
export async function writeConfig(folder: string, config: ConfigFile): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await writeWhole(join(folder, 'config.json'), [`${JSON.stringify(config, undefined, '\t')}\n`]);
}
