import { readFileSync } from 'node:fs';

const packagePath = new URL('../../../package.json', import.meta.url);

/** The version of this build, as package.json says it. */
export function engineVersion(): string {
  const json: unknown = JSON.parse(readFileSync(packagePath, 'utf8'));
  if (typeof json === 'object' && json !== null && 'version' in json) return String(json.version);
  throw new Error(`${packagePath.pathname} names no version`);
}
