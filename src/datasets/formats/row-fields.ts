/** Whether a value is an object that has all of these keys. */
export function isRow<K extends string>(
  value: unknown,
  ...keys: K[]
): value is Record<K, unknown> & Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return keys.every((key) => Object.hasOwn(value, key));
}

/** A member with that number, or none where it is no number: an unknown score is absent, not 0. */
export function numberOf<K extends string>(name: K, value: unknown): { [N in K]?: number } {
  return (typeof value === "number" && Number.isFinite(value) ? { [name]: value } : {}) as { [N in K]?: number };
}
