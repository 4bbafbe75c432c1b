import { readFile } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { codeOf } from "../lib/errors.ts";
import type { Faults } from "./config-error.ts";
import { type MapNode, scalarsOf, shown } from "./node.ts";

const SCHEME = "file://";
const ENDINGS = ["txt", "md", "j2", "jinja", "jinja2", "prompt", "tpl", "template"];

/** Puts the text of a file where a value says `file://name`; the name starts from the folder of the file that says it. */
export async function readTextFiles(root: MapNode, faults: Faults): Promise<void> {
  for (const { scalar, path } of scalarsOf(root)) {
    if (typeof scalar.value !== "string" || !scalar.value.startsWith(SCHEME) || scalar.unexpanded) continue;
    const name = scalar.value.slice(SCHEME.length);
    const named = shown(scalar).slice(SCHEME.length);
    const fail = (message: string, fix?: string) =>
      faults.add({ code: "text_file", place: scalar.place, path, message, fix });
    if (!ENDINGS.includes(extname(name).slice(1).toLowerCase())) {
      fail(`a text for a value cannot come from "${named}"`, `its name must end in one of ${ENDINGS.join(", ")}`);
      continue;
    }
    try {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(resolve(scalar.place.dir, name)));
      scalar.value = text;
      scalar.text = text;
      scalar.plain = false;
      scalar.retypable = false;
      delete scalar.redacted;
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      fail(code === "ENOENT" ? `there is no file "${named}"` : `the file "${named}" cannot be read as text (${code})`);
    }
  }
}
