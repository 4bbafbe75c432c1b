import { expect, test } from "vitest";
import { toolsIn } from "./messages-of.ts";

test("tools are read as they are and as JSON in a text; what is neither is none", () => {
  const tools = [{ type: "function", function: { name: "find_city" } }];
  expect(toolsIn(tools)).toEqual(tools);
  expect(toolsIn(JSON.stringify(tools))).toEqual(tools);
  for (const none of [undefined, null, "", "[{", "[]", '"find_city"', [{ name: "find_city" }]]) {
    expect(toolsIn(none)).toBeUndefined();
  }
});
