/**
 * Encoded launch programs, kept to be used again: two containers whose configurations differ in
 * nothing but the id get programs that differ in nothing else, and putting another id into the
 * bytes takes a hundredth of compiling and encoding four hundred steps.
 */
import { encodeProgram } from '../../native/launch/encode.js';
import type { LaunchProgram } from '../../native/launch/opcodes.js';
import type { EncodedProgram } from '../../native/shim/client.js';
import type { CompiledLaunch } from './compile.js';
import { remember } from '../remember.js';

/** A compiled launch in the form that the shim takes. */
export interface EncodedLaunch extends Omit<CompiledLaunch, 'program'> {
  readonly program: EncodedProgram;
}

/** How much of an id is ever used, the longest first: whole, in socket names, as hostname. */
const ID_FORMS = [64, 16, 12] as const;
const SHORTEST = 12;

/** A launch of which only the id is open. */
export interface Template extends Omit<CompiledLaunch, 'program'> {
  readonly bytes: Buffer;
  /** Where forms of the id stand in `bytes`. */
  readonly places: readonly { readonly offset: number; readonly length: number }[];
}

/** Where templates are kept, by a text that is all they depend on. */
export interface TemplateStore {
  get(key: string): Template | undefined;
  put(key: string, template: Template): void;
}

const templates = new Map<string, Template>();
const inMemory: TemplateStore = {
  get: (key) => templates.get(key),
  put: (key, template) => void remember(templates, key, template),
};

/**
 * The program for a container. `inputs` is all that `compile` depends on, as text; `compile` is
 * called where no such inputs were met before, and when a step fails, which is told in the words of
 * the program. Inputs of which only the id differs are the same if that is 64 hex digits.
 */
export function encodedLaunch(
  id: string,
  inputs: string,
  compile: () => CompiledLaunch,
  store: TemplateStore = inMemory,
): EncodedLaunch {
  const key = withoutId(inputs, id);
  const known = store.get(key);
  const source = (): LaunchProgram => compile().program;
  if (known !== undefined) {
    const { bytes, places, ...rest } = known;
    return { ...rest, program: { bytes: withId(bytes, places, id), source } };
  }
  const { program, ...rest } = compile();
  const bytes = encodeProgram(program);
  store.put(key, { ...rest, bytes, places: placesOf(bytes, id) });
  return { ...rest, program: { bytes, source: () => program } };
}

/** Of those that are, what looks like one is it; others may be a word of the configuration. */
const isRandom = (id: string): boolean => /^[0-9a-f]{64}$/.test(id);

function withoutId(text: string, id: string): string {
  if (!isRandom(id)) return text;
  const replaced = (left: string, length: number): string =>
    left.replaceAll(id.slice(0, length), `<${length}>`);
  return ID_FORMS.reduce(replaced, text);
}

function placesOf(bytes: Buffer, id: string): Template['places'] {
  const places: { offset: number; length: number }[] = [];
  if (!isRandom(id)) return places;
  const start = id.slice(0, SHORTEST);
  for (let at = bytes.indexOf(start, 0, 'latin1'); at >= 0; ) {
    const found = bytes.toString('latin1', at, at + id.length);
    const length = ID_FORMS.find((form) => found.startsWith(id.slice(0, form))) ?? SHORTEST;
    places.push({ offset: at, length });
    at = bytes.indexOf(start, at + length, 'latin1');
  }
  return places;
}

function withId(template: Buffer, places: Template['places'], id: string): Buffer {
  const bytes = Buffer.from(template);
  for (const { offset, length } of places) bytes.write(id.slice(0, length), offset, 'latin1');
  return bytes;
}
