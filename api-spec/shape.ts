/**
 * The few words in which the API's shapes are written.
 *
 * Null and absence: in a request Docker reads `null` as "not given", so the decoder drops nulls and
 * the types of requests have none. In a response a field that Docker sends as `null` says so with
 * `nullable`. `AsShown` turns a request's shape into the one that is shown again by inspect.
 */
import { Type, type Static, type TSchema } from 'typebox';

type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T;

/** The type of a schema's values, read-only all the way down. */
export type Shape<Schema extends TSchema> = Frozen<Static<Schema>>;

/** A request's shape as a response shows it: a field may be null instead of missing. */
export type AsShown<T> = { readonly [Key in keyof T]?: T[Key] | null };

/** A string, as long as it likes within the body's bound. */
export const text = Type.String();
/** A whole number; 64 bits on the wire, exact up to 2^53. */
export const whole = Type.Integer();
/** Any number. */
export const num = Type.Number();
/** True or false. */
export const flag = Type.Boolean();
/** Go's empty struct: the value of a set written as a map. */
export const empty = Type.Object({});
/** Anything at all. */
export const anything = Type.Unknown();

/** A list of. */
export const list = <Item extends TSchema>(item: Item) => Type.Array(item);
/** A map whose keys are the user's own: they are never folded. */
export const map = <Value extends TSchema>(value: Value) => Type.Record(Type.String(), value);
/** May be missing. */
export const optional = <Value extends TSchema>(value: Value) => Type.Optional(value);
/** Sent as null when there is none. */
export const nullable = <Value extends TSchema>(value: Value) => Type.Union([value, Type.Null()]);

/** One of these words. */
export const oneOf = <const Words extends readonly string[]>(...words: Words) =>
  Type.Unsafe<Words[number]>({ type: 'string', enum: [...words] });

/** The keyword by which the decoder knows a list that may also be written as one bare string. */
export const acceptsBareString = 'x-accepts-bare-string';

/** A list of strings, or one string for a list of one: `Cmd`, `Entrypoint`, `Shell`. */
export const words = Type.Array(Type.String(), { [acceptsBareString]: true });

/** The same object with every field nullable and none required. */
export const shown = <T>(schema: { readonly properties: Readonly<Record<string, TSchema>> }) =>
  Type.Unsafe<AsShown<T>>(
    Type.Object(
      Object.fromEntries(
        Object.entries(schema.properties).map(([name, value]) => [
          name,
          Type.Optional(nullable(value)),
        ]),
      ),
    ),
  );
