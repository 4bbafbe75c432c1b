import { expect, test } from "vitest";
import { retryAfter } from "./retry.ts";

const clock = { now: () => Date.UTC(2026, 0, 1) };

test.each([
  [{ "retry-after": "3" }, 3_000],
  [{ "retry-after": " 0.5 " }, 500],
  [{ "retry-after": "Thu, 01 Jan 2026 00:00:09 GMT" }, 9_000],
  [{ "retry-after": "Wed, 31 Dec 2025 23:00:00 GMT" }, 0],
  [{ "retry-after": "soon" }, undefined],
  [{ "retry-after": "-3" }, undefined],
  [{ "retry-after": "3", "retry-after-ms": "250" }, 250],
  [{}, undefined],
])("%o asks to wait %s ms", (headers, wait) => {
  expect(retryAfter(headers, clock)).toBe(wait);
});
