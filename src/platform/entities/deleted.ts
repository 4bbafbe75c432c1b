import type { Deleted } from "../../training/wire/common.ts";
import type { Timestamps } from "../store/timestamps.ts";

export function deleted(id: string, times: Timestamps): Deleted {
  return { message: "Resource deleted successfully.", id, deleted_at: times.naive() };
}
