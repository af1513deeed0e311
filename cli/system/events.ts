import type { EventMessage } from '../../api-spec/stream.js';
import type { Call, Command } from '../command.js';
import { filtersParameter } from '../engine/filters.js';
import type { Heard } from '../engine/heard.js';
import { textLines } from '../engine/lines.js';
import { momentParameter } from '../engine/moment.js';
import { CommandError, messageOf } from '../errors.js';
import { flag } from '../flags.js';
import { compileTemplate, type Template } from '../template/render.js';

/** `events`: what happens, as it happens. */
export const eventsCommand: Command = {
  use: 'events [OPTIONS]',
  about: 'Show events as they happen',
  flags: [
    flag('list', 'filter', 'Only those that match (key=value)', { short: 'f', takes: 'filter' }),
    flag('text', 'format', 'How to show it: json, or a Go template'),
    flag('text', 'since', 'From this time on'),
    flag('text', 'until', 'Up to this time'),
  ],
  operands: [0, 0],
  run: events,
};

async function events({ engine, flags, print }: Call): Promise<void> {
  const format = flags.text('format');
  const isJson = format === 'json' || format === '{{json .}}';
  const template = format === '' || isJson ? undefined : compiled(format);
  const answer = await engine.open('GET', '/events', {
    query: {
      since: momentParameter('since', flags.text('since')),
      until: momentParameter('until', flags.text('until')),
      filters: filtersParameter(flags.list('filter')),
    },
  });
  for await (const line of textLines(answer)) {
    if (line.trim() === '') continue;
    // The shape is the API's promise for this stream.
    const event = JSON.parse(line) as Heard<EventMessage>;
    if (isJson) print(`${withoutLegacy(line)}\n`);
    else if (template !== undefined) print(`${template.render(event)}\n`);
    else print(`${eventLine(event, nanosOf(line))}\n`);
  }
}

function compiled(format: string): Template {
  try {
    return compileTemplate(format);
  } catch (problem) {
    throw new CommandError(`Error parsing format: ${messageOf(problem)}`, 64, { cause: problem });
  }
}

/** The number of nanoseconds is beyond what a double holds: it is taken from the text. */
function nanosOf(line: string): string {
  return /"timeNano":(\d+)/.exec(line)?.[1] ?? '0';
}

/** As Docker shows it: without the three older spellings, and with all digits of the time. */
function withoutLegacy(line: string): string {
  const older = new Set(['status', 'id', 'from', 'timeNano']);
  // The shape is the API's promise for this stream.
  const event = JSON.parse(line) as EventMessage;
  const fields = Object.entries({ ...event, Actor: ordered(event.Actor) })
    .filter(([name]) => !older.has(name));
  return JSON.stringify(Object.fromEntries(fields)).replace(/}$/, `,"timeNano":${nanosOf(line)}}`);
}

/** Go writes the keys of a map in order. */
function ordered({ Attributes, ...actor }: EventMessage['Actor']): object {
  const entries = Object.entries(Attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  return { ...actor, Attributes: Object.fromEntries(entries) };
}

function eventLine({ Type, Action, Actor, time }: Heard<EventMessage>, nanos: string): string {
  const attributes = Object.entries(Actor?.Attributes ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(', ');
  const parts = [timeText(time, nanos), Type, Action, Actor?.ID ?? ''].join(' ');
  return attributes === '' ? parts : `${parts} (${attributes})`;
}

/** RFC 3339 in local time with nine digits. */
function timeText(seconds: number, nanos: string): string {
  const at = new Date(nanos === '0' ? seconds * 1000 : Number(nanos.slice(0, -6)));
  const offset = -at.getTimezoneOffset();
  const local = new Date(at.getTime() + offset * 60_000).toISOString().slice(0, 19);
  const fraction = nanos === '0' ? '000000000' : nanos.slice(-9);
  const two = (count: number): string => String(count).padStart(2, '0');
  const away = Math.abs(offset);
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(away / 60))}:${two(away % 60)}`;
  return `${local}.${fraction}${offset === 0 ? 'Z' : zone}`;
}
