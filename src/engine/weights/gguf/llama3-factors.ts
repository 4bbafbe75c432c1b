import type { RopeScaling } from "../../model/model-config.ts";
import type { GgufFile } from "./open-gguf.ts";
import { unsupportedGguf } from "./parse-gguf.ts";

/** The settings of Llama 3.1, 3.2 and 3.3, beside the factor, which is 8 or 32. */
const LLAMA3 = { low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };

/**
 * llama3's scaling of rotary positions out of `rope_freqs.weight`: a GGUF file holds by how much each frequency is
 * divided, not the settings that this follows from. The largest is the factor; with it and Llama 3's other settings all
 * others must come out, or the scaling is another one, and refused. Null where nothing is divided.
 */
export async function readLlama3Factors(
  file: GgufFile,
  { rope_theta, head_dim }: { rope_theta: number; head_dim: number },
): Promise<RopeScaling | null> {
  const divisors = await file.read("rope_freqs.weight");
  if (divisors.every((divisor) => divisor === 1)) return null;
  const scaling: RopeScaling = { rope_type: "llama3", factor: Math.max(...divisors), ...LLAMA3 };
  const expected = llama3Divisors(scaling, { rope_theta, head_dim });
  const fits =
    expected.length === divisors.length && expected.every((x, i) => Math.abs(x / (divisors[i] ?? 0) - 1) < 1e-4);
  if (fits) return scaling;
  throw unsupportedGguf(
    file.path,
    "tensor rope_freqs.weight scales the rotary positions in another way than Llama 3.1 to 3.3 do",
    "use the model's Hugging Face folder, whose config.json names the settings",
  );
}

/**
 * What llama3's scaling divides each frequency by (transformers' `_compute_llama3_parameters`): long waves by the
 * factor, short ones by 1.
 */
export function llama3Divisors(
  scaling: Extract<RopeScaling, { rope_type: "llama3" }>,
  { rope_theta, head_dim }: { rope_theta: number; head_dim: number },
): number[] {
  const { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings: original } = scaling;
  return Array.from({ length: head_dim / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * rope_theta ** ((2 * i) / head_dim);
    if (wavelength < original / high_freq_factor) return 1;
    if (wavelength > original / low_freq_factor) return factor;
    const smooth = (original / wavelength - low_freq_factor) / (high_freq_factor - low_freq_factor);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}
