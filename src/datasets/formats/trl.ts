import { textOf } from "../../records/message-text.ts";
import type { DatasetFormat } from "../../registry/training.ts";
import { lostFields } from "./lost-fields.ts";
import { isOfTool, replyText, whyNoText } from "./reply-text.ts";
import { isRow } from "./row-fields.ts";

/**
 * TRL's standard format: `{prompt, chosen, rejected}`, three texts that no chat template is applied to. Of a prompt of
 * several messages the last one's text is written: what is lost of it is named, `system_prompt` and `history`.
 */
export const trl: DatasetFormat = {
  never_holds: ["scores"],

  prompt({ prompt }) {
    const last = prompt.at(-1);
    return last === undefined ? "" : textOf(last);
  },

  row(pair, options) {
    const chosen = replyText(pair.chosen);
    const rejected = replyText(pair.rejected);
    if (chosen === undefined || rejected === undefined) return { row: null, lost: whyNoText(pair) };
    const last = pair.prompt.at(-1);
    if (last !== undefined && isOfTool(last)) return { row: null, lost: ["tool_calls"] };
    const before = pair.prompt.slice(0, -1);
    const isSystem = ({ role }: { role: string }) => role === "system" || role === "developer";
    const fields = ["reasoning", "name", "content_parts"] as const;
    const written = { ...pair, prompt: last === undefined ? [] : [last] };
    const lost = lostFields(written, { tools: true, prompt: fields, sides: fields });
    // A call in what is left out anyway is history like all of it, and still no call may be dropped unasked.
    if (before.some(isOfTool)) lost.push("tool_calls");
    if (before.some((message) => !isSystem(message))) lost.push("history");
    if (before.some(isSystem)) lost.push("system_prompt");
    return { row: { prompt: trl.prompt(pair, options), chosen, rejected }, lost };
  },

  read(row) {
    if (!isRow(row, "prompt", "chosen", "rejected")) return undefined;
    const { prompt, chosen, rejected } = row;
    if (typeof prompt !== "string" || typeof chosen !== "string" || typeof rejected !== "string") return undefined;
    return {
      prompt: [{ role: "user", content: prompt }],
      chosen: [{ role: "assistant", content: chosen }],
      rejected: [{ role: "assistant", content: rejected }],
    };
  },
};
