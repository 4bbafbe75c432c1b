import type { Message } from "../../records/message.ts";
import { NOTHING } from "./plain-step.ts";

/** A candidate of a plain turn: where what is known of it stands in the line of its run, texts with their quotes. */
export class PlainCandidate {
  candidate_index = 0;
  /** `NOTHING` when there is no reply. */
  output_start = NOTHING;
  output_end = NOTHING;
  /** NaN when there is none. */
  score = Number.NaN;
  score_start = NOTHING;
  score_end = NOTHING;
  /** `NOTHING` when there is no seed. */
  seed_start = NOTHING;
  seed_end = NOTHING;
  /** `NOTHING` when nobody said which, `CODE` when there is none. */
  model_start = NOTHING;
  model_end = NOTHING;
  /** Cut off at the token limit. */
  is_truncated = false;
  tokens = 0;
}

/** A turn whose candidates all saw one prompt, of messages that are a text each. */
export class PlainTurn {
  turn_index = 0;
  /** Where its id stands. */
  id_start = 0;
  id_end = 0;
  roles: readonly Message["role"][] = [];
  /** Where the content of each message of the prompt starts and ends. */
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** Which of the run's candidates: from `first` on, to before `end`. */
  first = 0;
  end = 0;
}

/** Whether the bytes from `start` to `end` are those from `from` to `to`. */
export function sameBytes(view: DataView, start: number, end: number, from: number, to: number): boolean {
  const length = end - start;
  if (length !== to - from) return false;
  if (start === from) return true;
  let place = 0;
  for (; place + 4 <= length; place += 4) {
    if (view.getInt32(start + place) !== view.getInt32(from + place)) return false;
  }
  for (; place < length; place += 1) if (view.getUint8(start + place) !== view.getUint8(from + place)) return false;
  return true;
}
