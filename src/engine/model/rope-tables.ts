import type { ModelConfig, RopeScaling } from "./model-config.ts";

/** Cosines and sines of the angles at each position, row-major [positions, head_dim / 2]. */
export interface RopeTables {
  cos: Float64Array;
  sin: Float64Array;
  shape: [number, number];
}

/** The tables of rotary positions 0 to `positions` - 1, with the model's own scaling. */
export function ropeTables({ head_dim, rope_theta, rope_scaling }: RopeSettings, positions: number): RopeTables {
  const half = head_dim / 2;
  const cos = new Float64Array(positions * half);
  const sin = new Float64Array(positions * half);
  const frequencies = Array.from({ length: half }, (_, pair) =>
    scaled(rope_theta ** ((-2 * pair) / head_dim), rope_scaling),
  );
  for (let position = 0; position < positions; position += 1) {
    frequencies.forEach((frequency, pair) => {
      cos[position * half + pair] = Math.cos(position * frequency);
      sin[position * half + pair] = Math.sin(position * frequency);
    });
  }
  return { cos, sin, shape: [positions, half] };
}

type RopeSettings = Pick<ModelConfig, "head_dim" | "rope_theta" | "rope_scaling">;

/**
 * A frequency after scaling. `linear` slows all of them; `llama3` slows those whose wave is long against the length the
 * model was first made with, leaves short waves alone, and goes over from one to the other in between (as in transformers).
 */
function scaled(frequency: number, scaling: RopeScaling | null): number {
  if (scaling === null) return frequency;
  if (scaling.rope_type === "linear") return frequency / scaling.factor;
  const { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } = scaling;
  const waves = (original_max_position_embeddings * frequency) / (2 * Math.PI);
  if (waves < low_freq_factor) return frequency / factor;
  if (waves > high_freq_factor) return frequency;
  const share = (waves - low_freq_factor) / (high_freq_factor - low_freq_factor);
  return share * frequency + ((1 - share) * frequency) / factor;
}
