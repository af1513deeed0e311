import { readFileSync } from 'node:fs';
import type { DaemonConfig } from './config.js';
import { ConfigError } from './config-error.js';
import { mergeSettings, parseDaemonJson } from './daemon-json.js';
import type { CommandLine } from './flags.js';
import type { Settings } from './options.js';
import { resolveConfig } from './resolve.js';
import { remapped } from './userns-remap.js';

/** Read when no `--config-file` is given; it may be absent. */
export const defaultConfigFile = '/etc/tsdocker/daemon.json';

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function fileText(commandLine: CommandLine): string {
  const path = commandLine.configFile ?? defaultConfigFile;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isMissing(error) && commandLine.configFile === undefined) return '';
    if (isMissing(error)) throw new ConfigError(`open ${path}: no such file or directory`);
    throw new ConfigError(error instanceof Error ? error.message : String(error));
  }
}

function fromFile(commandLine: CommandLine): Settings {
  const path = commandLine.configFile ?? defaultConfigFile;
  try {
    return mergeSettings(commandLine.settings, parseDaemonJson(fileText(commandLine)));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(`unable to configure the daemon with file ${path}: ${error.message}`);
  }
}

/** Joins the command line with `daemon.json`; throws `ConfigError` that says which and why. */
export function readConfig(commandLine: CommandLine): DaemonConfig {
  return remapped(resolveConfig(fromFile(commandLine)));
}
