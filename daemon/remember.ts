/** What is kept when nobody says how much. */
const usualEntries = 64;

/** Puts a value in, for which the oldest goes when there are too many; returns it. */
export function remember<Value>(
  cache: Map<string, Value>,
  key: string,
  value: Value,
  maxEntries = usualEntries,
): Value {
  const oldest = cache.keys().next();
  if (cache.size >= maxEntries && oldest.done !== true) cache.delete(oldest.value);
  cache.set(key, value);
  return value;
}
