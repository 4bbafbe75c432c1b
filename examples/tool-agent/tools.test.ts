import { expect, test } from "vitest";
import { agentTools, callTool } from "./tools.ts";

const TOOLS = agentTools([{ name: "rye loaf", value: 3.4, unit: "euros each" }]);

test("the tools are described as the chat protocol has it", () => {
  expect(TOOLS.map(({ definition }) => definition)).toEqual([
    {
      type: "function",
      function: {
        name: "calculate",
        description: expect.stringContaining("arithmetic"),
        parameters: {
          type: "object",
          properties: { expression: { type: "string", description: expect.any(String) } },
          required: ["expression"],
          additionalProperties: false,
        },
      },
    },
    { type: "function", function: expect.objectContaining({ name: "look_up" }) },
  ]);
});

test("a call gives back what the tool says", () => {
  expect(callTool(TOOLS, "calculate", '{"expression": "3 * 3.4"}')).toEqual({ output: "10.2", failed: false });
  expect(callTool(TOOLS, "look_up", '{"name": "rye loaf"}')).toEqual({
    output: "rye loaf: 3.4 euros each",
    failed: false,
  });
});

test.each([
  ["web_search", "{}", 'error: there is no tool "web_search"; there are calculate and look_up'],
  ["calculate", "2 + 2", "error: the arguments are not JSON"],
  ["calculate", "", "error: the arguments are not JSON"],
  ["calculate", "[]", expect.stringContaining("error: the arguments: ")],
  ["calculate", '{"expression": 4}', expect.stringContaining('error: "expression": ')],
  ["calculate", '{"sum": "4"}', expect.stringContaining('error: "expression": ')],
  ["calculate", '{"expression": "1 / 0"}', "error: division by zero"],
  ["look_up", '{"name": "gold"}', "error: nothing is known by that name; there is: rye loaf"],
])("%s with %s is answered with an error for the model to read", (name, given, output) => {
  expect(callTool(TOOLS, name, given)).toEqual({ output, failed: true });
});
