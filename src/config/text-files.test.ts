// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts under test hold variables
import { expect, test } from "vitest";
import { load, problemsOf } from "./__fixtures__/loading.ts";

const MOVER = "functions: {f: {_type: choose_move, prompt: ";

test("file:// puts a file's text in as it is, from the folder of the file that says it", async () => {
  const config = await load({
    "config.yml": "base: below/base.yml\n",
    "below/base.yml": `${MOVER}"file://prompts/move.md"}}\n`,
    "below/prompts/move.md": "Say ${WHAT}: 1\n",
  });

  expect(config.functions.f?.options.prompt).toBe("Say ${WHAT}: 1\n");
});

test("the name may hold a variable, and every ending for texts is taken", async () => {
  for (const ending of ["txt", "md", "j2", "jinja", "jinja2", "prompt", "tpl", "template"]) {
    const files = { "config.yml": `${MOVER}"file://\${NAME}.${ending}"}}\n`, [`move.${ending}`]: "text" };
    expect((await load(files, { env: { NAME: "move" } })).functions.f?.options.prompt).toBe("text");
  }
});

test("a text that is not there, and a file of another kind, are told with the line", async () => {
  expect(await problemsOf(`${MOVER}"file://gone.md"}}\n`)).toEqual([
    'config.yml:1:45: functions.f.prompt: there is no file "gone.md"',
  ]);
  expect(await problemsOf({ "config.yml": `${MOVER}"file://keys.json"}}\n`, "keys.json": "{}" })).toEqual([
    'config.yml:1:45: functions.f.prompt: a text for a value cannot come from "keys.json" (its name must end in one of txt, md, j2, jinja, jinja2, prompt, tpl, template)',
  ]);
});
