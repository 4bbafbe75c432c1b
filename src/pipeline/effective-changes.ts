/** Parts of a configuration that may change between a run and its resumption: they decide no result. */
const FREE = ["eval.general.max_concurrency", "eval.general.output_dir", "finetuning.output_dir"];

/** The paths at which two configurations differ, those that decide no result left out. */
export function effectiveChanges(before: unknown, after: unknown, path = ""): string[] {
  if (FREE.includes(path)) return [];
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => effectiveChanges(before[key], after[key], path === "" ? key : `${path}.${key}`));
  }
  return JSON.stringify(before ?? null) === JSON.stringify(after ?? null) ? [] : [path];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
