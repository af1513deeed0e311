/**
 * An answer as any engine may send it: Go writes an empty list, map or pointer as null, or leaves
 * it out, where our own engine promises one. Numbers, strings and switches are as promised.
 */
export type Heard<T> = T extends readonly (infer Item)[]
  ? readonly Heard<Item>[]
  : T extends object
    ? string extends keyof T
      ? { readonly [Key in keyof T]: Heard<T[Key]> }
      : { readonly [Key in keyof T]: HeardField<T[Key]> }
    : T;

type HeardField<T> = T extends object ? Heard<T> | null | undefined : T;
