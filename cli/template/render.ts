import type { Command, Node, Pipe, Spot, Term } from './nodes.js';
import { commandText, parseTemplate } from './parse.js';
import { headingFunctions, takes, templateFunctions } from './functions.js';
import { TemplateProblem } from './scan.js';
import { isMap } from './typed-null.js';
import { goType, isNull, isRecord, isTrue, printed } from './values.js';

/** A template that is ready to be filled in, as often as one likes. */
export interface Template {
  /** The text for one value. Throws TemplateProblem. */
  readonly render: (value: unknown) => string;
  /** The text for a row of headings: functions leave them as they are. */
  readonly renderHeadings: (headings: Readonly<Record<string, string>>) => string;
}

/** How fields that are not there are reported. */
export interface TemplateOptions {
  /** What is wrong with the field; nothing is, and it has no value, if this says so. */
  readonly missing?: (name: string) => string;
}

/** Reads a Go template. Throws TemplateProblem with Go's words. */
export function compileTemplate(source: string, options: TemplateOptions = {}): Template {
  const nodes = parseTemplate(source);
  const missing = options.missing ?? noEntry;
  checkFunctions(nodes);
  return {
    render: (value) => renderNodes(nodes, fresh(value, templateFunctions, missing)),
    renderHeadings: (headings) =>
      renderNodes(nodes, fresh(headings, headingFunctions, () => '')),
  };
}

function noEntry(name: string): string {
  return `map has no entry for key "${name}"`;
}

function failure({ text, place }: Spot, why: string, cause?: unknown): TemplateProblem {
  return new TemplateProblem(`template: :${place}: executing "" at <${text}>: ${why}`, { cause });
}

type Functions = typeof templateFunctions;

interface Scope {
  readonly dot: unknown;
  readonly variables: ReadonlyMap<string, { value: unknown }>;
  readonly functions: Functions;
  readonly missing: (name: string) => string;
}

function fresh(dot: unknown, functions: Functions, missing: Scope['missing']): Scope {
  return { dot, variables: new Map([['$', { value: dot }]]), functions, missing };
}

function renderNodes(nodes: readonly Node[], outer: Scope): string {
  let scope = outer;
  let out = '';
  for (const node of nodes) {
    if (node.kind === 'text') out += node.text;
    else if (node.kind === 'print') {
      const { value, scope: after } = evaluate(node.pipe, scope);
      scope = after;
      if (node.pipe.declares.length === 0) out += printed(value);
    } else if (node.kind === 'range') out += renderRange(node, scope);
    else {
      const { value, scope: inner } = evaluate(node.pipe, scope);
      const dot = node.kind === 'with' ? value : scope.dot;
      out += isTrue(value)
        ? renderNodes(node.then, { ...inner, dot })
        : renderNodes(node.otherwise, inner);
    }
  }
  return out;
}

function renderRange(node: Extract<Node, { readonly then: unknown }>, scope: Scope): string {
  const { value } = evaluate({ ...node.pipe, declares: [] }, scope);
  const entries = entriesOf(value);
  if (entries.length === 0) return renderNodes(node.otherwise, scope);
  const names = node.pipe.declares;
  return entries
    .map(([key, item]) => {
      const values = names.length === 1 ? [item] : [key, item];
      const variables = new Map(scope.variables);
      names.forEach((name, at) => variables.set(name, { value: values[at] }));
      return renderNodes(node.then, { ...scope, dot: item, variables });
    })
    .join('');
}

function entriesOf(value: unknown): readonly (readonly [unknown, unknown])[] {
  if (Array.isArray(value)) return value.map((item, at) => [at, item]);
  if (isRecord(value)) return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  if (isNull(value)) return [];
  throw new TemplateProblem(`range can't iterate over ${printed(value)}`);
}

