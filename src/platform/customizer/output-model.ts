import { EntityName, NamespaceName } from "../../training/wire/common.ts";
import { badField } from "../http/http-fault.ts";
import type { JobPlan } from "./stored.ts";

/**
 * Where a job's model goes: `ns/name` gets the job's id as its version, `ns/name@version` stays as it is, and without a
 * name it is called after base model, data set and kind of training. Errors: 422.
 */
export function outputModel(
  given: string | undefined,
  { id, namespace, base_model, dataset, finetuning_type }: OutputFacts,
): JobPlan["output"] {
  const full =
    given ?? `${namespace}/${[base_model.replaceAll("/", "-"), dataset, finetuning_type].join("-").slice(0, 180)}`;
  const slash = full.indexOf("/");
  const [space, rest] = slash === -1 ? [namespace, full] : [full.slice(0, slash), full.slice(slash + 1)];
  const at = rest.indexOf("@");
  const [name, revision] = at === -1 ? [rest, id] : [rest.slice(0, at), rest.slice(at + 1)];
  const usable = [NamespaceName.safeParse(space), EntityName.safeParse(name), EntityName.safeParse(revision)];
  if (usable.every(({ success }) => success) && `${name}@${revision}`.length <= 255)
    return { namespace: space, name, revision };
  throw badField("output_model", "must be namespace/name or namespace/name@version, of letters, digits and ._+-");
}

export interface OutputFacts {
  /** Of the job. */
  id: string;
  namespace: string;
  base_model: string;
  /** The data set's name without its namespace. */
  dataset: string;
  finetuning_type: string;
}

/** `namespace/name@version`: the entity's full name. */
export function outputName({ namespace, name, revision }: JobPlan["output"]): string {
  return `${namespace}/${name}@${revision}`;
}
