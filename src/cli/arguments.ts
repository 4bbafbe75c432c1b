/**
 * Brings what was typed into one form: flags in kebab case whatever their spelling (`--config_file`), and
 * `-o PATH VALUE` as one argument `--override=PATH=VALUE`. Everything after `--` is left alone.
 */
export function normaliseArguments(argv: readonly string[]): string[] {
  const normal: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const token = argv[index] ?? "";
    if (token === "--") return [...normal, ...argv.slice(index)];
    if (token === "-o" || token === "--override") {
      const path = argv[index + 1] ?? "";
      const single = path.includes("=");
      const value = argv[index + 2] ?? "";
      normal.push(single ? `--override=${path}` : `--override=${path}=${value}`);
      index += single ? 1 : 2;
      continue;
    }
    normal.push(token.startsWith("--") ? kebab(token) : token);
  }
  return normal;
}

function kebab(flag: string): string {
  const [name = "", ...value] = flag.split("=");
  return [name.replaceAll("_", "-"), ...value].join("=");
}

/** `PATH=VALUE` in its two parts; the path holds no `=`. */
export function splitOverride(text: string): [path: string, value: string] {
  const at = text.indexOf("=");
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