function evaluate(pipe: Pipe, scope: Scope): { value: unknown; scope: Scope } {
  let piped: readonly unknown[] = [];
  for (const command of pipe.commands) piped = [call(command, piped, scope)];
  const value = piped[0];
  if (pipe.declares.length === 0) return { value, scope };
  const variables = new Map(scope.variables);
  for (const name of pipe.declares) {
    const known = variables.get(name);
    if (known === undefined) variables.set(name, { value });
    else known.value = value;
  }
  return { value, scope: { ...scope, variables } };
}

function call(command: Command, piped: readonly unknown[], scope: Scope): unknown {
  const { head } = command;
  const operands = [...command.operands.map((each) => valueOf(each, scope, [])), ...piped];
  if (head.kind !== 'function') return valueOf(head, scope, operands);
  const run = scope.functions.get(head.name);
  if (run === undefined) throw undefinedFunction(head.name);
  const wanted = takes.get(head.name);
  if (wanted !== undefined && wanted !== operands.length) {
    const counts = `want ${wanted} got ${operands.length}`;
    throw failure(head.spot, `wrong number of args for ${head.name}: ${counts}`);
  }
  try {
    return run(...operands);
  } catch (problem) {
    if (!(problem instanceof TemplateProblem)) throw problem;
    const isOfCall = problem.message.startsWith('error calling ');
    const spot = isOfCall ? { ...head.spot, text: commandText(command) } : head.spot;
    throw failure(spot, problem.message, problem);
  }
}

function valueOf(term: Term, scope: Scope, operands: readonly unknown[]): unknown {
  switch (term.kind) {
    case 'dot':
      return follow(scope.dot, term, { scope, operands });
    case 'literal':
      return term.value;
    case 'group':
      return follow(evaluate(term.pipe, scope).value, term, { scope, operands });
    case 'function':
      return call({ head: term, operands: [] }, [], scope);
    case 'variable': {
      const variable = scope.variables.get(term.name);
      if (variable === undefined) {
        throw new TemplateProblem(`template: :1: undefined variable "${term.name}"`);
      }
      return follow(variable.value, term, { scope, operands });
    }
  }
}

interface Following {
  readonly scope: Scope;
  readonly operands: readonly unknown[];
}

function follow(start: unknown, { path, spot }: Term, { scope, operands }: Following): unknown {
  let value = start;
  // Go knows what a method gives, but not what was read as JSON.
  let type = 'interface {}';
  for (const [at, name] of path.entries()) {
    if (!isRecord(value)) {
      const why = isNull(value)
        ? `nil pointer evaluating interface {}.${name}`
        : `can't evaluate field ${name} in type ${type}`;
      throw failure(spot, why);
    }
    if (!Object.hasOwn(value, name)) {
      // A map of Go's that has no such key is no error.
      const complaint = isMap(value) ? '' : scope.missing(name);
      if (complaint !== '') throw failure(spot, complaint);
      return null;
    }
    const found = value[name];
    const isLast = at === path.length - 1;
    value = isMethod(found) ? found(...(isLast ? operands : [])) : found;
    type = isMethod(found) ? goType(value) : 'interface {}';
  }
  return value;
}

/** The columns of a row are functions. */
function isMethod(value: unknown): value is (...operands: readonly unknown[]) => unknown {
  return typeof value === 'function';
}

function checkFunctions(nodes: readonly Node[]): void {
  for (const node of nodes) {
    if (node.kind === 'text') continue;
    checkPipe(node.pipe);
    if (node.kind === 'print') continue;
    checkFunctions(node.then);
    checkFunctions(node.otherwise);
  }
}

function checkPipe(pipe: Pipe): void {
  for (const term of pipe.commands.flatMap(({ head, operands }) => [head, ...operands])) {
    if (term.kind === 'group') checkPipe(term.pipe);
    if (term.kind === 'function' && !templateFunctions.has(term.name)) {
      throw undefinedFunction(term.name);
    }
  }
}

function undefinedFunction(name: string): TemplateProblem {
  return new TemplateProblem(`template: :1: function "${name}" not defined`);
}
