/** What is kept of profiles and filters: one for each set of capabilities that is in use. */
const MAX_ENTRIES = 64;

/** Puts a value in, for which the oldest goes when there are too many; returns it. */
export function remember<Value>(cache: Map<string, Value>, key: string, value: Value): Value {
  const oldest = cache.keys().next();
  if (cache.size >= MAX_ENTRIES && oldest.done !== true) cache.delete(oldest.value);
  cache.set(key, value);
  return value;
}
