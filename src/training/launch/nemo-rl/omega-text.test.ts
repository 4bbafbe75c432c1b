// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are names of folders
import { expect, test } from "vitest";
import { parse } from "yaml";
import { omegaText } from "./omega-text.ts";

test("what OmegaConf would look up has a backslash before it, and backslashes before that are doubled", () => {
  // As OmegaConf 2.3 loads them, these are the texts on the left.
  const texts = {
    "/a/${HOME}/x": "/a/\\${HOME}/x",
    "/a/\\${b}": "/a/\\\\\\${b}",
    "/${a}/${b}": "/\\${a}/\\${b}",
    "$HOME $(x) {y} \\ end\\": "$HOME $(x) {y} \\ end\\",
  };
  const written = parse(omegaText({ list: Object.keys(texts), map: texts, number: 1, none: null }), { version: "1.1" });
  expect(written.list).toEqual(Object.values(texts));
  expect(Object.keys(written.map)).toEqual(Object.keys(texts));
  expect(written).toMatchObject({ number: 1, none: null });
});
