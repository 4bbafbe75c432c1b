import { expect, test } from "vitest";
import { strftime } from "./strftime.ts";

const morning = new Date(2024, 6, 4, 9, 5, 7);
const night = new Date(1999, 11, 31, 23, 59, 58);

// The right column is Python's: datetime(2024, 7, 4, 9, 5, 7) and datetime(1999, 12, 31, 23, 59, 58).
test.each([
  ["%d %b %Y", "04 Jul 2024", "31 Dec 1999"],
  ["%A, %B %-d, %y", "Thursday, July 4, 24", "Friday, December 31, 99"],
  ["%a %e %h", "Thu  4 Jul", "Fri 31 Dec"],
  ["%H:%M:%S %I %p %-H", "09:05:07 09 AM 9", "23:59:58 11 PM 23"],
  ["%F %T %D %j", "2024-07-04 09:05:07 07/04/24 186", "1999-12-31 23:59:58 12/31/99 365"],
  ["100%% %Q %", "100% %Q %", "100% %Q %"],
])("%s", (format, first, second) => {
  expect([strftime(morning, format), strftime(night, format)]).toEqual([first, second]);
});

test("midnight and noon are twelve o'clock", () => {
  expect(strftime(new Date(2024, 0, 1, 0), "%I %p %-j")).toBe("12 AM 1");
  expect(strftime(new Date(2024, 0, 1, 12), "%I %p")).toBe("12 PM");
});
