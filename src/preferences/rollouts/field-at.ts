import { isObject } from "../../records/messages-of.ts";

/** The value at a path of names such as `responses_create_params.metadata.instance_id`; `undefined` where it ends before. */
export function fieldAt(row: unknown, path: string): unknown {
  let value = row;
  for (const name of path.split(".")) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}
