/** What a Go template is made of, as far as `--format` goes. */
export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly pipe: Pipe }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipe: Pipe;
      readonly then: readonly Node[];
      readonly otherwise: readonly Node[];
    };

/** Commands joined by `|`, the result perhaps kept in variables. */
export interface Pipe {
  readonly declares: readonly string[];
  readonly commands: readonly Command[];
}

/** A term with what it is called with. */
export interface Command {
  readonly head: Term;
  readonly operands: readonly Term[];
}

/** What Go's errors name: a piece of the template, and where it looks for it. */
export interface Spot {
  readonly text: string;
  /** Lines from one, columns from zero, `1:2`: of a chain of fields that of the second. */
  readonly place: string;
}

/** What a value comes from; `path` is the chain of fields after it. */
export type Term = { readonly spot: Spot; readonly path: readonly string[] } & (
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'literal'; readonly value: unknown }
  | { readonly kind: 'group'; readonly pipe: Pipe }
);
