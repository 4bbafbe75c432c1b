import { z } from "zod";

/** The kinds that one component's options may name in another section. */
export const REF_SECTIONS = {
  llm: "llms",
  function: "functions",
  search: "ttc_strategies",
  edit: "ttc_strategies",
  scorer: "ttc_strategies",
  selector: "ttc_strategies",
  evaluator: "eval.evaluators",
  trajectory_builder: "trajectory_builders",
  trainer: "trainers",
  trainer_adapter: "trainer_adapters",
} as const;
export type RefKind = keyof typeof REF_SECTIONS;

function ref(kind: RefKind) {
  return z
    .string()
    .min(1)
    .meta({ ref: kind, description: `name of a ${kind} under ${REF_SECTIONS[kind]}` });
}

/** The name of a model under `llms:`; checked when the configuration is loaded. */
export const llmRef = () => ref("llm");
/** The name of a function under `functions:`. */
export const functionRef = () => ref("function");
/** The name of a search strategy under `ttc_strategies:`. */
export const searchRef = () => ref("search");
/** The name of an edit strategy under `ttc_strategies:`. */
export const editRef = () => ref("edit");
/** The name of a scorer under `ttc_strategies:`. */
export const scorerRef = () => ref("scorer");
/** The name of a selector under `ttc_strategies:`. */
export const selectorRef = () => ref("selector");
/** The name of an evaluator under `eval.evaluators:`. */
export const evaluatorRef = () => ref("evaluator");
/** The name of a trajectory builder under `trajectory_builders:`. */
export const trajectoryBuilderRef = () => ref("trajectory_builder");
/** The name of a trainer under `trainers:`. */
export const trainerRef = () => ref("trainer");
/** The name of a trainer adapter under `trainer_adapters:`. */
export const trainerAdapterRef = () => ref("trainer_adapter");

/** The kind that a schema refers to, looked for through optional, nullable and default wrappers. */
export function refKindOf(schema: z.core.$ZodType): RefKind | undefined {
  let current: z.core.$ZodType | undefined = schema;
  while (current !== undefined) {
    const meta = z.globalRegistry.get(current) as { ref?: RefKind } | undefined;
    if (meta?.ref !== undefined) return meta.ref;
    const { innerType } = current._zod.def as { innerType?: z.core.$ZodType };
    current = innerType;
  }
  return undefined;
}
