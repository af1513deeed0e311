import { anyNumber, type Call, type Command } from '../command.js';
import { EngineError } from '../engine/engine.js';
import { CommandError, messageOf } from '../errors.js';
import { flag } from '../flags.js';
import { renderOne } from '../format/list.js';
import { imagePath } from '../image/path.js';
import { indentJson } from '../json-text.js';

/** As Docker's error lists them. */
const types = [
  'config', 'container', 'image', 'network', 'node', 'plugin', 'secret', 'service', 'task',
  'volume',
] as const;

type Kind = (typeof types)[number];

const inspectFlags = [
  flag('text', 'format', 'How to show it: json, or a Go template', { short: 'f' }),
];
const sizeFlag = flag('switch', 'size', "Show a container's sizes", { short: 's' });

/** Asked in this order when no type is named, as Docker does. */
const kinds: readonly Kind[] = ['container', 'image', 'network', 'volume'];

const mustBe = `must be one of ${types.map((type) => `"${type}"`).join(', ')}`;

const indent = '    ';

/** `inspect`: objects of any kind. */
export const inspectCommand: Command = {
  use: 'inspect [OPTIONS] NAME|ID [NAME|ID...]',
  about: 'Show any objects in full',
  flags: [...inspectFlags, sizeFlag, flag('text', 'type', 'Only objects of this type')],
  operands: [1, anyNumber],
  run: async (call) => {
    const type = call.flags.text('type');
    if (call.flags.isSet('type') && type === '') {
      throw new CommandError(`type is empty: ${mustBe}`);
    }
    const kind = types.find((each) => each === type);
    if (type !== '' && kind === undefined) {
      throw new CommandError(`unknown type: "${type}": ${mustBe}`);
    }
    await inspect(call, kind === undefined ? kinds : [kind]);
  },
};

/** `container inspect`. */
export const inspectContainerCommand = inspectOf('container', [...inspectFlags, sizeFlag]);
/** `image inspect`. */
export const inspectImageCommand = inspectOf(
  'image',
  [...inspectFlags, flag('text', 'platform', 'Platform of the image')],
);
/** `network inspect`. */
export const inspectNetworkCommand = inspectOf('network', [
  ...inspectFlags,
  flag('switch', 'verbose', 'Show more', { short: 'v' }),
]);
/** `volume inspect`. */
export const inspectVolumeCommand = inspectOf('volume', inspectFlags);

function inspectOf(kind: Kind, flags: Command['flags']): Command {
  const word = kind.toUpperCase();
  return {
    use: `inspect [OPTIONS] ${word} [${word}...]`,
    about: `Show ${kind}s in full`,
    flags,
    operands: [1, anyNumber],
    run: (call) => inspect(call, [kind]),
  };
}

/** A template that cannot be read is the user's fault, whatever is inspected. */
const templateStatus = 64;

/** Shows all that is found, then fails with all that is not. */
async function inspect(call: Call, among: readonly Kind[]): Promise<void> {
  const format = call.flags.text('format');
  const shown: string[] = [];
  const problems: string[] = [];
  for (const name of call.operands) {
    try {
      shown.push(render(await find(call, name, among), format));
    } catch (problem) {
      if (problem instanceof CommandError && problem.exitStatus === templateStatus) throw problem;
      problems.push(messageOf(problem));
    }
  }
  call.print(together(shown, format));
  if (problems.length > 0) throw new CommandError(problems.join('\n'));
}

function render(text: string, format: string): string {
  if (format === '') return indentJson(text, indent, indent);
  return format === 'json' ? text.trimEnd() : renderOne(JSON.parse(text), format);
}

function together(shown: readonly string[], format: string): string {
  if (format === 'json') return `[${shown.join(',')}]\n`;
  // Docker ends the output of a template that printed nothing with a line's end, too.
  if (format !== '') return shown.length === 0 ? '\n' : shown.join('');
  return shown.length === 0 ? '[]\n' : `[\n${indent}${shown.join(`,\n${indent}`)}\n]\n`;
}

async function find(
  { engine, flags }: Call,
  name: string,
  among: readonly Kind[],
): Promise<string> {
  for (const kind of among) {
    try {
      const size = kind === 'container' && flags.switch('size') ? 1 : undefined;
      return await engine.text('GET', pathOf(kind, name), { query: { size } });
    } catch (problem) {
      if (!(problem instanceof EngineError) || among.length === 1) throw problem;
      if (problem.status !== 404) throw problem;
    }
  }
  throw new CommandError(`Error: No such object: ${name}`);
}

function pathOf(kind: Kind, name: string): string {
  if (kind === 'image') return `${imagePath(name)}/json`;
  if (kind === 'container') return `/containers/${encodeURIComponent(name)}/json`;
  if (kind === 'plugin') return `/plugins/${encodeURIComponent(name)}/json`;
  return `/${kind}s/${encodeURIComponent(name)}`;
}
