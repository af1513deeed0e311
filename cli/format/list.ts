import { CommandError, messageOf } from '../errors.js';
import { layOut } from '../table.js';
import { compileTemplate, type Template } from '../template/render.js';
import { withTypedNulls } from '../template/typed-null.js';

/** A column of a list: what it is called in the heading and how a row fills it. */
export interface Column<Row> {
  readonly heading: string;
  readonly of: (row: Row) => unknown;
  /** Left out of `--format json`, as Docker does with methods that take an argument. */
  readonly isFunction?: boolean;
}

/** How rows of one kind are listed. */
export interface ListShape<Row> {
  readonly columns: Readonly<Record<string, Column<Row>>>;
  /** The template of the table when `--format` gives none. */
  readonly table: string;
  /** The template of `--format raw`, where Docker has one. */
  readonly raw?: string;
  /** What `--quiet` prints of each row. */
  readonly quiet: string;
  /** Go's name of the row's type, as its error messages have it. */
  readonly goType: string;
}

/** What the user wants to see. */
export interface ListWish {
  readonly format: string;
  readonly quiet: boolean;
}

/** The text of a list. Throws CommandError for a template that does not work. */
export function renderList<Row>(
  rows: readonly Row[],
  shape: ListShape<Row>,
  wish: ListWish,
): string {
  const { source, isTable } = templateOf(shape, wish);
  const template = compile(source, shape.goType);
  const lines = rows.map((row) => renderRow(template, viewOf(row, shape)));
  if (!isTable) return lines.map((line) => `${line}\n`).join('');
  const headings = Object.fromEntries(
    Object.entries(shape.columns).map(([name, { heading }]) => [name, heading]),
  );
  return layOut([template.renderHeadings(headings), ...lines, ''].join('\n'));
}

/** `\t` and `\n` may be written out, as shells pass them on. */
function templateOf<Row>(
  shape: ListShape<Row>,
  { format, quiet }: ListWish,
): { readonly source: string; readonly isTable: boolean } {
  const wanted = format === '' ? 'table' : format;
  const words = /^table(?:\s+([\s\S]*))?$/.exec(wanted);
  const plain = (text: string): string => text.replaceAll('\\t', '\t').replaceAll('\\n', '\n');
  if (quiet && (words === null ? wanted === 'json' : words[1] === undefined)) {
    return { source: shape.quiet, isTable: false };
  }
  if (wanted === 'raw' && shape.raw !== undefined) {
    return { source: quiet ? (shape.raw.split('\n')[0] ?? '') : shape.raw, isTable: false };
  }
  if (words !== null) {
    return { source: plain(words[1] ?? shape.table).trimStart(), isTable: true };
  }
  return { source: wanted === 'json' ? '{{json .}}' : plain(wanted), isTable: false };
}

function compile(source: string, goType: string): Template {
  try {
    return compileTemplate(source, {
      missing: (name) => `can't evaluate field ${name} in type ${goType}`,
    });
  } catch (problem) {
    throw new CommandError(
      `failed to parse template: ${messageOf(problem)}`,
      1,
      { cause: problem },
    );
  }
}

function renderRow(template: Template, view: unknown): string {
  try {
    return template.render(view);
  } catch (problem) {
    throw new CommandError(
      `failed to execute template: ${messageOf(problem)}`,
      1,
      { cause: problem },
    );
  }
}

/** A row as templates see it: each column a function, and a JSON of all columns by name. */
function viewOf<Row>(row: Row, shape: ListShape<Row>): unknown {
  const entries = Object.entries(shape.columns);
  const view: Record<string, unknown> = {};
  for (const [name, { of, isFunction }] of entries) {
    view[name] = isFunction === true ? of(row) : (): unknown => of(row);
  }
  const plain = entries.filter(([, { isFunction }]) => isFunction !== true);
  const toJSON = (): unknown =>
    Object.fromEntries(
      plain.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, { of }]) => [name, of(row)]),
    );
  return Object.defineProperty(view, 'toJSON', { value: toJSON });
}

/** One object for `--format`, as JSON or by a template. Throws CommandError. */
export function renderOne(value: unknown, format: string): string {
  if (format === 'json' || format === '{{json .}}') return `${JSON.stringify(value)}\n`;
  let template: Template;
  try {
    template = compileTemplate(format);
  } catch (problem) {
    throw new CommandError(`template parsing error: ${messageOf(problem)}`, 64, { cause: problem });
  }
  try {
    return `${template.render(withTypedNulls(value))}\n`;
  } catch (problem) {
    throw new CommandError(`template parsing error: ${messageOf(problem)}`, 1, { cause: problem });
  }
}

/** Labels as lists show them: sorted, `a=b,c=d`. */
export function labelsText(labels: Readonly<Record<string, string>> | null | undefined): string {
  return Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');
}

/** A column for one label's value: `{{.Label "key"}}`. */
export function labelColumn<Row>(
  labelsOf: (row: Row) => Readonly<Record<string, string>> | null | undefined,
): Column<Row> {
  return {
    heading: '',
    isFunction: true,
    of: (row) => (key: string) => labelsOf(row)?.[key] ?? '',
  };
}

