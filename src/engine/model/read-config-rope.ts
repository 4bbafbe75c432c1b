import { type ConfigFields, unsupported } from "./config-fields.ts";
import type { RopeScaling } from "./model-config.ts";

/** transformers' own default where a config says nothing. */
const DEFAULT_THETA = 10_000;

/** What a config.json says of rotary positions, in any of its three spellings. */
export interface Rope {
  rope_theta: number;
  rope_scaling: RopeScaling | null;
}

/**
 * Reads `rope_theta` with `rope_scaling` (transformers 4, where the kind is `rope_type` or the older `type`) or
 * `rope_parameters` (transformers 5, which holds both). Where a config has both, `rope_scaling` counts, as in
 * transformers. Kinds other than default, linear and llama3 are errors that name the key.
 */
export function readRope(fields: ConfigFields, max_position_embeddings: number): Rope {
  const key = fields.has("rope_scaling") ? "rope_scaling" : "rope_parameters";
  const rope = fields.object(key);
  const outside = fields.positive("rope_theta", DEFAULT_THETA);
  refusePartial(fields);
  if (rope === null) return { rope_theta: outside, rope_scaling: null };

  refusePartial(rope);
  return {
    rope_theta: rope.positive("rope_theta", outside),
    rope_scaling: readScaling(rope, max_position_embeddings),
  };
}

function readScaling(rope: ConfigFields, max_position_embeddings: number): RopeScaling | null {
  const type = rope.text("rope_type", null) ?? rope.text("type", "default");
  switch (type) {
    case "default":
      return null;
    case "linear":
      return { rope_type: "linear", factor: rope.positive("factor") };
    case "llama3":
      return readLlama3(rope, max_position_embeddings);
    default: {
      const key = rope.has("rope_type") ? "rope_type" : "type";
      throw unsupported(rope.where, rope.path(key), `"${type}"`, "default, linear and llama3 are");
    }
  }
}

function readLlama3(rope: ConfigFields, max_position_embeddings: number): RopeScaling {
  const low_freq_factor = rope.positive("low_freq_factor");
  const high_freq_factor = rope.positive("high_freq_factor");
  if (high_freq_factor <= low_freq_factor) {
    throw unsupported(
      rope.where,
      rope.path("high_freq_factor"),
      String(high_freq_factor),
      `a number above low_freq_factor (${low_freq_factor}) is`,
    );
  }
  return {
    rope_type: "llama3",
    factor: rope.positive("factor"),
    low_freq_factor,
    high_freq_factor,
    original_max_position_embeddings: rope.count("original_max_position_embeddings", max_position_embeddings),
  };
}

function refusePartial(fields: ConfigFields): void {
  const part = fields.positive("partial_rotary_factor", 1);
  if (part !== 1) throw unsupported(fields.where, fields.path("partial_rotary_factor"), String(part), "1 is");
}
