/**
 * Writes the README's table of clients from what the suites reported:
 *
 *     COMPAT_REPORT=/tmp/report node dist/test/support/run.js compat
 *     node dist/test/support/compat-table.js /tmp/report
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Client, Counts } from './compat.js';

const readme = fileURLToPath(new URL('../../../README.md', import.meta.url));
const [begin, end] = ['<!-- compat: begin -->', '<!-- compat: end -->'];
const clients: readonly Client[] = [
  'docker', 'docker compose', 'docker-py', 'dockerode and testcontainers',
  'calls of other tools',
];

function cell(reports: readonly Counts[], client: Client, isReference: boolean): string {
  const own = reports.filter((row) => row.client === client && row.isReference === isReference);
  const sum = (field: 'passed' | 'failed' | 'pending') =>
    own.reduce((total, row) => total + row[field], 0);
  const all = sum('passed') + sum('failed') + sum('pending');
  return own.length === 0 ? '' : `${sum('passed')} of ${all}`;
}

function table(reports: readonly Counts[]): string {
  const rows = clients.map(
    (client) => `| ${client} | ${cell(reports, client, false)} | ${cell(reports, client, true)} |`,
  );
  return ['| client | tsdocker | Docker |', '|---|---:|---:|', ...rows].join('\n');
}

function main(path: string): void {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  // The suites wrote them.
  const reports = lines.map((line) => JSON.parse(line) as Counts);
  const text = readFileSync(readme, 'utf8');
  const [before, after] = [text.indexOf(begin), text.indexOf(end)];
  if (before < 0 || after < before) throw new Error(`README.md has no ${begin} and ${end}`);
  const rows = `${begin}\n${table(reports)}\n`;
  writeFileSync(readme, text.slice(0, before) + rows + text.slice(after));
}

main(process.argv[2] ?? '');
