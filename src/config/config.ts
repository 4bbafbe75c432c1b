import type { Kind, Registered } from "../registry/registry.ts";
import type { Replacement } from "./platform-address.ts";
import type { EvalGeneral, Finetuning, Platform, Split } from "./schema.ts";

/** A component as the configuration names and sets it, with the table's row that builds it. */
export interface ComponentConfig {
  /** Its key; `workflow` and `dataset` for the two that have none. */
  name: string;
  /** `llms`, `eval.evaluators`, and so on. */
  section: string;
  kind: Kind;
  type: string;
  /** What its schema made of what was written; raw, with defaults, where a variable of an unused section has no value. */
  options: Record<string, unknown>;
  component: Registered;
}

export type ComponentConfigs = Record<string, ComponentConfig>;

/** A plugin as it was named, and the file that was loaded for it. */
export interface LoadedPlugin {
  name: string;
  file: string;
}

/** A configuration that was checked: every name in it leads somewhere, and every default is in. */
export interface Config {
  /** Absolute. */
  file: string;
  /** The main file's folder, absolute. */
  dir: string;
  /** The main file, then its bases; absolute. */
  files: string[];
  llms: ComponentConfigs;
  functions: ComponentConfigs;
  ttc_strategies: ComponentConfigs;
  workflow?: ComponentConfig;
  eval: {
    general: Omit<EvalGeneral, "dataset" | "output" | "output_dir"> & { output_dir: string; dataset?: ComponentConfig };
    evaluators: ComponentConfigs;
  };
  trajectory_builders: ComponentConfigs;
  trainers: ComponentConfigs;
  trainer_adapters: ComponentConfigs;
  finetuning: Omit<Finetuning, "output_dir"> & { output_dir: string };
  split: Split;
  platform?: Platform;
  /** Where trained models are served: `CUSTOMIZER_NIM_URL`, which is the platform's where there is one. */
  nim_url?: string;
  /** What the platform there asks for. */
  platform_token?: string;
  /** Addresses of the file that the platform's took the place of. */
  replaced: Replacement[];
  plugins: LoadedPlugin[];
  /** Everything that counts, defaults in and secrets out, ready for `config_effective.yml`. */
  effective: Record<string, unknown>;
  /** The values that were taken out of `effective`: they must reach no other file and no log either. */
  secrets: string[];
  /** The main file as it was written, secrets cut out of it. */
  original_text: string;
}
