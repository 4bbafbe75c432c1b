import { definePlugin } from "pairwright";
import { toolAgent } from "./workflow.ts";

/** A tool-calling agent as a source of preference data. */
export default definePlugin((registry) => {
  registry.workflow("tool_agent", toolAgent);
});
