import { kinds } from './kinds.js';
import { optionSpecs } from './options.js';

const column = 36;

function line(names: string, text: string): string {
  return `${`  ${names}`.padEnd(column)} ${text}`.trimEnd();
}

/** The text of `--help`: the flags that have an effect, one a line. */
export function helpText(): string {
  const lines = [
    line('    --config-file string', 'Configuration file (default /etc/tsdocker/daemon.json)'),
    line('-h, --help', 'Print this'),
    line('    --validate', 'Check flags and configuration file, then exit'),
    line('-v, --version', 'Print the version'),
  ];
  for (const spec of optionSpecs.values()) {
    if (spec.flag === undefined || spec.text === undefined) continue;
    const short = spec.short === undefined ? '   ' : `-${spec.short},`;
    const value = 'bare' in kinds[spec.kind] ? '' : ' value';
    lines.push(line(`${short} --${spec.flag}${value}`, spec.text));
  }
  return [
    'Usage: tsdockerd [OPTIONS]',
    '       tsdockerd fsck [--repair] [OPTIONS]   compare images on disk with their digests',
    '',
    'A container engine that speaks the Docker Engine API.',
    '',
    'Options:',
    ...lines.sort((a, b) => (a.slice(6) < b.slice(6) ? -1 : 1)),
    '',
    "dockerd's other flags are accepted and have no effect; each is named once in the log.",
    '',
  ].join('\n');
}
