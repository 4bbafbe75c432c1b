import { existsSync } from "node:fs";
import { resolve } from "node:path";

/**
 * A path as a configuration writes it, made absolute. `./x` and `../x` stand beside the configuration first; any other
 * starts from the working folder first, as the seeds have it. Each is looked for at the other place, too; where it is
 * at neither, the first one is given, so that the error names what was meant.
 */
export function resolvePath(written: string, config_dir: string): string {
  const places = [resolve(written), resolve(config_dir, written)];
  if (/^\.{1,2}[\\/]/.test(written)) places.reverse();
  return places.find((place) => existsSync(place)) ?? places[0] ?? written;
}
