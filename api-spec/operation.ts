/** What an operation of the API is, and the types that follow from its description. */
import {
  Type,
  type TArray,
  type TBoolean,
  type TInteger,
  type TSchema,
  type TString,
} from 'typebox';
import type { Shape } from './shape.js';

/** One operation: everything about it that is not its behaviour. */
export interface Operation {
  /** Docker's own. */
  readonly operationId: string;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** With `:name` for parameters, without the version prefix. */
  readonly url: `/${string}`;
  /** One sentence for the documents. */
  readonly summary: string;
  /** Minor of the API version that brought it. */
  readonly since: number;
  readonly query?: Readonly<Record<string, TBoolean | TInteger | TString | TArray<TString>>>;
  /** Names that the query's `filters` may use; others are refused. */
  readonly filters?: readonly string[];
  readonly body?: Body;
  readonly answer: Answer;
}

/** What the client sends. A `stream` goes to the service as it comes, unbounded. */
export type Body =
  | { readonly kind: 'json'; readonly schema: TSchema; readonly required?: true }
  | { readonly kind: 'stream'; readonly mediaType: string };

/** What a success looks like. A `hijack` turns the connection into a byte stream both ways. */
export type Answer =
  | { readonly kind: 'json'; readonly status: 200 | 201; readonly schema: TSchema }
  | { readonly kind: 'empty'; readonly status: 200 | 201 | 204 }
  | { readonly kind: 'stream'; readonly status: 200; readonly mediaType: string }
  | { readonly kind: 'hijack'; readonly status: 101 };

/** Keeps the literal types of a description. */
export const operation = <const Described extends Operation>(described: Described): Described =>
  described;

/** The parameters in a url, by name. */
export type ParamsOf<Url extends string> = Url extends `${string}:${infer Name}/${infer Rest}`
  ? { readonly [Key in Name]: string } & ParamsOf<`/${Rest}`>
  : Url extends `${string}:${infer Name}`
    ? { readonly [Key in Name]: string }
    : unknown;

type QueryValue<Schema> = Schema extends TBoolean
  ? boolean
  : Schema extends TString
    ? string
    : Schema extends TInteger
      ? number | undefined
      : readonly string[];

/**
 * The query as a handler sees it: nothing missing but numbers; `''`, `false` and `[]` for absent.
 */
export type QueryOf<Described extends Operation> = Described['query'] extends object
  ? { readonly [Key in keyof Described['query']]: QueryValue<Described['query'][Key]> }
  : unknown;

/** The decoded JSON body; undefined when the operation has none. */
export type BodyOf<Described extends Operation> = Described['body'] extends {
  readonly kind: 'json';
  readonly schema: infer Schema extends TSchema;
}
  ? Shape<Schema>
  : undefined;

/** What the handler of a JSON operation has to return. */
export type AnswerOf<Described extends Operation> = Described['answer'] extends {
  readonly kind: 'json';
  readonly schema: infer Schema extends TSchema;
}
  ? Shape<Schema>
  : undefined;

/** Query: false unless given, and given as anything but `0`, `no`, `false`, `none` or nothing. */
export const bool = Type.Boolean();
/** Query: as `bool`, and true when it is not given at all. */
export const boolOrTrue = Type.Boolean({ default: true });
/** Query: a whole number, or undefined. */
export const int = Type.Integer();
/** Query: a string, empty when not given. */
export const str = Type.String();
/** Query: may be repeated. */
export const strs = Type.Array(Type.String());

/** An answer without content. */
export const noContent = { kind: 'empty', status: 204 } as const;
/** An empty answer with status 200. */
export const emptyOk = { kind: 'empty', status: 200 } as const;

/** An answer in JSON, status 200. */
export const json = <Schema extends TSchema>(schema: Schema) =>
  ({ kind: 'json', status: 200, schema }) as const;
/** An answer in JSON about what was made, status 201. */
export const created = <Schema extends TSchema>(schema: Schema) =>
  ({ kind: 'json', status: 201, schema }) as const;
/** An answer in pieces. */
export const stream = (mediaType: string) =>
  ({ kind: 'stream', status: 200, mediaType }) as const;
/** The connection becomes a byte stream both ways. */
export const hijack = { kind: 'hijack', status: 101 } as const;
/** A JSON body that may be missing. */
export const jsonBody = <Schema extends TSchema>(schema: Schema) =>
  ({ kind: 'json', schema }) as const;
/** A body that is passed on as it comes. */
export const tarBody = { kind: 'stream', mediaType: 'application/x-tar' } as const;
