import { existsSync } from "node:fs";
import { resolve } from "node:path";

/**
 * A path as a configuration writes it, made absolute: from the working folder as the seeds have it, else from the
 * configuration's own folder. Where neither is there, the first, so that the error names what was meant.
 */
export function resolvePath(written: string, config_dir: string): string {
  const here = resolve(written);
  if (existsSync(here)) return here;
  const beside = resolve(config_dir, written);
  return existsSync(beside) ? beside : here;
}
