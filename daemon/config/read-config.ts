import { readFileSync } from 'node:fs';
import { hasCode } from '../../native/errno-error.js';
import type { DaemonConfig } from './config.js';
import { ConfigError } from './config-error.js';
import { rootPlaces, userPlaces } from './default-places.js';
import { mergeSettings, parseDaemonJson } from './daemon-json.js';
import type { CommandLine } from './flags.js';
import type { Settings } from './options.js';
import { resolveConfig } from './resolve.js';
import { remapped } from './userns-remap.js';

function isMissing(error: unknown): boolean {
  return hasCode(error, 'ENOENT');
}

function fileText(commandLine: CommandLine, usual: string): string {
  const path = commandLine.configFile ?? usual;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isMissing(error) && commandLine.configFile === undefined) return '';
    if (isMissing(error)) throw new ConfigError(`open ${path}: no such file or directory`);
    throw new ConfigError(error instanceof Error ? error.message : String(error));
  }
}

function fromFile(commandLine: CommandLine, usual: string): Settings {
  const path = commandLine.configFile ?? usual;
  try {
    return mergeSettings(commandLine.settings, parseDaemonJson(fileText(commandLine, usual)));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(`unable to configure the daemon with file ${path}: ${error.message}`);
  }
}

/** Joins the command line with `daemon.json`; throws `ConfigError` that says which and why. */
export function readConfig(commandLine: CommandLine): DaemonConfig {
  const isRootless = commandLine.settings.rootless === true;
  const places = isRootless ? userPlaces(process.env) : rootPlaces;
  const settings = fromFile(commandLine, places.configFile);
  if (settings.rootless === true && !isRootless) {
    throw new ConfigError('rootless is for the command line: the paths of the file depend on it');
  }
  if (isRootless && settings['userns-remap'] !== undefined) {
    throw new ConfigError('--userns-remap has no meaning with --rootless');
  }
  return remapped(resolveConfig(settings, places));
}
